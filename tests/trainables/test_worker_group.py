"""A warm Ray Train group of one to two workers, what can happen to it, and what it leaves.

All in one Ray without a dashboard, and as few groups as can be: each takes seconds to start. So
the tests go on with the group that the one before left.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from search_spaces import narrowed
from trainables.data import DataSpec, DataView, load_view
from trainables.scenarios.scenario import load_scenario
from trainables.trials.group import worker_group
from trainables.trials.group.worker_group import GroupEnded, GroupResources, WorkerGroup
from trainables.trials.placement import remove_orphans
from trainables.trials.trial_run import SLICES, RungReport, TrialRequest, following

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.exhaustive]

EACH = 0.9
NETWORKS = """
import os
import time

import torch.distributed as dist
from torch import nn


def network(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def raises_on_one_rank(shape, classes):
    if dist.get_rank() == 1:
        raise ValueError("only on rank 1")
    return network(shape, classes)


def hangs_on_one_rank(shape, classes):
    if dist.get_rank() == 1:
        time.sleep(10_000)
    return network(shape, classes)


def kills_its_process(shape, classes):
    if dist.get_rank() == 0:
        os._exit(7)
    return network(shape, classes)
"""


@pytest.fixture(scope="module")
def view() -> DataView:
    return load_view(DataSpec("digits"))


@pytest.fixture(scope="module")
def stop_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stop") / "stop"


@pytest.fixture(scope="module")
def group(view: DataView, stop_file: Path) -> Iterator[WorkerGroup]:
    from cluster import connect

    with connect(cpus=2, object_store_memory=100_000_000):
        started = WorkerGroup(GroupResources(1, 2, EACH, 0.0), "curriculum", view, str(stop_file))
        yield started
        started.close()


def request_for(view: DataView, folder: Path, number: int, **training: Any) -> TrialRequest:
    space = narrowed(
        load_scenario("curriculum").space(view), {"model": "mlp", "training": training}
    )
    return TrialRequest(
        number=number,
        scenario="curriculum",
        config=space.only("algorithm", "superloss").default(),
        seed=number,
        levels=[1.0, 3.0],
        fidelity="prefix",
        folder=str(folder / str(number)),
        keep_weights=True,
    )


def with_network(request: TrialRequest, name: str, folder: Path) -> TrialRequest:
    (folder / "networks.py").write_text(NETWORKS)
    model = {"name": "function", "address": f"networks:{name}", "folder": str(folder)}
    return replace(request, config={**request.config, "model": model})


def workers_of(ancestor: int) -> list[int]:
    """The Ray Train workers started by a process; other tests' groups run beside it."""
    return processes_of(ancestor, "RayTrainWorker")


def processes_of(ancestor: int, *kinds: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        process = int(path.parent.name)
        try:
            name = path.read_bytes().decode(errors="replace")
            if any(f"ray::{kind}" in name for kind in kinds) and descends_from(process, ancestor):
                found.append(process)
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return found


def descends_from(process: int, ancestor: int) -> bool:
    while process > 1 and process != ancestor:
        state = Path(f"/proc/{process}/stat").read_text()
        process = int(state.rpartition(")")[2].split()[1])
    return process == ancestor


def becomes_true(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    return condition()


def reserved() -> list[str]:
    """Placement groups that are there, this test's own or Train's."""
    table = ray.util.placement_group_table()
    return [name for name, each in table.items() if each["state"] != "REMOVED"]


def whole(report: RungReport) -> bool:
    return (report.status, report.rung) == ("done", 1) and Path(report.weights or "").exists()


@ray.remote
class Holder:
    """Holds a CPU while it lives."""

    def here(self) -> bool:
        return True


def test_trial_after_trial(group: WorkerGroup, view: DataView, tmp_path: Path) -> None:
    assert group.size == 2
    for number in range(2):
        request = request_for(view, tmp_path, number)
        first = group.carry_out(request)
        assert (first.status, first.rung) == ("running", 0), first.reason
        assert Path(first.checkpoint or "").exists()
        last = group.carry_out(following(request, first))
        assert whole(last), last.reason
        assert last.metrics["accuracy"] > 0.7


def test_what_ends_on_a_node_that_is_taken_away_is_given_back(
    group: WorkerGroup, view: DataView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(request: TrialRequest) -> RungReport:
        raise GroupEnded("the node leaves")

    monkeypatch.setattr(group, "_attempt", ends)
    monkeypatch.setattr(group, "_preempted", lambda: True)
    assert group.carry_out(request_for(view, tmp_path, 13)).status == "preempted"


def test_a_trial_that_raises_on_all_ranks_costs_no_worker(
    group: WorkerGroup, view: DataView, tmp_path: Path
) -> None:
    before = workers_of(os.getpid())
    broken = replace(request_for(view, tmp_path, 2), config={"algorithm": {"name": "nothing"}})
    report = group.carry_out(broken)
    assert report.status == "failed"
    assert "nothing" in (report.reason or "")
    after = group.carry_out(request_for(view, tmp_path, 3))
    assert after.status == "running", after.reason
    assert workers_of(os.getpid()) == before


def test_a_trial_that_is_told_to_stop_hands_back_what_it_has(
    group: WorkerGroup, view: DataView, tmp_path: Path, stop_file: Path
) -> None:
    request = replace(request_for(view, tmp_path, 4), levels=[3000.0])
    threading.Timer(1.0, stop_file.touch).start()
    stopped = group.carry_out(request)
    stop_file.unlink()
    assert stopped.status == "interrupted", stopped.reason
    assert list(Path(request.folder).glob("*-inside-0.pt"))
    after = group.carry_out(request_for(view, tmp_path, 5))
    assert after.status == "running", after.reason


def test_a_killed_worker_costs_no_more_than_its_room(
    group: WorkerGroup, view: DataView, tmp_path: Path
) -> None:
    """The group goes on from the newest state: with one worker, since another has its room."""
    request = request_for(view, tmp_path, 7)
    first = group.carry_out(request)
    assert (first.status, group.size) == ("running", 2), first.reason
    holder = Holder.options(num_cpus=1.1).remote()  # waits until a worker goes
    workers = workers_of(os.getpid())
    assert len(workers) == 2
    os.kill(workers[-1], signal.SIGKILL)
    last = group.carry_out(following(request, first))
    assert whole(last), last.reason
    assert group.size == 1
    assert ray.get(holder.here.remote())
    ray.kill(holder)


def test_a_group_grows_when_there_is_room_and_its_trial_goes_on(
    group: WorkerGroup,
    view: DataView,
    tmp_path: Path,
    stop_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_group, "TICK_SECONDS", 0.5)
    monkeypatch.setattr(worker_group, "GROW_SECONDS", 1.0)
    request = replace(request_for(view, tmp_path, 8), levels=[3000.0])
    assert group.size == 1
    assert becomes_true(lambda: ray.available_resources().get("CPU", 0) > EACH)
    group._looked = time.monotonic()  # the request is under way before it looks

    def stop_when_grown() -> None:
        becomes_true(lambda: group.size == 2 and group._heard() > 0)
        stop_file.touch()

    stopper = threading.Thread(target=stop_when_grown)
    stopper.start()
    stopped = group.carry_out(request)
    stopper.join()
    stop_file.unlink()
    assert (stopped.status, group.size) == ("interrupted", 2), stopped.reason
    assert stopped.compute > 0.9 * request.levels[0] / SLICES  # what one worker did is kept
    assert len(workers_of(os.getpid())) == 2


def test_a_trial_that_hangs_on_one_rank_is_given_back_and_its_workers_end(
    group: WorkerGroup, view: DataView, tmp_path: Path
) -> None:
    request = with_network(request_for(view, tmp_path, 12), "hangs_on_one_rank", tmp_path)
    report = group.carry_out(replace(request, hang_seconds=3.0))
    assert (report.status, report.reason) == ("hung", "no progress for 3 s")
    assert becomes_true(group._ended)


def test_a_trial_that_raises_on_one_rank_is_reported_by_it(
    group: WorkerGroup, view: DataView, tmp_path: Path
) -> None:
    request = with_network(request_for(view, tmp_path, 6), "raises_on_one_rank", tmp_path)
    report = group.carry_out(request)
    assert report.status == "failed"
    assert "ValueError: only on rank 1" in (report.reason or "")


def test_a_trial_that_waits_for_workers_can_be_stopped(
    group: WorkerGroup,
    view: DataView,
    tmp_path: Path,
    stop_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_group, "TICK_SECONDS", 0.5)
    assert group._ended(), "a rank raised before"
    stop_file.touch()
    request = request_for(view, tmp_path, 9)
    assert group.carry_out(request) == RungReport.without_work(request, "interrupted")
    stop_file.unlink()


def test_a_trial_that_kills_its_workers_fails_and_the_group_is_given_up(
    group: WorkerGroup, view: DataView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_group, "MOST_ATTEMPTS", 1)
    request = with_network(request_for(view, tmp_path, 10), "kills_its_process", tmp_path)
    report = group.carry_out(request)
    assert report.status == "failed"
    assert report.reason is not None
    assert "\n" not in report.reason
    assert report.reason.startswith("lost its workers 1 times: worker 0: "), report.reason
    assert "exit" in report.reason
    group.close()
    assert becomes_true(lambda: not workers_of(os.getpid()))
    assert reserved() == []


def test_a_trial_actor_that_is_killed_leaves_nothing(
    group: WorkerGroup, view: DataView, tmp_path: Path, stop_file: Path
) -> None:
    from ray import tune

    from trainables.trials.trial_actor import TrialActor

    request = replace(request_for(view, tmp_path, 11), levels=[1.0, 3000.0])
    resources = GroupResources(1, 1, EACH, 0.0)  # one worker starts faster than two
    actor = tune.with_parameters(
        TrialActor,
        scenario="curriculum",
        view=view,
        device="cpu",
        stop_file=str(stop_file),
        group=resources,
    )
    config = {"request": json.dumps(request.to_dict())}
    running = ray.remote(num_cpus=0.01)(actor).remote(config=config)
    first = RungReport(**json.loads(ray.get(running.train.remote())["report"]))
    assert first.status == "running", first.reason
    _, process = ray.get(running.get_current_ip_pid.remote())
    running.train.remote()  # trains on, for long
    assert len(workers_of(os.getpid())) == 1
    os.kill(process, signal.SIGKILL)
    kinds = "RayTrainWorker", "Dispatcher", "TrainController", "SynchronizationActor"
    assert becomes_true(lambda: not processes_of(os.getpid(), *kinds))
    assert len(reserved()) == 1  # Ray itself would keep it until the job's end
    assert becomes_true(lambda: remove_orphans() == 0 and reserved() == [])
    assert becomes_true(lambda: ray.available_resources().get("CPU") == 2.0)

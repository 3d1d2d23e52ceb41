"""A warm Ray Train group of two workers: trial after trial, a failing one, a killed worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search_spaces import narrowed
from trainables.data import DataSpec, DataView, load_view
from trainables.scenario import load_scenario
from trainables.trial_run import TrialRequest, following
from trainables.worker_group import GroupResources, WorkerGroup

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def view() -> DataView:
    return load_view(DataSpec("digits"))


@pytest.fixture(scope="module")
def group(view: DataView, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerGroup]:
    from cluster import connect

    with connect(cpus=2, object_store_memory=100_000_000):
        stop_file = tmp_path_factory.mktemp("stop") / "stop"
        started = WorkerGroup(GroupResources(2, 2, 0.9, 0.0), "curriculum", view, str(stop_file))
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


def workers_of(ancestor: int) -> list[int]:
    """The Ray Train workers started by a process; other tests' groups run beside it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        process = int(path.parent.name)
        try:
            if b"RayTrainWorker" in path.read_bytes() and descends_from(process, ancestor):
                found.append(process)
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return found


def descends_from(process: int, ancestor: int) -> bool:
    while process > 1 and process != ancestor:
        state = Path(f"/proc/{process}/stat").read_text()
        process = int(state.rpartition(")")[2].split()[1])
    return process == ancestor


def test_trial_after_trial(group: WorkerGroup, view: DataView, tmp_path: Path) -> None:
    for number in range(2):
        request = request_for(view, tmp_path, number)
        first = group.carry_out(request)
        assert (first.status, first.rung) == ("running", 0), first.reason
        assert Path(first.checkpoint or "").exists()
        last = group.carry_out(following(request, first))
        assert (last.status, last.rung) == ("done", 1), last.reason
        assert Path(last.weights or "").exists()
        assert last.metrics["accuracy"] > 0.7


def test_a_trial_that_raises_is_reported_and_the_next_one_runs(
    group: WorkerGroup, view: DataView, tmp_path: Path
) -> None:
    broken = replace(request_for(view, tmp_path, 7), config={"algorithm": {"name": "nothing"}})
    report = group.carry_out(broken)
    assert report.status == "failed"
    assert "nothing" in (report.reason or "")
    after = group.carry_out(request_for(view, tmp_path, 8))
    assert after.status == "running", after.reason


def test_a_killed_worker_is_replaced_and_the_trial_goes_on(
    group: WorkerGroup, view: DataView, tmp_path: Path
) -> None:
    request = request_for(view, tmp_path, 9)
    first = group.carry_out(request)
    workers = workers_of(os.getpid())
    assert len(workers) == 2
    os.kill(workers[-1], signal.SIGKILL)
    last = group.carry_out(following(request, first))
    assert (last.status, last.rung) == ("done", 1), last.reason

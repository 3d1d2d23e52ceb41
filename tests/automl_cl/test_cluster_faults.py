"""Searches on a cluster of several nodes, some of which join, are taken away or are lost."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray

from automl_cl.engine import driver
from automl_cl.run.events import Event
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.search_spec import SearchSpec

from .happened import happened

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.exhaustive]

# A model that is slow, or hangs, while there are files that say so.
MODEL = """
import math, os, pathlib, time
from torch import nn

HERE = pathlib.Path(__file__).parent
DRIVER = {driver}  # it tries the model before the search

class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.body = nn.Linear(math.prod(shape), classes)
    def forward(self, inputs):
        if (HERE / "slow").exists():
            time.sleep(0.05)
        for name in ("hang-1", "hang-2") if os.getpid() != DRIVER else ():
            try:
                os.rename(HERE / name, HERE / f"{name}-taken")
            except FileNotFoundError:
                continue
            time.sleep(10**6)
        return self.body(inputs.flatten(1))
"""
SMALL = {
    "algorithm": ["superloss"],
    "training.batch_size": 64,
    "training.epochs": 3,
    "schedule": "constant",
    "augmentation": "none",
}
PATIENCE = 100.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for trials, whose nodes are missed within seconds; connected to."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    health = {"health_check_period_ms": 1000, "health_check_failure_threshold": 4}
    started = Cluster(initialize_head=True, head_node_args={
        "num_cpus": 0,
        "include_dashboard": False,
        "object_store_memory": 100_000_000,
        "_system_config": {**health, "health_check_initial_delay_ms": 0},
    })  # fmt: skip
    ray.init(address=started.address, log_to_driver=False, logging_level="ERROR")
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture
def model(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The odd model, under a name of this test's own: imported modules stay."""
    module = f"model_of_{request.node.name}"
    (tmp_path / f"{module}.py").write_text(MODEL.replace("{driver}", str(os.getpid())))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{module}:Net"


def add_node(cluster: Any, cpus: int) -> Any:
    return cluster.add_node(num_cpus=cpus, object_store_memory=100_000_000)


def drain(cluster: Any, node: Any) -> None:
    from ray.core.generated import autoscaler_pb2

    reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = int((time.time() + 600) * 1000)
    client = ray._raylet.GcsClient(address=cluster.address)
    accepted, why_not = client.drain_node(node.node_id, reason, "a test", deadline)
    assert accepted, why_not


class Search:
    """A search on its way, as its journal tells of it; its driver is this process."""

    def __init__(self, spec: SearchSpec, folder: Path) -> None:
        self.spec, self.folder = spec, folder
        self.said: list[str] = []
        self.events: list[Event] = []

    def run(self) -> None:
        driver.start(
            self.spec, self.folder, watch=lambda *_: self.events.append, announce=self.said.append
        )

    @contextmanager
    def in_a_thread(self) -> Iterator[None]:
        """The search is under way meanwhile, and has ended in order afterwards."""
        # A daemon: a test that fails does not wait for it.
        running = threading.Thread(target=self.run, daemon=True)
        running.start()
        yield
        running.join(PATIENCE)
        assert not running.is_alive()

    @property
    def rungs(self) -> int:
        return sum(event.kind == "rung" for event in list(self.events))

    @property
    def table(self) -> TrialTable:
        return replayed([happened("search", spec=self.spec.to_dict()), *self.events])

    def lost(self, cause: str) -> int:
        return sum(e.kind == "lost" and e.cause == cause for e in list(self.events))

    def until(self, condition: Callable[[], bool]) -> None:
        patience = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > patience:
                raise TimeoutError(f"{self.said} {self.events[-5:]}")
            time.sleep(0.1)


def require_whole(folder: Path) -> TrialTable:
    """Everything ended, and nothing was done twice."""
    events = read_events(folder / "journal.jsonl")
    told = Counter((e.number, e.rung) for e in events if e.kind == "rung")
    assert set(told.values()) == {1}
    table = replayed(events)
    assert not table.running()
    assert table.verdicts
    return table


def test_nodes_join_are_taken_away_and_are_lost_and_the_search_ends_as_it_should(
    cluster: Any, model: str, tmp_path: Path
) -> None:
    small = add_node(cluster, 1)
    (tmp_path / "slow").touch()
    spec = SearchSpec("curriculum", "digits", model=model, space=SMALL, trials=8,
                      max_epochs=3.0, seeds=3)  # fmt: skip
    search = Search(spec, tmp_path / "run")
    with search.in_a_thread():
        search.until(lambda: search.rungs > 0)
        assert len(search.table.running()) <= 1
        big = add_node(cluster, 2)
        search.until(lambda: len(search.table.running()) == 3)  # slots follow the cluster
        drain(cluster, small)
        search.until(lambda: search.lost("preempted") > 0)
        cluster.remove_node(small, allow_graceful=False)
        cluster.remove_node(big, allow_graceful=False)
        search.until(lambda: search.lost("node lost") > 0)
        search.until(lambda: any("waiting for a node" in words for words in search.said))
        (tmp_path / "slow").unlink()
        rungs = search.rungs
        add_node(cluster, 1)
        search.until(lambda: search.rungs > rungs)
    table = require_whole(search.folder)
    assert {trial.status for trial in table.trials} <= {"done", "stopped"}
    assert any("there is room again" in words for words in search.said)


def test_a_trial_that_hangs_is_tried_once_more_and_then_given_up(
    cluster: Any, model: str, tmp_path: Path
) -> None:
    if not ray.cluster_resources().get("CPU"):
        add_node(cluster, 1)
    for name in ("hang-1", "hang-2"):
        (tmp_path / name).touch()
    spec = SearchSpec("curriculum", "digits", model=model, space=SMALL, trials=6,
                      max_epochs=3.0, seeds=3, hang_seconds=4.0)  # fmt: skip
    search = Search(spec, tmp_path / "run")
    search.run()
    table = require_whole(search.folder)
    hung = [trial for trial in table.trials if trial.losses]
    assert {tuple(trial.losses) for trial in hung} == {("hung",)}
    assert [(t.number, t.status, t.reason) for t in hung if t.status == "failed"] == [
        (0, "failed", "no progress for 4 s")
    ]
    assert sum(trial.status == "failed" for trial in table.trials) == 1

"""Trials a minute against the number of nodes, and what a result costs the driver.

Simulated: the nodes. Each holds one trial at a time, which does no work and takes as long as its
compute says (a full trial 10 minutes, give or take). Real: the driver's side, that is the session
with sampler, scheduler and journal on disk, and our searcher and scheduler for Tune. Simulated
time goes on by what each of their answers really takes, one after the other as in a real driver,
and by what Ray Tune's own loop takes for a result. That is measured first: a real search on a real
cluster of a few nodes on this machine, whose trials do nothing either. What a simulation cannot
show is how Tune's and Ray's own cost grows with hundreds of live actors.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from automl_cl.engine.execution import train
from automl_cl.engine.lost_trials import Losses
from automl_cl.engine.session import Session
from automl_cl.engine.tune_adapters import SessionScheduler, SessionSearcher
from automl_cl.run.events import Ask, Event
from automl_cl.run.trial import SEARCH
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from benchmarks.driver_scale import made_up, session_of
from benchmarks.measure import Measured, run, table
from trainables.foundation.randomness import derive_seed
from trainables.trials.trial_run import TrialRequest

FULL_TRIAL_SECONDS = 600.0
NODES, NODES_QUICK = (1, 10, 100, 1000), (1, 10, 100)
TRIALS_A_NODE = 2
LEAST_TRIALS, LEAST_TRIALS_QUICK = 400, 60
REAL_NODES, REAL_NODES_QUICK = (1, 2, 4), (1, 2)
OBJECT_STORE = 100_000_000


@dataclass(frozen=True)
class Simulated:
    """What came of a simulated search.

    Attributes:
        minutes: simulated.
        trials, results: of the search.
        busy: the share of all nodes' time in which they trained, until the last trial began.
        costs: seconds of the driver's for each result, Tune's own share included.
    """

    minutes: float
    trials: int
    results: int
    busy: float
    costs: list[float]


class SimulatedNodes:
    """Nodes that train nothing, and the driver's clock that goes with them."""

    def __init__(self, session: Session, nodes: int, tune_seconds: float) -> None:
        losses = Losses(session, left=lambda request: None)
        self.session, self.tune_seconds = session, tune_seconds
        self.searcher = SessionSearcher(session, losses, lambda: nodes)
        self.scheduler = SessionScheduler(session, losses)
        self.clock = self.last_begun = 0.0
        self.costs: list[float] = []
        self._trained: list[tuple[float, float]] = []
        self._due: list[tuple[float, int, Any]] = []
        self._begun = 0

    def search(self) -> None:
        """Goes on until nothing of the search is left; later stages are not begun."""
        self._fill()
        while self._due:
            due, _, trial = heapq.heappop(self._due)
            self.clock = max(self.clock, due)
            spent = self._answer(trial)
            self.costs.append(spent + self._fill())

    def trained(self, until: float) -> float:
        """Seconds of training of all nodes up to then."""
        return sum(max(0.0, min(end, until) - begun) for begun, end in self._trained)

    def _answer(self, trial: Any) -> float:
        """Takes a trial's report, and lets it go on if it may."""
        report = made_up(trial.request, trial.rung)
        result = {"report": json.dumps(asdict(report))}
        began = time.perf_counter()
        answer = self.scheduler.on_trial_result(None, trial, result)
        if answer != "CONTINUE":
            self.searcher.on_trial_complete(trial.trial_id)
        spent = time.perf_counter() - began + self.tune_seconds
        self.clock += spent
        if answer == "CONTINUE":
            trial.rung += 1
            self._begin(trial)
        return spent

    def _fill(self) -> float:
        """Asks for trials until there are as many as nodes, or none to be had now."""
        spent = 0.0
        while not self.session.stopping:
            began = time.perf_counter()
            given = self.searcher.suggest(f"{self._begun}")
            spent_now = time.perf_counter() - began
            self.clock, spent = self.clock + spent_now, spent + spent_now
            self._begun += 1
            if not isinstance(given, dict):
                break
            if given["request"] is None:
                # A free node waits; the next report makes it ask again.
                self.searcher.on_trial_complete(f"{self._begun - 1}")
                break
            request = TrialRequest(**json.loads(given["request"]))
            self._begin(
                SimpleNamespace(
                    trial_id=f"{self._begun - 1}",
                    request=request,
                    rung=request.from_rung,
                    config=given,
                )
            )
        return spent

    def _begin(self, trial: Any) -> None:
        levels, rung = trial.request.levels, trial.rung
        share = (levels[rung] - (levels[rung - 1] if rung else 0.0)) / levels[-1]
        luck = derive_seed(trial.request.seed, "time", rung) % 1000 / 1000
        seconds = FULL_TRIAL_SECONDS * share * (0.75 + 0.5 * luck)
        self._trained.append((self.clock, self.clock + seconds))
        heapq.heappush(self._due, (self.clock + seconds, trial.request.number, trial))


def simulated(nodes: int, trials: int, tune_seconds: float) -> Simulated:
    """A search on so many simulated nodes."""
    prepared = prepare(SearchSpec("curriculum", "digits", trials=trials))
    with session_of(prepared, board=False) as session:
        _stop_after_the_search(session)
        world = SimulatedNodes(session, nodes, tune_seconds)
        session.observers.append(partial(_note_last_begun, world))
        world.search()
        searched = len(session.table.of_stage(SEARCH))
    busy = world.trained(world.last_begun) / (nodes * world.last_begun)
    return Simulated(world.clock / 60, searched, len(world.costs), busy, world.costs)


def _note_last_begun(world: SimulatedNodes, event: Event) -> None:
    if isinstance(event, Ask) and event.stage == SEARCH:
        world.last_begun = world.clock


def _stop_after_the_search(session: Session) -> None:
    def watch(event: Event) -> None:
        if isinstance(event, Ask) and event.stage != SEARCH:
            session.stopping = True

    session.observers.append(watch)


# The anchor: a real cluster.


@contextmanager
def real_cluster(nodes: int) -> Iterator[None]:
    """A cluster of so many nodes with room for one trial each, on this machine; connected to."""
    import ray
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": OBJECT_STORE}
    head = {"num_cpus": 0, "include_dashboard": False, **store}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, **store)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


@dataclass(frozen=True)
class Real:
    """What came of a real search whose trials do nothing.

    Attributes:
        rate: trials a minute, from the first report on.
        cpu: the driver process's CPU seconds for a result, all of Ray's threads included.
        own: those of session and adapters alone, as `simulated` counts them.
        results: how many.
    """

    rate: float
    cpu: float
    own: float
    results: int


def real(nodes: int, trials: int) -> Real:
    """A search on Ray Tune, on a real cluster."""
    spec = SearchSpec("curriculum", "digits", trials=trials)
    prepared: Prepared = prepare(spec)
    moments: list[tuple[float, float]] = []
    own = 0.0

    def timed(method: Any) -> Any:
        def call(*args: Any) -> Any:
            nonlocal own
            began = time.process_time()
            try:
                return method(*args)
            finally:
                own += time.process_time() - began

        return call

    with real_cluster(nodes), session_of(prepared, board=False) as session:
        _stop_after_the_search(session)
        session.observers.append(
            lambda event: (
                moments.append((time.monotonic(), time.process_time()))
                if event.kind == "rung"
                else None
            )
        )
        from benchmarks.idle_actor import IdleActor

        with (
            mock.patch("trainables.trials.trial_actor.TrialActor", IdleActor),
            mock.patch.object(SessionSearcher, "suggest", timed_method("suggest", timed)),
            mock.patch.object(
                SessionScheduler, "on_trial_result", timed_method("on_trial_result", timed)
            ),
        ):
            train(session, prepared, nodes)
        searched = len(session.table.of_stage(SEARCH))
    results = len(moments) - 1
    wall, cpu = (moments[-1][i] - moments[0][i] for i in (0, 1))
    return Real(60 * searched / wall, cpu / results, own / (results + 1), results)


def timed_method(name: str, timed: Any) -> Any:
    """A method of ours for Tune, whose CPU time is added up."""
    kind = SessionSearcher if name == "suggest" else SessionScheduler
    original = getattr(kind, name)
    return lambda self, *args: timed(original)(self, *args)


def measure(given: argparse.Namespace) -> list[Measured]:
    """The anchor, then simulated nodes."""
    found: list[Measured] = []
    overheads: list[float] = []
    for nodes in REAL_NODES_QUICK if given.quick else REAL_NODES:
        each = real(nodes, 40 if given.quick else 200)
        overheads.append(max(0.0, each.cpu - each.own))
        words = f"real cluster, {nodes} nodes, trials of no work"
        found += [
            Measured(f"{words}: trials a minute", each.rate, each.results),
            Measured(f"{words}: driver's CPU ms a result", 1e3 * each.cpu, each.results),
            Measured(f"{words}: of these Tune and Ray, ms", 1e3 * overheads[-1], each.results),
        ]
    print(table(found), flush=True)
    tune = float(np.mean(overheads))
    first: float | None = None
    for nodes in NODES_QUICK if given.quick else NODES:
        least = LEAST_TRIALS_QUICK if given.quick else LEAST_TRIALS
        each_run = simulated(nodes, max(least, TRIALS_A_NODE * nodes), tune)
        found += _rows(nodes, each_run, first)
        first = first or each_run.trials / each_run.minutes
        print(table(found[-3:]), flush=True)
    return found


def _rows(nodes: int, each: Simulated, first: float | None) -> list[Measured]:
    rate, n = each.trials / each.minutes, each.results
    cost = 1e3 * np.asarray(each.costs)
    spread = 1.96 * float(cost.std()) / math.sqrt(n)
    mean, words = float(cost.mean()), f"{nodes} simulated nodes"
    return [
        Measured(f"{words}: trials a minute", rate, each.trials),
        Measured(
            f"{words}: driver's ms a result", mean, n, interval=(mean - spread, mean + spread)
        ),
        Measured(
            f"{words}: share of the nodes' time that is training",
            each.busy,
            n,
            "at least 0.9" if first is not None else None,
            each.busy >= 0.9 if first is not None else None,
        ),
    ]


if __name__ == "__main__":
    run(__doc__, measure)

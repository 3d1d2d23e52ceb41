"""What a result costs the driver, from the first trials of a search to the 2,000th.

Trials do no work: they report a value made up from their config. All else is as in a search: the
session with its sampler and scheduler, a journal on disk, the view of the running search, and
TensorBoard logs on or off. CPU seconds are counted, since others may use the machine.

With `--tune` the same trials go through Ray Tune and a warm actor. What is counted then is the CPU
time of the whole driver process, Tune's own loop and Ray's threads included.
"""

from __future__ import annotations

import argparse
import io
import math
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console

from automl_cl.command.progress import Progress
from automl_cl.engine.driver import first_event
from automl_cl.engine.execution import train, trial_resources
from automl_cl.engine.session import Session
from automl_cl.results.tensorboard_log import Board
from automl_cl.run.events import Ask, Event, Rung
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal
from automl_cl.run.trial import SEARCH
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.terminal import Screen
from benchmarks.measure import Measured, run
from cluster import concurrency, connect
from trainables.foundation.randomness import derive_seed
from trainables.trials.trial_run import RungReport, TrialRequest

WINDOW = 100
WARM_UP = 20
"""Trials: imports and first uses are not what a result costs."""


@dataclass(frozen=True)
class Clock:
    """One moment of a search.

    Attributes:
        trials: begun so far.
        cpu, wall: seconds that the driver has taken so far.
        results: reports so far.
        megabytes: the driver's memory.
    """

    trials: int
    cpu: float
    wall: float
    results: int
    megabytes: float


def worth(request: TrialRequest, level: float) -> float:
    """A value made up from config, level and seed."""
    off = math.log10(request.config["optimizer"]["lr"] / 3e-3) ** 2
    luck = derive_seed(request.seed, "luck") % 1000 / 1e4
    return max(0.0, 0.8 - 0.05 * off - 0.3 / (1 + level) + luck)


def made_up(request: TrialRequest, rung: int) -> RungReport:
    """What a trial reports that has done nothing."""
    level = request.levels[rung]
    status = "done" if rung == len(request.levels) - 1 else "running"
    metrics = {"accuracy": worth(request, level), "loss": 1.0 / level}
    return RungReport(request.number, request.attempt, rung, status, level, 0.1, metrics)


def megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@contextmanager
def session_of(prepared: Prepared, board: bool) -> Any:
    """A session on a new run folder, watched as a real one is."""
    with tempfile.TemporaryDirectory(prefix="driver-scale-") as name, ExitStack() as stack:
        folder = RunFolder.create(Path(name) / "run", "run")
        journal = stack.enter_context(Journal.create(folder.journal))
        journal.append(first_event(prepared))
        session = Session(prepared.spec, folder, journal, prepared.scenario, prepared.space)
        view = Progress(Screen(Console(file=io.StringIO())), prepared.scenario)
        session.observers.append(view.watch(session.table, prepared.scenario))
        if board:
            session.observers.append(Board(folder.tensorboard, session.table).observe)
        yield session


def in_process(prepared: Prepared, board: bool) -> list[Clock]:
    """A search without Ray: all that is counted is the session and what it calls."""
    clocks, cpu, wall, results = [], 0.0, 0.0, 0

    def counted(call: Callable[[], Any]) -> Any:
        nonlocal cpu, wall
        before = time.process_time(), time.perf_counter()
        found = call()
        cpu += time.process_time() - before[0]
        wall += time.perf_counter() - before[1]
        return found

    with session_of(prepared, board) as session:
        while (request := counted(session.ask)) is not None:
            if session.table.trials[request.number].stage != SEARCH:
                break
            rung, goes_on = request.from_rung, True
            while goes_on:
                report, rung, results = made_up(request, rung), rung + 1, results + 1
                goes_on = counted(lambda report=report: session.report(report))
            clocks.append(Clock(len(session.table.trials), cpu, wall, results, megabytes()))
    return clocks


def through_tune(prepared: Prepared, board: bool) -> list[Clock]:
    """A search on Ray Tune with one slot, its actor doing nothing."""
    clocks: list[Clock] = []
    results = 0

    def watch(event: Event) -> None:
        nonlocal results
        if isinstance(event, Rung):
            results += 1
        if isinstance(event, Ask):
            if event.stage != SEARCH:
                session.stopping = True
                return
            clocks.append(
                Clock(event.number + 1, time.process_time(), time.perf_counter(), results,
                      megabytes())
            )  # fmt: skip

    with connect(None), session_of(prepared, board) as session:
        session.observers.append(watch)
        from benchmarks.idle_actor import IdleActor

        with mock.patch("trainables.trials.trial_actor.TrialActor", IdleActor):
            train(session, prepared, concurrency(trial_resources(prepared.spec)))
    return clocks


def per_result(clocks: Sequence[Clock], first: int, last: int) -> tuple[float, float, int]:
    """CPU and wall milliseconds a result among the trials from `first` to `last`, and results."""
    inside = [each for each in clocks if first <= each.trials <= last]
    start, end = inside[0], inside[-1]
    results = end.results - start.results
    return (
        1e3 * (end.cpu - start.cpu) / results,
        1e3 * (end.wall - start.wall) / results,
        results,
    )


def measure(given: argparse.Namespace) -> list[Measured]:
    """Searches with one arm and with all."""
    count = given.trials or (400 if given.quick else 2000)
    searches = [("one arm", True, False), ("all arms", False, False), ("all arms", False, True)]
    if given.tune or given.quick:
        searches = searches[:2] if given.tune else [searches[0], searches[2]]
    found = []
    for name, single, board in searches:
        space = {"algorithm": ["plain"]} if single else {}
        spec = SearchSpec("curriculum", "digits", space=space, trials=count)
        clocks = (through_tune if given.tune else in_process)(prepare(spec), board)
        label = name + (" through Tune" if given.tune else "") + (", TensorBoard" if board else "")
        for place in np.linspace(WARM_UP, count - WINDOW, 5).astype(int):
            cpu, wall, results = per_result(clocks, place, place + WINDOW)
            print(
                f"{label}, trials {place} to {place + WINDOW}: {cpu:.1f} ms CPU, "
                f"{wall:.1f} ms wall a result, {results} results",
                flush=True,
            )
        found += _figures(label, clocks, count)
    return found


def _figures(label: str, clocks: Sequence[Clock], count: int) -> list[Measured]:
    early, early_wall, results = per_result(clocks, WARM_UP, WARM_UP + WINDOW)
    late, late_wall, more = per_result(clocks, count - WINDOW, count)
    memory = max(each.megabytes for each in clocks)
    return [
        Measured(f"{label}: CPU ms a result, first {WINDOW} trials", early, results),
        Measured(f"{label}: CPU ms a result, last {WINDOW} of {count}", late, more),
        Measured(
            f"{label}: last / first, CPU", late / early, more, "at most 1.5", late <= 1.5 * early
        ),
        Measured(f"{label}: last / first, wall", late_wall / early_wall, more),
        Measured(f"{label}: driver MiB", memory, 1, "below 1024", memory < 1024),
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tune", action="store_true", help="through Ray Tune's own loop")
    parser.add_argument("--trials", type=int, help="search trials; 2,000 if not given")


if __name__ == "__main__":
    run(__doc__, measure, _options)

"""A search on Ray, timed from the outside by what its journal is told."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from automl_cl.engine.driver import first_event
from automl_cl.engine.execution import train, trial_resources
from automl_cl.engine.session import Session
from automl_cl.run.events import Ask, End, Event, Rung
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal
from automl_cl.run.trial import SEARCH
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.scheduler import Scheduler
from cluster import concurrency, connect
from trainables.trials.trial_actor import TrialActor
from trainables.trials.trial_run import RungReport


class TimedActor(TrialActor):
    """Reports CPU seconds where the real one reports wall seconds."""

    def _alone(self) -> RungReport:
        before = time.process_time()
        report = super()._alone()
        report.seconds = time.process_time() - before
        return report


@dataclass(frozen=True)
class Moment:
    """A report of a search trial.

    Attributes:
        at: when it came, in seconds since the command began.
        trial: its number.
        seconds: what the rung took; CPU seconds where that was asked for.
        ended: whether the trial ended with it.
        cpu: CPU seconds of the driver and everything that it has started, so far.
    """

    at: float
    trial: int
    seconds: float
    ended: bool
    cpu: float


@contextmanager
def session_on(prepared: Prepared) -> Iterator[Session]:
    """A session on a new run folder, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ray-search-") as name:
        folder = RunFolder.create(Path(name) / "run", "run")
        with Journal.create(folder.journal) as journal:
            journal.append(first_event(prepared))
            yield Session(prepared.spec, folder, journal, prepared.scenario, prepared.space)


def timed_search(
    spec: SearchSpec,
    slots: int | None = None,
    cpu_seconds: bool = False,
    scheduler: Scheduler | None = None,
) -> list[Moment]:
    """Carries out a search without its later stages.

    Args:
        spec: the search.
        slots: trials at a time; None for as many as fit.
        cpu_seconds: rungs tell CPU seconds, and the CPU time of all processes is taken.
        scheduler: in place of the one that the spec names.
    """
    began, moments = time.monotonic(), []
    actor = TimedActor if cpu_seconds else TrialActor
    prepared = prepare(spec)
    with connect(None), session_on(prepared) as session:
        if scheduler is not None:
            session.strategy = replace(session.strategy, scheduler=scheduler)

        def watch(event: Event) -> None:
            if isinstance(event, Ask) and event.stage != SEARCH:
                session.stopping = True
            if isinstance(event, Rung | End):
                if session.table.trials[event.number].stage == SEARCH:
                    moments.append(
                        Moment(
                            time.monotonic() - began,
                            event.number,
                            event.seconds if isinstance(event, Rung) else 0.0,
                            not (isinstance(event, Rung) and event.decision == "continue"),
                            cpu_of_all() if cpu_seconds else 0.0,
                        )
                    )

        session.observers.append(watch)
        with mock.patch("trainables.trials.trial_actor.TrialActor", actor):
            train(session, prepared, slots or concurrency(trial_resources(spec)))
        if session.error is not None:
            raise session.error
    return moments


def cpu_of_all() -> float:
    """CPU seconds of this process and all that it has started, directly or not."""
    parents, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        number = int(path.parent.name)
        parents[number], ticks[number] = int(fields[1]), int(fields[11]) + int(fields[12])
    mine, found = {os.getpid()}, 0
    while len(mine) > found:
        found = len(mine)
        mine |= {number for number, parent in parents.items() if parent in mine}
    return sum(ticks.get(number, 0) for number in mine) / os.sysconf("SC_CLK_TCK")


def digits(trials: int, epochs: float, batch_size: int, **settings: Any) -> SearchSpec:
    """A search of the baseline alone, all of whose trials cost about the same."""
    space = {
        "algorithm": ["plain"],
        "training.batch_size": batch_size,
        "training.epochs": epochs,
        "optimizer": "adamw",
        "schedule": "constant",
        "augmentation": "none",
        "training.selection": "last",
    }
    return SearchSpec(
        "curriculum", "digits", space=space, trials=trials, max_epochs=epochs, **settings
    )

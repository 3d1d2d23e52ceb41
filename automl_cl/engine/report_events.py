"""The one conversion of a trial's report into events of the journal."""

from __future__ import annotations

from automl_cl.run import events
from automl_cl.run.events import Decision
from automl_cl.run.folder import name_of
from search_spaces import Config
from trainables.trials.trial_run import RungReport


def rung_event(report: RungReport, level: float, value: float, decision: Decision) -> events.Rung:
    """What a trial reports at a rung, and what becomes of it.

    Args:
        report: the trial's.
        level: the compute at which it was to report.
        value: of the metric that is searched for.
        decision: what becomes of the trial.
    """
    return events.Rung(
        number=report.number,
        rung=report.rung,
        level=level,
        value=value,
        metrics=report.metrics,
        compute=report.compute,
        seconds=round(report.seconds, 3),
        checkpoint=None if report.checkpoint is None else name_of(report.checkpoint),
        weights=None if report.weights is None else name_of(report.weights),
        decision=decision,
        digest=report.digest,
        memory=report.memory,
        model_size=report.model_size,
    )


def out_of_memory_event(report: RungReport, config: Config) -> events.OutOfMemory:
    """A trial was refused memory; `config` is the one with which it goes on."""
    return events.OutOfMemory(
        number=report.number,
        rung=report.rung,
        reason=report.reason,
        memory=report.memory,
        asked=report.asked,
        batch_size=report.batch_size,
        config=config,
    )

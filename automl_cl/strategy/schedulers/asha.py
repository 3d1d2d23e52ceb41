"""Asynchronous successive halving, as Ray Tune has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.strategy.scheduler import Arm, Scheduler, geometric


@final
@dataclass(frozen=True)
class Asha(Scheduler):
    """ASHA in the stopping form: at a rung the best 1/eta so far go on, all others end.

    Source: Li et al. 2020, with the stopping variant of Ray Tune, which never takes up again what
    it has stopped.

    Attributes:
        eta: the reduction factor.
        rungs: levels a full trial has, its end included.
    """

    eta: float = 3.0
    rungs: int = 4

    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        return geometric(horizon, cap, self.eta, self.rungs)

    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        others, better = arm.others_at(trial, value, level)
        return among_best(better, others, 1.0 / self.eta)


def among_best(better: int, others: int, share: float) -> Decision:
    """Stopped, unless a trial is among the best `share` of all at its rung; the first goes on."""
    kept = max(1.0, share * (others + 1))
    return Decision.CONTINUE if better < kept else Decision.STOPPED

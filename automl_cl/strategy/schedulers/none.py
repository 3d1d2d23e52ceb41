"""No early stopping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.strategy.scheduler import Arm, Scheduler


@final
@dataclass(frozen=True)
class NoStopping(Scheduler):
    """Every trial runs to its end."""

    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        return [horizon]

    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        return Decision.CONTINUE

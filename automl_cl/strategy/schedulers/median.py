"""The median stopping rule."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import final

from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.strategy.scheduler import Arm, Scheduler, geometric


@final
@dataclass(frozen=True)
class MedianStopping(Scheduler):
    """Stops a trial whose best value so far is worse than the median of the others' averages.

    The average of another trial is taken over its reports up to the same compute.

    Source: Golovin et al. 2017 (Vizier), section 3.2.2.

    Attributes:
        eta: how far apart the reports are.
        rungs: levels a full trial has, its end included.
        fewest: trials that must have got to a level before any is stopped there.
    """

    eta: float = 3.0
    rungs: int = 4
    fewest: int = 5

    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        return geometric(horizon, cap, self.eta, self.rungs)

    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        averages = [
            fmean(arm.loss(rung.value) for rung in peer.rungs if rung.level <= level * (1 + 1e-9))
            for _, peer in arm.losses_at(level)
            if peer.number != trial.number
        ]
        if len(averages) < self.fewest:
            return Decision.CONTINUE
        best = min(arm.loss(each) for each in [*(rung.value for rung in trial.rungs), value])
        return Decision.CONTINUE if best <= median(averages) else Decision.STOPPED

"""Hyperband without waiting: several brackets of asynchronous halving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.strategy.scheduler import Arm, Scheduler, geometric
from automl_cl.strategy.schedulers.asha import among_best


@final
@dataclass(frozen=True)
class Hyperband(Scheduler):
    """Asynchronous Hyperband: brackets that begin to compare at different rungs.

    Bracket s, counted from 0, begins to compare at the s-th rung, so its trials cost about eta
    times as much as those of the one before: it gets 1/eta as many. Compared are the trials of
    one bracket.

    Source: Li et al. 2018; Li et al. 2020, section 3, for the asynchronous form.

    Attributes:
        eta: the reduction factor.
        rungs: levels of a full trial in the first bracket, and the number of brackets.
    """

    eta: float = 3.0
    rungs: int = 4

    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        return geometric(horizon, cap, self.eta, self.rungs - self._bracket(number))

    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        mine = self._bracket(trial.number)
        losses = [
            loss
            for loss, peer in arm.losses_at(level)
            if peer.number != trial.number and self._bracket(peer.number) == mine
        ]
        better = sum(loss < arm.loss(value) for loss in losses)
        return among_best(better, len(losses), 1.0 / self.eta)

    def _bracket(self, number: int) -> int:
        sizes = [round(self.eta ** (self.rungs - 1 - s)) for s in range(self.rungs)]
        place = number * 7919 % sum(sizes)  # a fixed shuffle, so that brackets fill up together
        for bracket, size in enumerate(sizes):
            if place < size:
                return bracket
            place -= size
        raise AssertionError

"""Rungs that earn their trust."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.strategy.scheduler import Arm, Scheduler, geometric
from trainables.foundation.seeds import derive_seed


@final
@dataclass(frozen=True)
class TrustedRungs(Scheduler):
    """Successive halving that halves only as hard as a rung has been seen to rank.

    An early rank can be worthless: under label noise, or where a curriculum has not shown its
    hard examples yet. So each rung's rank correlation with the end is measured, in this search,
    and the share of trials that pass the rung is the one that promises the best final result at
    that correlation and at what the rung costs: all of them where ranks mean nothing, 1/4 where
    they mean much and are cheap. A trial that does not pass is paused, not stopped: when the
    ranks turn out to mean less than was thought, it goes on.

    Not all trials are compared everywhere. A share of the compute goes to trials that run to
    their end whatever their rungs say, else only the chosen would ever be seen there; and a third
    of the trials pass the first rung, since what is best of all can look middling there.

    Attributes:
        eta: how far apart rungs are.
        rungs: levels a full trial has, its end included.
        fewest_kept: the least share of trials that pass a rung.
        uncompared_share: compute of trials that are not compared, as a share of the arm's.
        first_rung_passed: the share of trials that pass the first rung whatever it says.
        prior_correlation: Kendall's tau that a rung is believed to have before any is seen, ...
        prior_pairs: ... and of how many pairs of trials that belief is worth.
    """

    eta: float = 3.0
    rungs: int = 4
    fewest_kept: float = 0.25
    uncompared_share: float = 0.1
    first_rung_passed: float = 1 / 3
    prior_correlation: float = 0.3
    prior_pairs: int = 10

    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        return geometric(horizon, cap, self.eta, self.rungs)

    def uncompared(self, arm: Arm) -> bool:
        return arm.trials.uncompared <= self.uncompared_share * arm.trials.spent

    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        if trial.uncompared:
            return Decision.CONTINUE
        if not trial.rungs and self._passes_the_first(trial, arm):
            return Decision.CONTINUE
        others, better = arm.others_at(trial, value, level)
        passing = math.floor((others + 1) * self.kept(level, arm) + 1e-9)
        return Decision.CONTINUE if better < passing else Decision.PAUSED

    def _passes_the_first(self, trial: Trial, arm: Arm) -> bool:
        drawn = derive_seed(arm.seed, "first rung", trial.number) % 1000
        return drawn < 1000 * self.first_rung_passed

    def promoted(self, arm: Arm) -> Trial | None:
        best: dict[float, tuple[float, int]] = {}
        for trial in arm.trials.paused.values():
            level, mine = trial.rungs[-1].level, (arm.loss(trial.rungs[-1].value), trial.number)
            best[level] = min(mine, best.get(level, mine))
        for level in sorted(best, reverse=True):
            trial, there = arm.trials.paused[best[level][1]], arm.trials.at(level)
            passing = math.floor(len(there.numbers) * self.kept(level, arm) + 1e-9)
            if there.better(trial.rungs[-1].value, arm.mode, trial.number) < passing:
                return trial
        return None

    def kept(self, level: float, arm: Arm) -> float:
        """The share of trials that pass a rung."""
        ranking = arm.ranking(level)
        told = ranking.tau * ranking.pairs + self.prior_correlation * self.prior_pairs
        tau = max(0.0, told / (ranking.pairs + self.prior_pairs))
        runs = max(4.0, arm.trials.spent / arm.cap)
        best = best_share(round(math.sin(math.pi / 2 * tau), 3), level / arm.cap, round(runs))
        return max(self.fewest_kept, best)


@lru_cache(maxsize=4096)
def best_share(correlation: float, cost: float, runs: int) -> float:
    """The share of trials to let past a rung so that the best final value is the highest.

    With compute for `runs` full trials, N = runs / (cost + (1 - cost) share) trials can be begun
    and n = N share of them finished. Early and final value being normal with this correlation,
    those that pass have a known mean and variance, and the best of n of them is expected at its
    mean plus the expected maximum of n normal numbers (Blom's approximation) times its standard
    deviation.

    Args:
        correlation: of the value at the rung with the final value.
        cost: compute up to the rung, as a share of a full trial.
        runs: full trials that the compute would be enough for.
    """
    import numpy as np
    from scipy.stats import norm

    share = np.geomspace(0.02, 1.0, 60)
    begun = runs / (cost + (1.0 - cost) * share)
    finished = np.maximum(begun * share, 1.0)
    threshold = norm.isf(np.minimum(share, 1.0 - 1e-12))
    mean = np.where(share < 1.0, norm.pdf(threshold) / share, 0.0)
    variance = np.where(share < 1.0, 1.0 + threshold * mean - mean**2, 1.0)
    highest = norm.ppf((finished - 0.375) / (finished + 0.25)).clip(0.0)
    spread = np.sqrt(1.0 - correlation**2 * (1.0 - variance))
    promise = np.where(begun * share >= 1.0, correlation * mean + spread * highest, -np.inf)
    return float(share[int(promise.argmax())])

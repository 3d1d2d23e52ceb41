"""Strategies of search on recorded learning curves: ours, and what it is measured against."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.trial import TrialState

from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.events import Decision
from automl_cl.run.trial import SEARCH, Rung, Trial
from automl_cl.strategy.proposals import Proposals
from automl_cl.strategy.sampler import Sampler
from automl_cl.strategy.scheduler import Arm, Scheduler
from benchmarks.recorded_curves import Budget, Pool
from search_spaces import Point


@dataclass
class Ours:
    """The product's own search of one arm, on a table of simulated trials.

    Attributes:
        budget, pool: what is searched.
        scheduler, sampler: the product's.
        seed: of the search.
        portfolio: points that are proposed after the first.
    """

    budget: Budget
    pool: Pool
    scheduler: Scheduler
    sampler: Sampler
    seed: int
    portfolio: tuple[Point, ...] = ()
    trials: list[Trial] = field(default_factory=list)

    def run(self) -> None:
        """Searches until the budget is gone."""
        steps = float(self.budget.recording.steps)
        self.told = ArmTrials()
        self.arm = Arm(self.told, {"adam": self.told}, "min", steps, self.seed)
        first = self.pool.draw(random.Random(self.seed))
        self.proposals = Proposals(self.pool, first, self.sampler, portfolio=self.portfolio)
        self.index_of: dict[int, int] = {}
        while self.budget.left and self.pool.free.any():
            self._advance(self.scheduler.promoted(self.arm) or self._begin())

    def _begin(self) -> Trial:
        number = len(self.trials)
        point, origin = self.proposals.next(self.trials, number, self.seed, "min")
        uncompared = self.scheduler.uncompared(self.arm)
        levels = self.scheduler.levels(self.arm.cap, self.arm.cap, number)
        trial = Trial(
            number, SEARCH, "adam", {}, point, origin, None, 0, levels, uncompared=uncompared
        )
        self.index_of[number] = self.pool.take(point)
        self.trials.append(trial)
        self.told.take(trial)
        return trial

    def _advance(self, trial: Trial) -> None:
        trial.status = "running"
        while trial.status == "running":
            self._train_to_next_rung(trial)
            self.told.take(trial)
            if not self.budget.left:
                return

    def _train_to_next_rung(self, trial: Trial) -> None:
        level = trial.levels[len(trial.rungs)]
        end = math.ceil(level)
        loss = self.budget.train(self.index_of[trial.number], round(trial.compute), end)
        if loss is None:
            return
        trial.compute = float(end)
        if not math.isfinite(loss):
            trial.status = "diverged"
            return
        done = len(trial.rungs) == len(trial.levels) - 1
        decision = "done" if done else str(self.scheduler.decide(trial, loss, level, self.arm))
        trial.rungs.append(Rung(level, loss, trial.compute, {}, None, decision))
        if decision != Decision.CONTINUE:
            trial.status = decision


def random_full(budget: Budget, pool: Pool, seed: int) -> None:
    """Random search, every config trained to its end."""
    rng = random.Random(seed)
    while budget.left and pool.free.any():
        budget.train(pool.take(pool.draw(rng)), 0, budget.recording.steps)


def tpe_full(budget: Budget, pool: Pool, seed: int) -> None:
    """Optuna's default TPE, every config trained to its end."""
    with_asha(budget, pool, seed, _study(seed), grace=budget.recording.steps, eta=2.0)


def random_asha(budget: Budget, pool: Pool, seed: int, grace: int = 1, eta: float = 4.0) -> None:
    """Random search under ASHA as Ray Tune has it."""
    with_asha(budget, pool, seed, None, grace, eta)


def shipped(budget: Budget, pool: Pool, seed: int, grace: int = 1, eta: float = 4.0) -> None:
    """OptunaSearch + ASHA as shipped: what was stopped is told COMPLETE with its last value."""
    with_asha(budget, pool, seed, _study(seed), grace, eta)


def with_asha(
    budget: Budget,
    pool: Pool,
    seed: int,
    study: optuna.Study | None,
    grace: int,
    eta: float,
) -> None:
    """Proposals of Optuna or at random under Tune's ASHA, one trial after another.

    Tune stops a trial at a rung if its value is beyond the best 1/eta quantile of those recorded
    there before it, and lets the first one pass.
    """
    rng, steps = random.Random(seed), budget.recording.steps
    rungs = []
    while grace * eta ** len(rungs) < steps:
        rungs.append(round(grace * eta ** len(rungs)))
    seen: dict[int, list[float]] = {rung: [] for rung in rungs}
    while budget.left and pool.free.any():
        asked = None if study is None else study.ask(pool.ranges)
        point = pool.draw(rng) if asked is None else pool.nearest(asked.params)
        index, at, loss = pool.take(point), 0, math.nan
        for rung in [*rungs, steps]:
            told = budget.train(index, at, rung)
            if told is None:
                return
            at, loss = rung, told
            if not math.isfinite(loss):
                break
            if rung < steps:
                cutoff = np.quantile(seen[rung], 1 / eta) if seen[rung] else math.inf
                seen[rung].append(loss)
                if loss > cutoff:
                    break
        if study is not None and asked is not None:
            _tell(study, asked, pool, point, loss)


def _tell(
    study: optuna.Study, asked: optuna.trial.Trial, pool: Pool, point: Point, loss: float
) -> None:
    """Tells what the config that was really trained came to; a NaN is left running, as shipped."""
    if not math.isfinite(loss):
        return
    study.tell(asked, state=TrialState.FAIL)
    study.add_trial(optuna.trial.create_trial(params=point, distributions=pool.ranges, value=loss))


def halving(budget: Budget, pool: Pool, seed: int, rungs: Sequence[int], eta: float) -> None:
    """Synchronous successive halving, with as many configs as the budget lets through."""
    rng, steps = random.Random(seed), budget.recording.steps
    levels = [*rungs, steps]
    lengths = np.diff([0, *levels])
    cost_of_one = sum(length / eta**k for k, length in enumerate(lengths))
    count = min(int(budget.left / cost_of_one), int(pool.free.sum()))
    alive = [pool.take(pool.draw(rng)) for _ in range(count)]
    at = 0
    for level in levels:
        losses = [budget.train(index, at, level) for index in alive]
        known = [np.inf if x is None or not math.isfinite(x) else x for x in losses]
        kept = max(1, int(len(alive) / eta))
        alive = [alive[i] for i in np.argsort(known, kind="stable")[:kept]]
        at = level


def _study(seed: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))

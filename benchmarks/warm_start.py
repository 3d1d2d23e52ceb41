"""Warm start on recorded learning curves, by leaving one task out.

The 1,000 configs are dealt into two halves, ever anew. Our own cold search of one half of eleven
tasks is the history; the twelfth task is searched in the other half, cold and warm, with the same
seed and budget. So no config that a warm search can train was ever in its history. Every cold
search serves twice: as a reference in its own half, and as a history for the other half.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from automl_cl.history.portfolio import SIZE, PastTask, portfolio, ranks
from automl_cl.run.trial import Trial
from automl_cl.strategy.samplers.forest import Forest
from automl_cl.strategy.schedulers.trusted_rungs import TrustedRungs
from benchmarks.measure import Measured, bootstrap, run
from benchmarks.recorded_curves import Budget, Pool, recording_of
from benchmarks.simulated_search import Ours
from search_spaces import Point

TASKS = range(12)
FULL_RUNS = 25
SHOWN = (5, 10, 25)


class Setting(NamedTuple):
    """A task to be searched in one half of the configs."""

    deal: int
    half: int
    task: int

    def pool(self) -> Pool:
        """Its configs, none of them tried."""
        dealt = np.random.default_rng(self.deal).permutation(1000)
        return Pool(recording_of(self.task), np.split(dealt, 2)[self.half])

    @property
    def seed(self) -> int:
        """Of the search."""
        return 2 * self.deal + self.half


class Searched(NamedTuple):
    """What a search came to: its trials, and its regret at each of the budgets shown."""

    trials: list[Trial]
    regrets: list[float]


def searched(setting: Setting, past: Sequence[PastTask] = ()) -> Searched:
    """A search with the product's defaults; warm if there are past tasks."""
    pool = setting.pool()
    budget = Budget(pool.recording, FULL_RUNS * pool.recording.steps)
    chosen: list[Point] = []
    if past:
        first = pool.draw(random.Random(setting.seed))
        chosen = portfolio(pool, first, past, SIZE, setting.seed)
    search = Ours(budget, pool, TrustedRungs(), Forest(), setting.seed, tuple(chosen))
    search.run()
    return Searched(
        search.trials, [budget.regret_at(count * pool.recording.steps) for count in SHOWN]
    )


def past_task(trials: Sequence[Trial]) -> PastTask:
    """A finished search as the history tells it."""
    ranked = sorted(ranks(trials, "min").items())
    done = [place for place, (number, _) in enumerate(ranked) if trials[number].status == "done"]
    points = [trials[number].point for number, _ in ranked]
    return PastTask(points, [loss for _, loss in ranked], done)


def measured(quick: bool, workers: ProcessPoolExecutor) -> list[Measured]:
    """Cold and warm regret, and their ratio at n = 5; two seeds to a deal."""
    deals, tasks, targets = (1, TASKS[3:7], TASKS[6:7]) if quick else (10, TASKS, TASKS)
    every = [
        Setting(deal, half, task) for deal in range(deals) for half in (0, 1) for task in tasks
    ]
    cold = dict(zip(every, workers.map(searched, every), strict=True))
    wanted = [setting for setting in every if setting.task in targets]
    pasts = [
        [
            past_task(cold[Setting(each.deal, 1 - each.half, other)].trials)
            for other in tasks
            if other != each.task
        ]
        for each in wanted
    ]
    warm = dict(zip(wanted, workers.map(searched, wanted, pasts), strict=True))
    regrets = {"cold": _by_seed(cold, wanted), "warm": _by_seed(warm, wanted)}
    figures = [
        Measured(
            f"{name}, other half's history, n = {count}",
            float(found[:, place].mean()),
            len(found),
            interval=bootstrap(found[:, place]),
        )
        for name, found in regrets.items()
        for place, count in enumerate(SHOWN)
    ]
    return [*figures, *_contests(regrets["cold"], regrets["warm"])]


def _by_seed(found: Mapping[Setting, Searched], wanted: Sequence[Setting]) -> np.ndarray[Any, Any]:
    """Mean regret over tasks for each seed, [seeds, 3]."""
    seeds = sorted({setting.seed for setting in wanted})
    return np.array(
        [
            np.mean([found[each].regrets for each in wanted if each.seed == seed], axis=0)
            for seed in seeds
        ]
    )


def _contests(cold: np.ndarray[Any, Any], warm: np.ndarray[Any, Any]) -> list[Measured]:
    draws = np.random.default_rng(0).integers(len(cold), size=(2000, len(cold)))
    ratios = warm[draws, 0].mean(axis=1) / cold[draws, 0].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    ratio = float(warm[:, 0].mean() / cold[:, 0].mean())
    name = f"regret warm / cold, n = {SHOWN[0]}"
    found = [
        Measured(name, ratio, len(cold), "at most 1/3", ratio <= 1 / 3, (float(low), float(high)))
    ]
    for place, count in enumerate(SHOWN[1:], 1):
        gain = cold[:, place] - warm[:, place]
        name, interval = f"regret cold - warm, n = {count}", bootstrap(gain)
        value = float(gain.mean())
        found.append(Measured(name, value, len(gain), "not below 0", value >= 0, interval))
    return found


def measure(given: argparse.Namespace) -> list[Measured]:
    """All figures: 20 seeds on each of 12 tasks."""
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        return measured(given.quick, workers)


if __name__ == "__main__":
    run(__doc__, measure)

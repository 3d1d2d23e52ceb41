"""Search on recorded learning curves, in simulated time, at equal compute.

One worker; a budget of 25 full trainings; the score is the normalised regret of the best config
trained to its end (0 for the best there is, 1 for the median). Whatever has settings, ours or
not, is tuned on six tasks and scored on the other six. All search the same pool of configs; what
a sampler proposes beside it is carried out as the nearest config that has not been tried. Warm
starts, see `warm_start.py`, are scored on each task with the other eleven as history.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from automl_cl.strategy.samplers.forest import Forest
from automl_cl.strategy.samplers.random import Random
from automl_cl.strategy.schedulers.trusted_rungs import TrustedRungs
from benchmarks import warm_start
from benchmarks.measure import Measured, bootstrap, run
from benchmarks.recorded_curves import Budget, Pool, recording_of
from benchmarks.simulated_search import (
    Ours,
    halving,
    random_asha,
    random_full,
    shipped,
    tpe_full,
)

TUNED_ON, SCORED_ON = range(6), range(6, 12)
FULL_RUNS = 25
SHOWN = (5, 10, 25)

Strategy = Callable[[Budget, Pool, int], None]


def ours(budget: Budget, pool: Pool, seed: int, random_only: bool = False, **rungs: Any) -> None:
    """The product's default searcher and scheduler, or its scheduler with random proposals."""
    sampler = Random() if random_only else Forest()
    Ours(budget, pool, TrustedRungs(**rungs), sampler, seed).run()


@dataclass(frozen=True)
class Contestant:
    """A strategy with the settings that it may be tuned to, the first being its defaults."""

    name: str
    settings: Sequence[Strategy]


_ASHA = [{"grace": grace, "eta": eta} for grace, eta in ((1, 4), (1, 3), (2, 3), (2, 4), (3, 4))]
_HALVING = [
    {"rungs": rungs, "eta": eta}
    for rungs in ((2, 6, 17), (1, 3, 9), (2, 10), (3, 12), (4, 16))
    for eta in (3.0, 4.0, 5.0)
]
OURS = "ours"
CONTESTANTS = [
    Contestant("random, full runs", [random_full]),
    Contestant("TPE, full runs", [tpe_full]),
    Contestant("random + ASHA, as shipped", [random_asha]),
    Contestant("random + ASHA, tuned", [partial(random_asha, **each) for each in _ASHA]),
    Contestant("OptunaSearch + ASHA, as shipped", [shipped]),
    Contestant("OptunaSearch + ASHA, tuned", [partial(shipped, **each) for each in _ASHA]),
    Contestant("synchronous halving, tuned", [partial(halving, **each) for each in _HALVING]),
    Contestant("ours, random proposals", [partial(ours, random_only=True)]),
    Contestant(OURS, [partial(ours, fewest_kept=kept) for kept in (0.25, 1 / 3)]),
]


def regrets(strategy: Strategy, task: int, seed: int) -> list[float]:
    """One search's regret after 5, 10 and 25 full trainings' compute."""
    recording = recording_of(task)
    budget = Budget(recording, FULL_RUNS * recording.steps)
    strategy(budget, Pool(recording), seed)
    return [budget.regret_at(count * recording.steps) for count in SHOWN]


def scored(
    strategy: Strategy, tasks: Iterable[int], seeds: Iterable[int], workers: ProcessPoolExecutor
) -> np.ndarray[Any, Any]:
    """Mean regret over tasks for each seed, [seeds, 3]."""
    tasks, seeds = list(tasks), list(seeds)
    jobs = [workers.submit(regrets, strategy, task, seed) for seed in seeds for task in tasks]
    found = np.array([job.result() for job in jobs])
    return found.reshape(len(seeds), len(tasks), len(SHOWN)).mean(axis=1)


def measure(given: argparse.Namespace) -> list[Measured]:
    """Tunes and scores all contestants."""
    seeds = range(2 if given.quick else given.seeds)
    tuning_seeds = range(1000, 1001 if given.quick else 1004)
    tasks = SCORED_ON[:3] if given.quick else SCORED_ON
    at_end: dict[str, np.ndarray[Any, Any]] = {}
    figures: list[Measured] = []
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        for contestant in CONTESTANTS:
            strategy, chosen = contestant.settings[0], 0
            if len(contestant.settings) > 1:
                ends = [
                    scored(each, TUNED_ON, tuning_seeds, workers)[:, -1].mean()
                    for each in contestant.settings
                ]
                chosen = int(np.argmin(ends))
                strategy = contestant.settings[chosen]
            found = scored(strategy, tasks, seeds, workers)
            at_end[contestant.name] = found[:, -1]
            settings = f" {strategy.keywords}" if isinstance(strategy, partial) else ""
            print(f"{contestant.name}{settings}: {found.mean(axis=0).round(3)}", flush=True)
            for place, count in enumerate(SHOWN):
                column = found[:, place]
                figures.append(
                    Measured(
                        f"{contestant.name}, n = {count}",
                        float(column.mean()),
                        len(column),
                        interval=bootstrap(column),
                    )
                )
        warm = warm_start.measured(given.quick, workers)
    return [*figures, _contest(at_end), *warm]


def _contest(at_end: dict[str, np.ndarray[Any, Any]]) -> Measured:
    others = {name: end for name, end in at_end.items() if not name.startswith(OURS)}
    best = min(others, key=lambda name: float(others[name].mean()))
    mine, theirs = at_end[OURS], others[best]
    draws = np.random.default_rng(0).integers(len(mine), size=(2000, len(mine)))
    ratios = mine[draws].mean(axis=1) / np.maximum(theirs[draws].mean(axis=1), 1e-9)
    low, high = np.quantile(ratios, [0.025, 0.975])
    ratio = float(mine.mean() / max(theirs.mean(), 1e-9))
    return Measured(
        f"regret of ours / of the best other ({best}), n = {FULL_RUNS}",
        ratio,
        len(mine),
        "at most 0.5",
        ratio <= 0.5,
        (float(low), float(high)),
    )


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=20, help="searches of each task; 20")


if __name__ == "__main__":
    run(__doc__, measure, _options)

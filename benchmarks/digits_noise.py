"""A search for real: digits with 40 % label noise, the whole curriculum space, equal compute.

Ours is the product's own session, driven in this process; against it stands OptunaSearch with
ASHA as Ray Tune ships them, on one conditional space with the algorithm as its root. Both train
the same learners on the same split, one trial after the other, and pay for each evaluation. Each
seed is another split, other noise and another search.

A search's value is the best validation accuracy, which is what it can see; under this noise much
of it is luck. So the chosen config is also trained with fresh seeds and scored on the clean test,
which no search sees.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from automl_cl.engine.driver import first_event
from automl_cl.engine.session import Session
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal
from automl_cl.run.trial import SEARCH
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from benchmarks.measure import Measured, bootstrap, run
from benchmarks.tune_as_shipped import AsShipped
from search_spaces import Config
from trainables.trials.item_scores import Trained, score_items
from trainables.trials.trial_run import TrialRequest, TrialRun

CPU = torch.device("cpu")
CAP = 30.0
SHOWN = (10, 20, 40)
"""Budgets in full trainings; the last is what is searched with."""
TEST_SEEDS = 5
MANY = 100_000


@dataclass(frozen=True)
class Found:
    """A trial that its search could choose.

    Attributes:
        at: compute of the whole search when it ended, in epochs.
        value: validation accuracy.
    """

    at: float
    value: float
    config: Config


@dataclass(frozen=True)
class Strategy:
    """A search: the pair as shipped, or the product with a scheduler and a prior share."""

    name: str
    scheduler: str | None
    prior_share: float = 0.0

    def search(self, prepared: Prepared, budget: float, folder: Path) -> Iterator[Found]:
        """Searches until the budget is gone."""
        if self.scheduler is None:
            yield from _shipped(prepared, budget, folder)
        else:
            spec = replace(
                prepared.spec,
                scheduler=self.scheduler,
                prior_share=self.prior_share,
                total_compute=budget,
                trials=MANY,
            )
            yield from _ours(replace(prepared, spec=spec), folder)


OURS, SHIPPED, TO_THE_END = "ours", "OptunaSearch + ASHA as shipped", "ours, no early stopping"
STRATEGIES = [
    Strategy(SHIPPED, None),
    Strategy(OURS, "trusted_rungs"),
    Strategy(TO_THE_END, "none"),
    Strategy("ours, ASHA", "asha"),
    Strategy("ours, prior share 0.2", "trusted_rungs", 0.2),
]


def _ours(prepared: Prepared, folder: Path) -> Iterator[Found]:
    data, spent = prepared.scenario.on_device(prepared.view, CPU), 0.0
    run_folder = RunFolder.create(folder / "run", "run")
    with Journal.create(run_folder.journal) as journal:
        journal.append(first_event(prepared))
        session = Session(prepared.spec, run_folder, journal, prepared.scenario, prepared.space)
        while (request := session.ask()) is not None:
            trial = session.table.trials[request.number]
            if trial.stage != SEARCH:
                return
            training, before = TrialRun(request, data, CPU), trial.compute
            while session.report(training.next_rung()):
                pass
            spent += trial.compute - before
            if trial.value is not None:
                yield Found(spent, trial.value, trial.config)


def _shipped(prepared: Prepared, budget: float, folder: Path) -> Iterator[Found]:
    """Its result is the best last value of any trial, also of one that was stopped."""
    data, spent, number = prepared.scenario.on_device(prepared.view, CPU), 0.0, 0
    pair = AsShipped(prepared.space, prepared.spec.seed, CAP)
    while spent < budget:
        config = pair.suggest()
        levels = pair.levels(config["training"]["epochs"])
        request = TrialRequest(
            number, prepared.spec.scenario, config, number, levels, "prefix", str(folder / "tune"),
            searching=True,
        )  # fmt: skip
        training, value = TrialRun(request, data, CPU), float("nan")
        while True:
            report = training.next_rung()
            if report.status == "diverged":
                value = float("nan")
                break
            value = report.metrics[prepared.scenario.metric]
            if report.status == "done" or not pair.goes_on(levels[report.rung], value):
                break
        pair.complete(value)
        spent, number = spent + report.compute, number + 1
        if np.isfinite(value):
            yield Found(spent, value, config)


def tested(prepared: Prepared, config: Config, folder: Path) -> float:
    """Mean accuracy on the clean test of a config trained with fresh seeds."""
    data = prepared.scenario.on_device(prepared.view, CPU)
    trained = []
    for seed in range(TEST_SEEDS):
        request = TrialRequest(
            seed, prepared.spec.scenario, config, 1_000_000 + seed, [config["training"]["epochs"]],
            "prefix", str(folder / f"test-{seed}"), keep_weights=True,
        )  # fmt: skip
        report = TrialRun(request, data, CPU).next_rung()
        if report.weights is not None:
            trained.append(Trained(config, request.seed, report.weights))
    if not trained:
        return 0.0
    with Journal.create(folder / "test.jsonl") as journal:
        items = prepared.scenario.open_test(
            prepared.data, prepared.settings, journal, prepared.view.fingerprint
        )
    scores = score_items(prepared.spec.scenario, trained, prepared.view, items, "cpu")
    return float(scores.mean(axis=1).sum() / TEST_SEEDS)  # a training that diverged scores 0


@dataclass(frozen=True)
class Curve:
    """One search.

    Attributes:
        steps: (compute, best validation accuracy so far), wherever it rises.
        values: that at the budgets shown.
        tests: the chosen configs' test accuracy, at the same budgets.
        trials: those that could be chosen.
    """

    steps: list[tuple[float, float]]
    values: list[float]
    tests: list[float]
    trials: int


def curve(strategy: Strategy, seed: int, shown: Sequence[int]) -> Curve:
    """Carries out one search and tests what it would have chosen at each budget."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    spec = SearchSpec("curriculum", "digits", noise="0.4", max_epochs=CAP, seed=seed)
    prepared = prepare(spec)
    with tempfile.TemporaryDirectory(prefix="digits-noise-") as name:
        folder = Path(name)
        found = list(strategy.search(prepared, shown[-1] * CAP, folder))
        best: list[Found] = []
        for each in found:
            if not best or each.value > best[-1].value:
                best.append(each)
        chosen = [
            max((b for b in best if b.at <= count * CAP), key=lambda b: b.at, default=None)
            for count in shown
        ]
        known: dict[str, float] = {}
        for each in chosen:
            if each is not None and str(each.config) not in known:
                place = folder / f"chosen-{len(known)}"
                place.mkdir()
                known[str(each.config)] = tested(prepared, each.config, place)
    return Curve(
        steps=[(b.at, b.value) for b in best],
        values=[0.0 if each is None else each.value for each in chosen],
        tests=[0.0 if each is None else known[str(each.config)] for each in chosen],
        trials=len(found),
    )


def needed(steps: Sequence[tuple[float, float]], value: float, total: float) -> float:
    """The share of the budget in which a search gets to a value; 2 if it does not."""
    shares = [at / total for at, reached in steps if reached >= value]
    return min((share for share in shares if share <= 1.0), default=2.0)


def measure(given: argparse.Namespace) -> list[Measured]:
    """Runs all searches."""
    shown = (4, 8) if given.quick else SHOWN
    seeds = range(1 if given.quick else given.seeds)
    jobs = [(strategy, seed) for seed in seeds for strategy in STRATEGIES]
    curves: dict[str, list[Curve]] = {strategy.name: [] for strategy in STRATEGIES}
    with ProcessPoolExecutor(given.workers) as workers:
        done = workers.map(partial(_job, shown), jobs)
        for (strategy, seed), each in zip(jobs, done, strict=True):
            curves[strategy.name].append(each)
            print(
                f"seed {seed}, {strategy.name}: validation {np.round(each.values, 4)}, "
                f"test {np.round(each.tests, 4)}, {each.trials} to choose from",
                flush=True,
            )
            if given.curves is not None:  # at once: what is broken off after an hour is not lost
                told = {"strategy": strategy.name, "seed": seed, **vars(each)}
                with given.curves.open("a") as file:
                    file.write(json.dumps(told) + "\n")
    return [*_levels(curves, shown), *_contest(curves, shown[-1] * CAP)]


def _job(shown: Sequence[int], job: tuple[Strategy, int]) -> Curve:
    return curve(*job, shown)


def _levels(curves: dict[str, list[Curve]], shown: Sequence[int]) -> list[Measured]:
    found = []
    for kind in ("values", "tests"):
        for name, mine in curves.items():
            for place, count in enumerate(shown):
                column = [getattr(each, kind)[place] for each in mine]
                what = "best validation" if kind == "values" else "chosen config, test"
                found.append(
                    Measured(
                        f"{name}: {what}, {count} full trainings",
                        float(np.mean(column)),
                        len(column),
                        interval=bootstrap(column),
                    )
                )
    return found


def _contest(curves: dict[str, list[Curve]], total: float) -> list[Measured]:
    theirs = curves[SHIPPED]
    found = []
    for name, mine in curves.items():
        if name == SHIPPED:
            continue
        shares = [needed(m.steps, t.values[-1], total) for m, t in zip(mine, theirs, strict=True)]
        goal = "at most 0.33" if name == OURS else None
        middle = float(np.median(shares))
        found.append(
            Measured(
                f"{name}: median compute to the pair's final validation, of its budget "
                f"(reached in {sum(share <= 1 for share in shares)} of {len(shares)})",
                middle,
                len(shares),
                goal,
                None if goal is None else middle <= 1 / 3,
                _median_interval(shares),
            )
        )
    for rival, goal in ((SHIPPED, None), (TO_THE_END, "at least 0, within the interval")):
        gains = [
            m.tests[-1] - t.tests[-1] for m, t in zip(curves[OURS], curves[rival], strict=True)
        ]
        low, high = bootstrap(gains)
        found.append(
            Measured(
                f"test accuracy of {OURS} less that of {rival}, at the end",
                float(np.mean(gains)),
                len(gains),
                goal,
                None if goal is None else high >= 0,
                (low, high),
            )
        )
    return found


def _median_interval(values: Sequence[float]) -> tuple[float, float]:
    given: np.ndarray[Any, Any] = np.asarray(values)
    draws = np.random.default_rng(0).integers(len(given), size=(2000, len(given)))
    low, high = np.quantile(np.median(given[draws], axis=1), [0.025, 0.975])
    return float(low), float(high)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=8, help="searches of each kind")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument(
        "--curves", type=Path, metavar="FILE", help="append each search to FILE, as JSON lines"
    )


if __name__ == "__main__":
    run(__doc__, measure, _options)

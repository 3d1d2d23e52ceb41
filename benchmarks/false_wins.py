"""How far a verdict can be trusted: false wins, tuning luck, power. Digits, 40 % noise, an MLP.

`self`: a config against itself on disjoint seeds. `simulated`: the test on simulated differences.
`luck`: the tuned baseline against tuned copies of itself under other names, whole searches.
`power`: searches in which there is something to find, SuperLoss against the tuned baseline.

A win is what the product calls one: the two-sided test is significant at 0.05 and the challenger
is on the better side, so that 2.5 % of verdicts are wins where the two are alike.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from automl_cl.spec.search_spec import SearchSpec
from automl_cl.verdict.paired_test import compare
from benchmarks.measure import Measured, bootstrap, run

Matrix = NDArray[np.float64]
PARTS = ("self", "simulated", "luck", "power")
SEEDS = 10
COPIES = 3
MORE_SEEDS = (5, 10, 15, 20, 25, 30, 40, 60, 100)
# What costs steps and says nothing about a verdict is left out of the spaces that are searched.
BATCHES = {"training.batch_size": {"low": 64, "high": 256}}
RATE_GOAL = "a one-sided binomial test does not reject 5 %"


class Opened:
    """Notes that the test was opened: nothing is chosen here by what it says."""

    def record_opening(self, fingerprint: str) -> int:
        return 1


def rate(name: str, count: int, n: int, goal: str | None = None) -> Measured:
    """A share with its exact (Clopper-Pearson) interval; a goal is that it is not above 5 %."""
    low, high = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    met = None
    if goal is not None:
        met = bool(stats.binomtest(count, n, 0.05, alternative="greater").pvalue >= 0.05)
    return Measured(name, count / n, n, goal, met, (float(low), float(high)))


# A config against itself.


def against_itself(split: int, verdicts: int, epochs: tuple[float, ...]) -> list[Matrix]:
    """Differences [seeds, items] of verdicts on one split; each has 20 models of its own."""
    from automl_cl.spec.preparation import prepare
    from benchmarks.in_process_search import CPU
    from trainables.foundation.seeds import derive_seed

    prepared = prepare(SearchSpec("curriculum", "digits", noise="0.4", seed=split))
    scenario, data = prepared.scenario, prepared.scenario.on_device(prepared.view, CPU)
    test = scenario.open_test(
        prepared.data, prepared.settings, Opened(), prepared.view.fingerprint
    )
    items = scenario.items_on_device(test, CPU)

    def scores(config: dict[str, object], horizon: float, seed: int) -> Matrix:
        learner = scenario.learner(config, data, seed, CPU)
        learner.begin(horizon)
        learner.advance(horizon)
        found: Matrix = learner.item_scores(items).numpy()
        return found

    differences = []
    for verdict in range(verdicts):
        arm = ("plain", "superloss")[verdict % 2]
        horizon = epochs[verdict // 2 % len(epochs)]
        config = prepared.space.only("algorithm", arm).default()
        config["training"] |= {"epochs": horizon, "batch_size": 256}
        config["optimizer"]["lr"] = 4e-3
        seeds = [derive_seed(split, "itself", verdict, i) % 2**31 for i in range(2 * SEEDS)]
        rows = np.stack([scores(config, horizon, seed) for seed in seeds])
        differences.append(rows[:SEEDS] - rows[SEEDS:])
    return differences


def measure_itself(workers: ProcessPoolExecutor, quick: bool) -> list[Measured]:
    splits, each, epochs = (2, 20, (2.0,)) if quick else (21, 20, (5.0,))
    jobs = [workers.submit(against_itself, split, each, epochs) for split in range(splits)]
    found = [compare(matrix) for job in jobs for matrix in job.result()]
    wins = sum(each.wins(0.05) for each in found)
    different = sum(each.p_value < 0.05 for each in found)
    what = "a config against itself"
    return [
        rate(f"{what}: false wins", wins, len(found), RATE_GOAL),
        rate(f"{what}: significant either way", different, len(found), RATE_GOAL),
    ]


# Simulated differences.


def simulated_errors(seeds: int, shares: tuple[float, float], count: int) -> list[tuple[int, int]]:
    from benchmarks.verdict_errors import errors, normal, product, whole_cells

    return errors(normal(seeds, 360, shares, count, 7), [product, whole_cells])


def measure_simulated(workers: ProcessPoolExecutor, quick: bool) -> list[Measured]:
    count, figures = 400 if quick else 5_000, []
    grid = [(1.0, 0.0), (0.0, 0.0), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0.1, 0.9), (0.0, 0.9)]
    asked = [(seeds, shares) for seeds in (3, 5, SEEDS) for shares in grid]
    jobs = [workers.submit(simulated_errors, *each, count) for each in asked]
    for (seeds, (seed, item)), job in zip(asked, jobs, strict=True):
        cell = 1.0 - seed - item
        what = f"simulated, S = {seeds}, seeds/items/cells {seed:g}/{item:g}/{cell:.1f}"
        (different, wins), (other, _) = job.result()
        figures += [
            rate(f"{what}: false wins", wins, count),
            rate(f"{what}: significant either way", different, count),
            rate(f"{what}: the same, first formula", other, count),
        ]
    return figures


# Whole searches.


@dataclass(frozen=True)
class Pair:
    """Who was put to the test by a search: scores [seeds, items], and who won."""

    baseline: Matrix
    challenger: Matrix
    arm: str
    won: bool

    @property
    def difference(self) -> Matrix:
        """Challenger less baseline."""
        return self.challenger - self.baseline

    def write(self, path: Path) -> None:
        """Writes it whole or not at all."""
        temporary = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(temporary, allow_pickle=False, **vars(self))
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> Pair:
        with np.load(path, allow_pickle=False) as file:
            scores = file["baseline"], file["challenger"]
            return cls(*scores, str(file["arm"]), bool(file["won"]))


def search_in(folder: Path, spec: SearchSpec, copies: int = 0, device: str = "cpu") -> Pair:
    """One search; one that has been carried out in this folder before is read from it."""
    from benchmarks.copies_of_plain import add_copies
    from benchmarks.in_process_search import search

    kept = folder / f"seed-{spec.seed}.npz"
    if kept.exists():
        return Pair.read(kept)
    if copies:
        add_copies(folder / "copies", copies)
    run_folder = folder / f"seed-{spec.seed}"
    shutil.rmtree(run_folder, ignore_errors=True)  # one that was broken off
    found = search(spec, run_folder, device=torch.device(device))
    pair = Pair(
        found.scores[found.plan.baseline],
        found.scores[found.plan.challenger],
        found.verdict["challenger"]["algorithm"],
        found.verdict["recommended"] == "challenger",
    )
    pair.write(kept)
    return pair


def searched(
    workers: ProcessPoolExecutor, folder: Path, specs: Sequence[SearchSpec], copies: int = 0
) -> list[Pair]:
    """The pairs of all searches."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [workers.submit(search_in, folder, spec, copies) for spec in specs]
    found = []
    for spec, job in zip(specs, jobs, strict=True):
        found.append(job.result())
        print(f"search {spec.seed}: {found[-1].arm}, won: {found[-1].won}", flush=True)
    return found


def noisy_digits(
    algorithms: list[str], trials: int, quick: bool, seeds: int, seed: int
) -> SearchSpec:
    """A search of some algorithms and the baseline on digits with 40 % noise."""
    return SearchSpec(
        "curriculum",
        "digits",
        noise="0.4",
        trials=trials,
        max_epochs=6.0 if quick else 30.0,
        seeds=seeds,
        seed=seed,
        space={"algorithm": algorithms, **BATCHES},
    )


def measure_luck(workers: ProcessPoolExecutor, quick: bool, folder: Path) -> list[Measured]:
    count, trials, copies = (2, 14, 2) if quick else (20, 60, COPIES)
    names = [f"copy_{number}" for number in range(1, copies + 1)]
    specs = [noisy_digits(names, trials, quick, SEEDS, 2000 + index) for index in range(count)]
    found = searched(workers, folder / "luck", specs, copies)
    pairs = [compare(each.difference) for each in found]
    shifts = [pair.difference for pair in pairs]
    what = f"tuning luck, best of {copies} copies of the baseline against the baseline"
    return [
        rate(f"{what}: wins", sum(pair.wins(0.05) for pair in pairs), count),
        rate(f"{what}: significant either way", sum(p.p_value < 0.05 for p in pairs), count),
        Measured(
            f"{what}: mean difference", float(np.mean(shifts)), count, interval=bootstrap(shifts)
        ),
        Measured(f"{what}: SD of the difference", float(np.std(shifts, ddof=1)), count),
    ]


def measure_power(workers: ProcessPoolExecutor, quick: bool, folder: Path) -> list[Measured]:
    count, trials, seeds = (2, 10, 10) if quick else (50, 34, 16)
    specs = [
        noisy_digits(["superloss"], trials, quick, seeds, 1000 + index) for index in range(count)
    ]
    found = searched(workers, folder / "power", specs)
    return figures_of_power([each.difference for each in found])


def figures_of_power(differences: Sequence[Matrix]) -> list[Measured]:
    """Wins by the number of seeds: the first of those trained, and drawn again beyond them."""
    count, trained = len(differences), len(differences[0])
    figures = []
    for seeds in MORE_SEEDS:
        if seeds <= trained:
            wins = sum(compare(each[:seeds]).wins(0.05) for each in differences)
            goal = "at least 0.8" if seeds == SEEDS else None
            figure = rate(f"power, SuperLoss planted, S = {seeds}", wins, count)
            met = None if goal is None else figure.value >= 0.8
            figures.append(Measured(figure.name, figure.value, count, goal, met, figure.interval))
        else:
            rates = [win_rate(each, seeds) for each in differences]
            name = f"power, S = {seeds} (seeds drawn again from {trained})"
            figures.append(Measured(name, float(np.mean(rates)), count, interval=bootstrap(rates)))
    shifts = [float(each.mean()) for each in differences]
    name = f"difference of the pair over {trained} seeds"
    figures.append(
        Measured(f"{name}, mean", float(np.mean(shifts)), count, interval=bootstrap(shifts))
    )
    figures.append(rate(f"{name}: above 0", sum(shift > 0 for shift in shifts), count))
    return [*figures, *errors_on_real(differences)]


def win_rate(differences: Matrix, seeds: int, draws: int = 40) -> float:
    random = np.random.default_rng(seeds)
    rows = random.integers(len(differences), size=(draws, seeds))
    return float(np.mean([compare(differences[each]).wins(0.05) for each in rows]))


def errors_on_real(differences: Sequence[Matrix], each: int = 200) -> list[Measured]:
    """The test on real differences without a true one: centred, seeds and items drawn anew."""
    from benchmarks.verdict_errors import errors, product, resampled, share_of_items, whole_cells

    found = np.array(
        [
            errors(resampled(matrix, SEEDS, each, index), [product, whole_cells])
            for index, matrix in enumerate(differences)
        ]
    )
    shares = [share_of_items(matrix, SEEDS) for matrix in differences]
    what = f"real differences, centred, resampled {each} times a pair"
    rates = found / each
    wins, different, other = rates[:, 0, 1], rates[:, 0, 0], rates[:, 1, 0]
    named = [
        (f"{what}: false wins", wins),
        (f"{what}: significant either way", different),
        (f"{what}: the same, first formula", other),
        ("items' share in the variance of a pair's mean difference", np.array(shares)),
    ]
    return [
        Measured(name, float(values.mean()), len(values), interval=bootstrap(values))
        for name, values in named
    ]


def measure(given: argparse.Namespace) -> list[Measured]:
    """Carries out the parts that are asked for."""
    from benchmarks.in_process_search import one_thread

    parts = given.part or PARTS
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="false_wins-") as temporary:
        folder = given.keep or Path(temporary)
        spawning = get_context("spawn")
        with ProcessPoolExecutor(given.workers, spawning, one_thread) as workers:
            if "self" in parts:
                figures += measure_itself(workers, given.quick)
            if "simulated" in parts:
                figures += measure_simulated(workers, given.quick)
            if "luck" in parts:
                figures += measure_luck(workers, given.quick, folder)
            if "power" in parts:
                figures += measure_power(workers, given.quick, folder)
    return figures


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; repeatable")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the searches there, and go on with those that are there",
    )


if __name__ == "__main__":
    run(__doc__, measure, add_options)

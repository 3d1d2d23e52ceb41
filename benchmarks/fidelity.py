"""What a rung tells about the end, in both fidelities, on real data of every scenario.

Random configs of a few arms, all with the cap as their horizon, are trained to their end and
reported at the default scheduler's rungs: `prefix` (one run, reported on the way) and `compressed`
(each rung a complete run of its own length). What a config is worth is its mean test metric over
two other seeds.

Told of each rung: Kendall's tau between its validation metric and that worth, over pairs in one
arm; and the normalised regret of what is found (0 for the arm's best config, 1 for its median) if
the best third at the rung is finished and the best of those by validation chosen, at compute that
is enough for 3 in 10 of the configs to be run to their end at once (`no rung`).
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.scheduler import rungs_of
from benchmarks.measure import Measured, run
from search_spaces import Config, FlatSpace, coordinates, decode
from trainables.foundation.seeds import derive_seed

FIDELITIES = ("prefix", "compressed")
FASHION = Path("../shared/data/fashion-mnist")
FASHION_IMAGES = 4000
OTHER_SEEDS = 2
BUDGET = 0.3
PASSING = 1 / 3
DRAWS = 200
RESAMPLES = 200

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A search space on some data, and how many configs of each of its arms are trained."""

    name: str
    spec: SearchSpec
    each: int


@dataclass(frozen=True)
class Shown:
    """What one config showed; metrics so that higher is better, -inf where it diverged.

    Attributes:
        arm: its algorithm.
        early: by fidelity, the validation metric at each rung.
        cost: by fidelity, what it costs to get to each rung alone, in epochs of the baseline.
        final: the validation metric at the end.
        whole: what the full run costs.
        worth: the mean test metric over other seeds.
    """

    arm: str
    early: dict[str, list[float]]
    cost: dict[str, list[float]]
    final: float
    whole: float
    worth: float


class Opened:
    """Notes that the test was opened: nothing is tuned here by what it says."""

    def record_opening(self, fingerprint: str) -> int:
        return 1


def cases(quick: bool, folder: Path) -> list[Case]:
    def case(name: str, each: int, cap: float, arms: Sequence[str], **more: Any) -> Case:
        scenario, *rest = name.split(", ")
        spec = SearchSpec(
            scenario,
            more.pop("data", rest[0]),
            max_epochs=cap / 10 if quick else cap,
            space={"algorithm": list(arms), **more.pop("space", {})},
            **more,
        )
        return Case(name, spec, 3 if quick else each)

    curricula = ("superloss", "self_paced")
    # Batches of 8 cost four times the time of 32, and no scenario is about them.
    larger = {"training.batch_size": {"low": 32}}
    found = [
        case("curriculum, digits, clean", 16, 30.0, curricula, space=larger),
        case("curriculum, digits, 40 % noise", 16, 30.0, curricula, noise="0.4", space=larger),
        case(
            "semi_supervised, digits, 100 labels",
            *(10, 40.0, ("fixmatch", "mean_teacher")),
            settings={"labels": 100},
        ),
        case(
            "continual, digits, 5 tasks",
            *(12, 10.0, ("experience_replay", "ewc")),
            settings={"tasks": 5},
        ),
        case("meta_learning, sinusoid", 6, 1.5, ("maml",)),
    ]
    if FASHION.is_dir():
        data = fashion_subset(folder)
        found.append(
            case("curriculum, Fashion-MNIST subset", 8, 9.0, curricula, data=data, space=larger)
        )
    return found


def fashion_subset(folder: Path) -> str:
    """The first images of Fashion-MNIST's training part, as a file."""
    from trainables.data import DataSpec, load_view

    train = load_view(DataSpec(str(FASHION)), standardised=False).train
    path = folder / "fashion.npz"
    np.savez(path, x=train.inputs[:FASHION_IMAGES], y=train.labels[:FASHION_IMAGES])
    return str(path)


# Training.

_LOADED: dict[str, tuple[Prepared, Any, Any]] = {}


def loaded(case: Case) -> tuple[Prepared, Any, Any]:
    """A case's data and test, once a process."""
    from benchmarks.in_process_search import CPU

    if case.name not in _LOADED:
        prepared = prepare(case.spec)
        scenario, view = prepared.scenario, prepared.view
        test = scenario.open_test(prepared.data, prepared.settings, Opened(), view.fingerprint)
        data, items = scenario.on_device(view, CPU), scenario.items_on_device(test, CPU)
        _LOADED[case.name] = prepared, data, items
    return _LOADED[case.name]


def show(case: Case, arm: str, number: int, folder: str) -> Shown:
    """Trains one random config of an arm in all ways."""
    prepared, data, items = loaded(case)
    space, seed = prepared.space.only("algorithm", arm), derive_seed(0, case.name, arm, number)
    cap, sign = case.spec.max_epochs, 1.0 if prepared.scenario.mode == "max" else -1.0
    flat = FlatSpace(coordinates(space))
    config = decode(space, flat.draw(random.Random(seed)))
    config["training"]["epochs"] = cap
    rungs = rungs_of(case.spec.scheduler, cap)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        place = Path(own)
        values, spent = reports(case, config, seed, [*rungs, cap], "prefix", place / "p", data)
        # The last run of a compressed trial is the prefix run itself: same seed, same horizon.
        short, summed = reports(case, config, seed, rungs, "compressed", place / "c", data)
    metric = sign * np.array([values, [*short, values[-1]]])
    return Shown(
        arm,
        {"prefix": list(metric[0][:-1]), "compressed": list(metric[1][:-1])},
        {"prefix": spent[:-1], "compressed": list(np.diff([0.0, *summed]))},
        float(metric[0][-1]),
        spent[-1],
        worth(prepared, config, data, items, seed, sign),
    )


def reports(
    case: Case,
    config: Config,
    seed: int,
    levels: list[float],
    fidelity: str,
    folder: Path,
    data: Any,
) -> tuple[list[float], list[float]]:
    """The product's own trial: validation metric and compute so far at each level."""
    from benchmarks.in_process_search import CPU
    from trainables.trials.trial_run import TrialRequest, TrialRun

    prepared = loaded(case)[0]
    scenario, worst = prepared.scenario, -np.inf if prepared.scenario.mode == "max" else np.inf
    request = TrialRequest(
        0, scenario.name, config, seed % 2**31, levels, fidelity, str(folder), searching=True
    )
    trial, values, spent = TrialRun(request, data, CPU), [], []
    for level in levels:
        report = trial.next_rung()
        if report.status == "diverged":
            missing = len(levels) - len(values)
            spent += [max(report.compute, *spent, level)] * missing
            return values + [worst] * missing, spent
        values.append(report.metrics[scenario.metric])
        spent.append(report.compute)
    return values, spent


def worth(
    prepared: Prepared, config: Config, data: Any, items: Any, seed: int, sign: float
) -> float:
    """The mean test metric of full runs with other seeds."""
    from benchmarks.in_process_search import CPU

    scores = []
    for index in range(OTHER_SEEDS):
        other = derive_seed(seed, "other", index) % 2**31
        learner = prepared.scenario.learner(config, data, other, CPU)
        learner.begin(config["training"]["epochs"])
        learner.advance(config["training"]["epochs"])
        score = float(learner.item_scores(items).mean())
        scores.append(sign * score if np.isfinite(score) and not learner.diverged else -np.inf)
    return float(np.mean(scores))


# What it says.


@dataclass(frozen=True)
class Arm:
    """The configs of an arm as columns; `early` and `cost` by fidelity, [rungs, configs]."""

    early: Mapping[str, Numbers]
    cost: Mapping[str, Numbers]
    final: Numbers
    whole: Numbers
    worth: Numbers

    @classmethod
    def of(cls, shown: Sequence[Shown]) -> Arm:
        worth = np.array([each.worth for each in shown])
        worth[~np.isfinite(worth)] = worth[np.isfinite(worth)].min()
        return cls(
            {f: np.array([each.early[f] for each in shown]).T for f in FIDELITIES},
            {f: np.array([each.cost[f] for each in shown]).T for f in FIDELITIES},
            np.array([each.final for each in shown]),
            np.array([each.whole for each in shown]),
            worth,
        )


def concordance(early: Numbers, worth: Numbers, rows: NDArray[np.intp]) -> tuple[float, int]:
    """Concordant less discordant pairs of different configs, and how many pairs there are."""
    apart = rows[:, None] != rows
    x, y = early[rows], worth[rows]
    higher = (x[:, None] > x).astype(float) - (x[:, None] < x)
    better = (y[:, None] > y).astype(float) - (y[:, None] < y)
    return float((higher * better)[apart].sum()) / 2, int(apart.sum()) // 2


def tau(arms: Sequence[Arm], fidelity: str, rung: int, rows: Sequence[NDArray[np.intp]]) -> float:
    """Kendall's tau over pairs in one arm, 0 without any; `rung` -1 is the end."""
    found = [
        concordance(arm.final if rung < 0 else arm.early[fidelity][rung], arm.worth, chosen)
        for arm, chosen in zip(arms, rows, strict=True)
    ]
    return sum(balance for balance, _ in found) / max(1, sum(pairs for _, pairs in found))


def regret(
    arms: Sequence[Arm], fidelity: str, rung: int, rows: Sequence[NDArray[np.intp]], seed: int
) -> float:
    """Mean normalised regret of one halving at a rung, at equal compute; -1 is without a rung."""
    rng, found = np.random.default_rng(seed), []
    for arm, chosen in zip(arms, rows, strict=True):
        n, whole = len(chosen), float(arm.whole.mean())
        budget = max(2, round(BUDGET * n)) * whole
        worths, finals = arm.worth[chosen], arm.final[chosen]
        if rung < 0:
            early, begun, finished = finals, round(budget / whole), round(budget / whole)
        else:
            cost = float(arm.cost[fidelity][rung].mean())
            rest = whole - cost if fidelity == "prefix" else whole
            early = arm.early[fidelity][rung][chosen]
            begun = min(n, max(1, int(budget / (cost + PASSING * rest))))
            finished = max(1, int((budget - begun * cost) / rest))
        order = rng.permuted(np.tile(np.arange(n), (DRAWS, 1)), axis=1)[:, :begun]
        # A permuted order and a stable sort break ties by chance.
        passed = np.argsort(-early[order], axis=1, kind="stable")[:, :finished]
        candidates = np.take_along_axis(order, passed, axis=1)
        best = np.argmax(finals[candidates], axis=1)
        value = worths[candidates[np.arange(DRAWS), best]]
        scale = max(float(arm.worth.max() - np.median(arm.worth)), 1e-9)
        found.append(float((worths.max() - value).mean()) / scale)
    return float(np.mean(found))


def figures(case: Case, shown: Sequence[Shown]) -> tuple[list[Measured], Numbers]:
    """A case's table, and bootstrap draws of tau and regret, [1 + draws, 2, fidelities, rungs].

    Configs are drawn again within their arm; the first draw is the configs as they are.
    """
    names = sorted({each.arm for each in shown})
    arms = [Arm.of([each for each in shown if each.arm == name]) for name in names]
    rungs = len(arms[0].early["prefix"])
    rng = np.random.default_rng(0)
    drawn = [[np.arange(len(arm.worth)) for arm in arms]]
    drawn += [
        [rng.integers(len(arm.worth), size=len(arm.worth)) for arm in arms]
        for _ in range(RESAMPLES)
    ]
    places = [*range(rungs), -1]
    table = np.array(
        [
            [
                [[tau(arms, f, r, rows) for r in places] for f in FIDELITIES],
                [[regret(arms, f, r, rows, i) for r in places] for f in FIDELITIES],
            ]
            for i, rows in enumerate(drawn)
        ]
    )
    found = []
    for place, rung in enumerate(places):
        for index, fidelity in enumerate(FIDELITIES if rung >= 0 else ("no rung",)):
            where = f"{fidelity} 1/{3 ** (rungs - rung)}" if rung >= 0 else fidelity
            for kind, what in enumerate(("tau", "regret")):
                values = table[:, kind, index, place]
                low, high = np.quantile(values[1:], [0.025, 0.975])
                name = f"{case.name}: {where}, {what}"
                found.append(
                    Measured(
                        name, float(values[0]), len(shown), interval=(float(low), float(high))
                    )
                )
    return found, table


def over_all(tables: Sequence[Numbers], n: int) -> list[Measured]:
    """Compressed less prefix, over all cases alike and rungs below the end."""
    mean = np.mean([table[..., :-1] for table in tables], axis=0)
    found = []
    for kind, what in enumerate(("tau", "regret")):
        apart = mean[:, kind, 1] - mean[:, kind, 0]
        columns = [
            (f"rung 1/{3 ** (apart.shape[1] - r)}", apart[:, r]) for r in range(apart.shape[1])
        ]
        for where, values in [*columns, ("all rungs", apart.mean(axis=1))]:
            low, high = np.quantile(values[1:], [0.025, 0.975])
            name = f"compressed less prefix, mean of {len(tables)} cases, {where}, {what}"
            found.append(Measured(name, float(values[0]), n, interval=(float(low), float(high))))
    return found


def measure(given: argparse.Namespace) -> list[Measured]:
    """Trains all cases and tells what their rungs say."""
    from benchmarks.in_process_search import one_thread

    found: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="fidelity-") as folder:
        chosen = cases(given.quick, Path(folder))
        spawning = get_context("spawn")
        with ProcessPoolExecutor(given.workers, spawning, one_thread) as workers:
            jobs: list[tuple[Case, list[Future[Shown]]]] = [
                (
                    case,
                    [
                        workers.submit(show, case, arm, number, folder)
                        for arm in prepare(case.spec).space.options("algorithm")
                        for number in range(case.each)
                    ],
                )
                for case in chosen
            ]
            tables, n = [], 0
            for case, futures in jobs:
                shown = [each.result() for each in futures]
                rows, table = figures(case, shown)
                print(f"{case.name}: {len(shown)} configs", flush=True)
                found += rows
                tables.append(table)
                n += len(shown)
    return [*found, *over_all(tables, n)]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")


if __name__ == "__main__":
    run(__doc__, measure, add_options)

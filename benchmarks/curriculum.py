"""Every curriculum against the plain baseline, both tuned by whole searches of their own.

For each setting and method there are several independent searches: own split, own seeds, own
noise. In each the product tunes the method and the baseline at the same compute, trains what it
chose of each with fresh seeds, and compares them on the sealed test. The search is the unit: told
are the mean difference over searches, its t interval, and p values corrected over methods (Holm).

Sized for two cores: 2,500 Fashion-MNIST images a search, pooled to 14 x 14, and a small network;
methods that need convolutions, and their baseline, have a small CNN. For the whole data and a
larger network on a GPU:

    python -m benchmarks.curriculum --full --device cuda --searches 5 --trials 30
"""

from __future__ import annotations

import argparse
import math
import tempfile
import traceback
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from automl_cl.spec.search_spec import SearchSpec
from automl_cl.verdict.paired_test import holm
from benchmarks.false_wins import Pair, search_in
from benchmarks.in_process_search import one_thread
from benchmarks.measure import Measured, run
from search_spaces import option, options
from trainables.parts.model import Model
from trainables.scenarios.curriculum import Curriculum

IMAGES = 2500
SMALL = 16
FIRST_SEED = 5000


@dataclass(frozen=True)
class Setting:
    """Data, and what is done to its labels."""

    name: str
    data: str
    more: dict[str, str]


SETTINGS = (
    Setting("Fashion-MNIST", "fashion-mnist", {}),
    Setting("Fashion-MNIST, 40 % noise", "fashion-mnist", {"noise": "0.4"}),
    Setting("Fashion-MNIST, imbalance 50", "fashion-mnist", {"imbalance": "long_tail:50"}),
    Setting("digits", "digits", {}),
)


def images_of(source: str, folder: Path, seed: int) -> str:
    """At most 2,500 images of a source drawn by a seed, large ones 2 x 2 pooled, as a file."""
    from trainables.data.registry import find_source

    path = folder / f"{source}-{seed}.npz"
    if not path.exists():
        raw = find_source(source, {}).load().examples
        rows = np.random.default_rng(seed).permutation(len(raw.labels))[:IMAGES]
        side = math.isqrt(raw.inputs[0].size)
        images = np.asarray(raw.inputs[rows], dtype=np.float32).reshape(-1, side, side)
        if side > SMALL:
            images = images.reshape(-1, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, x=images, y=raw.labels[rows])
        temporary.replace(path)
    return str(path)


def model_for(method: str, model: str) -> str:
    """The network that a method is tried on: a CNN where it cannot teach the one given."""
    network = option(Model, model)().build((1, 8, 8), 10)  # type: ignore[type-abstract]
    unsuited = option(Curriculum, method).unsuited(network, (1, 8, 8))
    return model if unsuited is None else "cnn"


def spec_of(setting: Setting, method: str, seed: int, folder: Path, given: Any) -> SearchSpec:
    """The search of one method against the baseline."""
    whole = given.full and setting.data == "fashion-mnist"
    model = model_for(method, "cnn" if given.full else given.model)
    return SearchSpec(
        "curriculum",
        setting.data if whole else images_of(setting.data, folder, seed),
        model=model,
        trials=given.trials,
        max_epochs=given.epochs,
        seeds=given.seeds,
        seed=seed,
        space={
            "algorithm": ["plain", method],
            "training.batch_size": [128, 256] if whole else [32, 64],
            "augmentation": "none",
            "model.width": {"mlp": 128, "cnn": 64 if whole else 8}[model],
        },
        **setting.more,
    )


def searched(folder: Path, spec: SearchSpec, device: str) -> Pair | None:
    """One search; None if the method never came to a result."""
    try:
        return search_in(folder, spec, device=device)
    except Exception:
        traceback.print_exc()
        return None


def measure(given: argparse.Namespace) -> list[Measured]:
    if given.quick:
        given.searches, given.trials, given.epochs, given.seeds = 2, 4, 3.0, 3
    methods = given.method or [name for name in options(Curriculum) if name != "plain"]
    if given.quick and not given.method:
        methods = methods[:3]
    settings = [s for s in SETTINGS if not given.setting or s.name in given.setting]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        with ProcessPoolExecutor(
            given.workers, mp_context=get_context("spawn"), initializer=one_thread
        ) as workers:
            jobs: dict[tuple[str, str], list[Future[Pair | None]]] = {}
            for index in range(given.searches):
                for setting in settings:
                    for method in methods:
                        spec = spec_of(setting, method, FIRST_SEED + index, folder, given)
                        own = folder / setting.name.replace(" ", "_") / method
                        own.mkdir(parents=True, exist_ok=True)
                        job = workers.submit(searched, own, spec, given.device)
                        job.add_done_callback(partial(tell, f"{setting.name}, {method}, {index}"))
                        jobs.setdefault((setting.name, method), []).append(job)
            pairs = {key: [job.result() for job in some] for key, some in jobs.items()}
    found = []
    for setting in settings:
        found += figures(setting.name, {m: pairs[setting.name, m] for m in methods})
    return found


def tell(what: str, job: Future[Pair | None]) -> None:
    pair = job.result()
    shown = "no result" if pair is None else f"{pair.difference.mean():+.4f}"
    print(f"{what}: {shown}", flush=True)


def figures(setting: str, pairs: dict[str, list[Pair | None]]) -> list[Measured]:
    """One setting's: difference and corrected p of each method, the best first."""
    rows = []
    for method, some in pairs.items():
        found = [pair for pair in some if pair is not None]
        differences = np.array([pair.difference.mean() for pair in found])
        if len(differences) < 2:
            print(f"{setting}, {method}: {len(differences)} searches came to a result")
            continue
        spread = differences.std(ddof=1) / np.sqrt(len(differences))
        test = stats.ttest_1samp(differences, 0.0)
        half = stats.t.ppf(0.975, len(differences) - 1) * spread
        mean = float(differences.mean())
        wins = sum(pair.won for pair in found)
        rows.append((method, mean, mean - half, mean + half, len(found), wins, test.pvalue))
    if not rows:
        return []
    corrected = holm([row[-1] for row in rows])
    baseline = np.mean([p.baseline.mean() for some in pairs.values() for p in some if p])
    told = [Measured(f"{setting}: plain, test accuracy", float(baseline), len(rows))]
    order = sorted(zip(rows, corrected, strict=True), key=lambda each: -each[0][1])
    for (method, mean, low, high, n, wins, _), p in order:
        name = f"{setting}: {method} less plain (Holm p = {p:.2g}, verdicts won {wins})"
        told.append(Measured(name, mean, n, None, None, (low, high)))
    return told


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--searches", type=int, default=3, help="of each method in each setting")
    parser.add_argument("--trials", type=int, default=8, help="of each search")
    parser.add_argument("--epochs", type=float, default=20.0, help="compute cap of a trial")
    parser.add_argument("--model", default="mlp", choices=["mlp", "cnn"], help="the network")
    parser.add_argument("--seeds", type=int, default=3, help="fresh seeds of each verdict")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep searches; go on there")
    parser.add_argument("--setting", action="append", help="only this; repeatable")
    parser.add_argument("--method", action="append", help="only this; repeatable")
    parser.add_argument("--full", action="store_true", help="all data and a larger network")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


if __name__ == "__main__":
    run(__doc__, measure, _options)

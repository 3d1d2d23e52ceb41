"""What a rung tells about the end, in both fidelities, on real data of every scenario.

Random configs of a few arms, all with the cap as their horizon, are trained to their end and
reported at the default scheduler's rungs: `prefix` (one run, reported on the way) and `compressed`
(each rung a complete run of its own length). What a config is worth is its mean test metric over
two other seeds.

Told of each rung: Kendall's tau between its validation metric and that worth, over pairs in one
arm; and the worth of what is found with compute for 6 full runs in one arm, if the best third at
that rung is finished and the best of those by validation chosen. `full` is without a rung.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_cl.preparation import Prepared, prepare
from automl_cl.schedulers import rungs_of
from automl_cl.spec import FIDELITIES, SearchSpec
from benchmarks.measure import Measured, run
from search_spaces import FlatSpace, coordinates, decode, narrowed
from trainables.seeds import derive_seed

FASHION = Path("../shared/data/fashion-mnist")
FASHION_IMAGES = 4000
OTHER_SEEDS = 2
FULL_RUNS = 6
PASSING = 1 / 3
DRAWS = 400
RESAMPLES = 200


@dataclass(frozen=True)
class Case:
    """Data and arms of one comparison.

    Attributes:
        name: as the table shows it.
        spec: what is searched.
        each: configs of each arm.
    """

    name: str
    spec: SearchSpec
    each: int


@dataclass
class Trained:
    """What one config showed.

    Attributes:
        arm: its algorithm.
        values: by fidelity, the validation metric at each level; higher is better, -inf once it
            has diverged.
        compute: by fidelity, what each level has cost in all, in epochs of the baseline.
        worth: the mean test metric of full runs with other seeds; higher is better.
    """

    arm: str
    values: dict[str, list[float]] = field(default_factory=dict)
    compute: dict[str, list[float]] = field(default_factory=dict)
    worth: float = -math.inf


class Opened:
    """Notes that the test was opened: no search chooses here by what it says."""

    def record_opening(self, fingerprint: str) -> int:
        return 1


def cases(quick: bool, folder: Path) -> list[Case]:
    def case(name: str, each: int, scenario: str, data: str, cap: float, *arms: str, **more: Any) -> Case:
        cap, each = (cap / 4, 3) if quick else (cap, each)
        space = {"algorithm": list(arms)}
        return Case(name, SearchSpec(scenario, data, max_epochs=cap, space=space, **more), each)

    curricula = ("superloss", "self_paced")
    found = [
        case("curriculum, digits, clean", 20, "curriculum", "digits", 30.0, *curricula),
        case("curriculum, digits, 40 % noise", 20, "curriculum", "digits", 30.0, *curricula, noise="0.4"),
    ]
    if FASHION.is_dir():
        file = fashion_subset(folder)
        found += [case("curriculum, Fashion-MNIST subset", 12, "curriculum", file, 9.0, *curricula)]
    return [
        *found,
        case(
            "semi_supervised, digits, 100 labels",
            12, "semi_supervised", "digits", 40.0, "fixmatch", "mean_teacher",
            settings={"labels": 100},
        ),
        case(
            "continual, digits, 5 tasks",
            12, "continual", "digits", 10.0, "experience_replay", "ewc",
            settings={"tasks": 5},
        ),
        case("meta_learning, sinusoid", 10, "meta_learning", "sinusoid", 3.0, "maml"),
    ]  # fmt: skip


def fashion_subset(folder: Path) -> str:
    """The first images of Fashion-MNIST's training part, as a file."""
    from trainables.data import DataSpec, load_view

    train = load_view(DataSpec(str(FASHION)), standardised=False).train
    path = folder / "fashion.npz"
    np.savez(path, x=train.inputs[:FASHION_IMAGES], y=train.labels[:FASHION_IMAGES])
    return str(path)


@cache
def loaded(index: int, quick: bool, folder: str) -> tuple[Case, Prepared, Any, Any]:
    """A case with its data, once a process."""
    from benchmarks.in_process_search import CPU

    chosen = read_cases(quick, folder)[index]
    prepared = prepare(chosen.spec)
    scenario, view = prepared.scenario, prepared.view
    data = scenario.on_device(view, CPU)
    test = scenario.open_test(prepared.data, prepared.settings, Opened(), view.fingerprint)
    return chosen, prepared, data, scenario.items_on_device(test, CPU)

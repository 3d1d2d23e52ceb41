"""Rates that papers state for 10^4 to 10^6 steps, tried in runs of some hundreds.

    python -m benchmarks.short_runs --quick      # one seed
    python -m benchmarks.short_runs --json short_runs.json
    python -m benchmarks.short_runs --only meta_weight_net.lr --seeds 5

Each case is one hyperparameter with a few values, all else at the algorithm's defaults, on digits
(1,078 training examples): 40 % symmetric label noise with 100 examples known to be clean, at a
learning rate of 0.005, with which the plain baseline learns the noise by heart; or 100 labels. It
tells the mean accuracy on clean validation examples and the steps that a run takes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from search_spaces import narrowed
from trainables.data import DataSpec
from trainables.scenarios.scenario import load_scenario

CPU = torch.device("cpu")
NOISY = {"noise": "symmetric:0.4", "clean": 100, "clean_validation": True}


@dataclass(frozen=True)
class Case:
    """A hyperparameter and the values that are tried.

    Attributes:
        name: algorithm and field.
        values: the published one first.
        scenario: which.
        epochs: the horizon.
        more: what else is fixed.
    """

    name: str
    values: Sequence[float]
    scenario: str = "curriculum"
    epochs: float = 40.0
    more: tuple[tuple[str, Any], ...] = ()


SEMI = "semi_supervised"
CASES = [
    # As many epochs of steps as 40 of the baseline: a step of theirs costs four, and two.
    Case("meta_weight_net.lr", (1e-3, 1e-2, 1e-1, 1.0), epochs=160.0),
    Case("dds.lr", (1e-4, 1e-3, 1e-2, 1e-1), epochs=160.0),
    Case("screener_net.lr", (1e-3, 1e-2, 1e-1), epochs=80.0),
    Case("data_parameters.lr", (0.1, 1.0, 10.0, 100.0)),
    Case("supervised.average", (0.999, 0.99, 0.9, 0.0), SEMI),
    Case("fixmatch.average", (0.999, 0.99, 0.9, 0.0), SEMI),
    Case("fixmatch.weight", (1.0, 0.3, 0.1), SEMI, more=(("average", 0.99),)),
    Case("flexmatch.weight", (1.0, 0.3, 0.1, 0.03), SEMI, more=(("average", 0.99),)),
    Case("mean_teacher.weight", (100.0, 10.0, 1.0, 0.1), SEMI, more=(("average", 0.99),)),
]


def trained(case: Case, value: float, seed: int) -> tuple[float, int]:
    """Validation accuracy, and the steps of the run."""
    algorithm, _, field = case.name.partition(".")
    scenario = load_scenario(case.scenario)
    semi = case.scenario == SEMI
    settings = scenario.with_settings({"labels": 100} if semi else {})
    spec = DataSpec("digits", seed=seed) if semi else DataSpec("digits", seed=seed, **NOISY)
    view = scenario.load(spec, settings)
    changes: dict[str, Any] = {f"algorithm.{algorithm}": {field: value, **dict(case.more)}}
    changes["optimizer"] = {"name": "adamw", "adamw": {"lr": 1e-3 if semi else 5e-3}}
    space = narrowed(scenario.space(view).only("algorithm", algorithm), changes)
    learner: Any = scenario.learner(space.default(), scenario.on_device(view, CPU), seed, CPU)
    learner.begin(case.epochs)
    learner.advance(case.epochs)
    steps = learner.epoch * learner.steps_per_epoch + learner.step_in_epoch
    return learner.evaluate()["accuracy"], steps


def main() -> None:
    """Prints a line a value, and writes them all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[case.name for case in CASES])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    seeds = 1 if given.quick else given.seeds
    for case in (case for case in CASES if case.name in given.only):
        for value in case.values:
            runs = [trained(case, value, seed) for seed in range(seeds)]
            accuracies = [accuracy for accuracy, _ in runs]
            row = {
                "case": case.name,
                "value": value,
                "accuracy": round(float(np.mean(accuracies)), 4),
                "each": [round(each, 4) for each in accuracies],
                "steps": runs[0][1],
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

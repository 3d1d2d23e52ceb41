"""What a step of each curriculum costs in time, beside what its FLOPs predict.

A method that computes twice as much per sample may take twice as long. Told is how many samples a
second it trains on relative to the plain baseline, the ratio that FLOPs predict, and how much
slower it is than that: whatever exceeds 1 there is overhead that compute does not explain. Whole
short trainings are timed, scoring passes and epoch openings included, each beside a training of
the baseline.

On the CPU one thread's CPU time is taken, as other work on the machine does not count there.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Measured, bootstrap, run
from search_spaces import narrowed, options
from trainables.data import DataView, Examples
from trainables.learning.tensors import TensorView
from trainables.scenarios.curriculum import Curriculum
from trainables.scenarios.scenario import load_scenario

GOAL = 1.25
BATCH = 64


def view_of(size: int, seed: int = 0) -> DataView:
    """Images of 28 x 28 in 10 classes, each class a pattern under noise: speed asks no more."""
    rng = np.random.default_rng(seed)
    patterns = rng.normal(size=(10, 1, 28, 28))
    parts = []
    for count in (size, BATCH):
        labels = rng.integers(0, 10, count)
        inputs = patterns[labels] + 2.0 * rng.normal(size=(count, 1, 28, 28))
        parts.append(Examples(inputs.astype(np.float32), labels))
    return DataView(
        train=parts[0],
        validation=parts[1],
        classes=tuple(map(str, range(10))),
        name="patterns",
        fingerprint="0" * 16,
        mean=np.zeros(1),
        scale=np.ones(1),
    )


@dataclass(frozen=True)
class Timed:
    """A training: seconds, samples trained on, and FLOPs."""

    seconds: float
    samples: int
    flops: int


class Training:
    """One algorithm's training with its published defaults, as often as one likes."""

    def __init__(self, algorithm: str, data: TensorView, view: DataView, horizon: float) -> None:
        scenario = load_scenario("curriculum")
        space = narrowed(
            scenario.space(view).only("algorithm", algorithm),
            {
                "model": {"name": "cnn"},
                "training": {"batch_size": BATCH, "selection": "last"},
                "optimizer": {"name": "adamw"},
                "augmentation": "none",
            },
        )
        self.config, self.scenario = space.default(), scenario
        self.data, self.horizon = data, horizon
        self.device = data.train.labels.device
        self.costs: dict[str, int] = {}
        self.timed()  # what is counted once, or compiled, or imported, is over then

    def timed(self) -> Timed:
        """Trains anew; counting a step's FLOPs for the first time is not timed."""
        learner: Any = self.scenario.learner(self.config, self.data, 0, self.device)
        learner.begin(self.horizon)
        learner.load_state_dict({**learner.state_dict(), "step_flops": dict(self.costs)})
        start = self._now()
        learner.advance(self.horizon)
        seconds = self._now() - start
        self.costs = learner.state_dict()["step_flops"]
        steps = learner.taken
        return Timed(seconds, steps * learner.batch_size, learner.spent)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()


def measure(given: argparse.Namespace) -> list[Measured]:
    """Samples a second of every registered curriculum."""
    torch.set_num_threads(1)
    device = torch.device(given.device)
    size, horizon, rounds = (256, 5.0, 1) if given.quick else (1024, 5.0, given.rounds)
    view = view_of(given.size or size)
    data = TensorView.of(view, device)
    found = []
    plain = Training("plain", data, view, horizon)
    for name in options(Curriculum):
        if name == "plain":
            continue
        training = Training(name, data, view, horizon)
        speeds, predictions, excess = [], [], []
        for _ in range(rounds):
            base, own = plain.timed(), training.timed()
            speeds.append((own.samples / own.seconds) / (base.samples / base.seconds))
            predictions.append((own.samples / own.flops) / (base.samples / base.flops))
            excess.append(predictions[-1] / speeds[-1])
        found += figures(name, speeds, predictions, excess)
        print(f"{name}: {speeds[-1]:.3f}, predicted {predictions[-1]:.3f}", flush=True)
    return found


def figures(
    name: str, speeds: list[float], predictions: list[float], excess: list[float]
) -> list[Measured]:
    """One method's: its speed, what was predicted, and the quotient that has the goal."""
    n, worst = len(speeds), float(np.median(excess))
    return [
        Measured(f"{name}: samples a second, of plain's", float(np.median(speeds)), n),
        Measured(f"{name}: predicted by FLOPs", float(np.median(predictions)), n),
        Measured(
            f"{name}: slower than predicted by",
            worst,
            n,
            f"at most {GOAL}",
            worst <= GOAL,
            bootstrap(excess) if n > 1 else None,
        ),
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each method")
    parser.add_argument("--size", type=int, help="training images; 1,024, on a GPU 50,000 say")


if __name__ == "__main__":
    run(__doc__, measure, _options)

"""Recorded learning curves, replayed in simulated time: a step of training costs one step.

The curves are TaskSet's (Metz et al. 2020): 1,000 Adam configs of 8 hyperparameters on each of 12
text tasks, with the validation loss at 51 steps. SOURCE.txt beside the file says where from.
"""

from __future__ import annotations

import random
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from search_spaces import FlatSpace, Float, Point

FILE = Path(__file__).parents[2] / "shared" / "data" / "taskset" / "taskset_12tasks.npz"
VALIDATION = 1
LOG = ("learning_rate", "epsilon", "l1", "l2", "linear_decay", "exponential_decay")


class Recording:
    """The curves of one task.

    Attributes:
        losses: validation loss, [configs, steps]; not a number from where training diverged.
        points: each config's hyperparameters.
    """

    def __init__(self, file: Path, task: int) -> None:
        with np.load(file, allow_pickle=False) as archive:
            names = [str(name) for name in archive["hp_names"]]
            values = archive[f"hp_{task}"].astype(float)
            self.losses = archive[f"curves_{task}"][:, VALIDATION, :].astype(float)
        # 1 - beta is what has a scale: 0.9, 0.99 and 0.999 are equally far apart.
        for column, name in enumerate(names):
            if name.startswith("beta"):
                values[:, column] = 1.0 - values[:, column] + 1e-7
        self.ranges = {
            name: Float(*_bounds(values[:, column]), log=name in LOG or name.startswith("beta"))
            for column, name in enumerate(names)
        }
        self.points: list[Point] = [
            dict(zip(names, map(float, row), strict=True)) for row in values
        ]

    @property
    def steps(self) -> int:
        """How long a full training is."""
        return int(self.losses.shape[1])

    @cached_property
    def final(self) -> np.ndarray[Any, Any]:
        """Each config's loss at the end, infinite where it diverged."""
        last = self.losses[:, -1]
        return np.where(np.isfinite(last), last, np.inf)

    def regret(self, loss: float) -> float:
        """0 for the best config there is, 1 for the median one."""
        best, middle = self.final.min(), np.median(self.final)
        return float(min((loss - best) / (middle - best), 2.0))


def _bounds(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    return float(values.min()), float(values.max())


@cache
def recording_of(task: int) -> Recording:
    """A task's recording, read once a process."""
    return Recording(FILE, task)


class Pool(FlatSpace):
    """The configs that were recorded; none is handed out twice.

    Args:
        recording: of a task.
        among: the configs that are to be had; None for all.
    """

    def __init__(self, recording: Recording, among: np.ndarray[Any, Any] | None = None) -> None:
        super().__init__(recording.ranges)
        self.recording = recording
        count = len(recording.points)
        self.free = np.zeros(count, dtype=bool)
        self.free[np.arange(count) if among is None else among] = True
        self._features = np.array([super(Pool, self).features(p) for p in recording.points])
        self._index = {id(point): i for i, point in enumerate(recording.points)}

    def draw(self, rng: random.Random) -> Point:
        left = np.flatnonzero(self.free)
        return self.recording.points[left[rng.randrange(len(left))]]

    def nearest(self, point: Point) -> Point:
        off = ((self._features - np.array(super().features(point))) ** 2).sum(axis=1)
        return self.recording.points[int(np.where(self.free, off, np.inf).argmin())]

    def features(self, point: Point) -> list[float]:
        index = self._index.get(id(point))
        if index is None:  # of another task's recording
            return super().features(point)
        found: list[float] = self._features[index].tolist()
        return found

    def take(self, point: Point) -> int:
        """The config at a point, which is then not free any more."""
        index = self._index[id(point)]
        self.free[index] = False
        return index


class Budget:
    """Simulated compute, and the best full training that it has bought.

    Args:
        recording: what is trained.
        steps: how many steps there are to spend.
    """

    def __init__(self, recording: Recording, steps: int) -> None:
        self.recording, self.left, self.total = recording, steps, steps
        self.best_at: list[tuple[int, float]] = []
        self._best = np.inf

    def train(self, index: int, start: int, end: int) -> float | None:
        """The loss after training a config on from `start` to `end`; None if there is no more.

        Not a number if it diverges on the way, for which the whole way is paid.
        """
        if end - start > self.left:
            self.left = 0
            return None
        self.left -= end - start
        loss = float(self.recording.losses[index, end - 1])
        if end == self.recording.steps and loss < self._best:
            self._best = loss
            self.best_at.append((self.total - self.left, loss))
        return loss

    def regret_at(self, spent: float) -> float:
        """The regret of the best full training within so many steps; 2 if there is none."""
        within = [loss for at, loss in self.best_at if at <= spent]
        return self.recording.regret(within[-1]) if within else 2.0

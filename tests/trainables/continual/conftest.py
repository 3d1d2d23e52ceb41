"""Streams of little data, and learners on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import options
from trainables.data import DataSpec, DataView, Examples
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizers.sgd import SGD
from trainables.parts.sections.length import Length
from trainables.scenarios.continual.continual import Continual
from trainables.scenarios.continual.learner import ContinualLearner
from trainables.scenarios.continual.recipe import Recipe
from trainables.scenarios.continual.scenario import SCENARIO
from trainables.scenarios.continual.settings import Settings, stream_view
from trainables.scenarios.continual.stream import StreamData, StreamView

CPU = torch.device("cpu")
CLASSES = 8

MakeStream = Callable[..., StreamView]
MakeStreamLearner = Callable[..., ContinualLearner]


def with_defaults(name: str) -> Continual:
    """An algorithm's defaults, but for what costs more than the whole of a tiny network."""
    cheap = {"slca": {"samples": 16, "alignment_epochs": 2}, "ewc": {"samples": 32}}
    return options(Continual)[name](**cheap.get(name, {}))


@pytest.fixture(scope="session")
def make_stream() -> MakeStream:
    """480 + 160 points of 6 features around 8 centres, as a stream of 4 tasks."""

    def make(**settings: Any) -> StreamView:
        rng = np.random.default_rng(0)
        labels = np.arange(640) % CLASSES
        inputs = 2.0 * rng.normal(size=(CLASSES, 6))[labels] + rng.normal(size=(640, 6))
        parts = [
            Examples(inputs[part].astype(np.float32), labels[part].astype(np.int64))
            for part in (slice(0, 480), slice(480, 640))
        ]
        view = DataView(*parts, tuple("abcdefgh"), "points", "0" * 16, np.zeros(1), np.ones(1))
        return stream_view(view, Settings(**{"tasks": 4, "memory": 40, **settings}), 7)

    return make


@pytest.fixture(scope="session")
def make_stream_learner(make_stream: MakeStream) -> MakeStreamLearner:
    """A learner of an algorithm on such a stream, begun if there is a horizon."""

    def make(
        algorithm: Continual | str,
        data: StreamData | None = None,
        *,
        horizon: float | None = None,
        seed: int = 0,
        lr: float = 0.05,
    ) -> ContinualLearner:
        if isinstance(algorithm, str):
            algorithm = with_defaults(algorithm)
        recipe = Recipe(
            algorithm=algorithm,
            optimizer=SGD(lr=lr),
            training=Length(batch_size=16),
            model=MLP(width=16, depth=1, dropout=0.1),
        )
        if data is None:
            data = StreamData.of(make_stream(), CPU)
        learner = ContinualLearner(recipe, data, seed, CPU)
        if horizon is not None:
            learner.begin(horizon)
        return learner

    return make


@pytest.fixture(scope="session")
def slices() -> Callable[[ContinualLearner], Iterator[float]]:
    """Trains a learner to its horizon a little at a time, and stops wherever it can be stopped."""

    def train(learner: ContinualLearner) -> Iterator[float]:
        total = learner.horizon / learner.unit
        for compute in np.arange(0.05, total + 0.05, 0.05):
            learner.advance(compute)
            yield float(compute)

    return train


class MakeNpzView:
    """Streams of files, whose classes are called GROUP/CLASS; 20 points of 6 features each.

    The first feature is the class's number among all names, sorted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []
        self.loaded: dict[int, tuple[DataSpec, Settings]] = {}

    def write(self, name: str, groups: dict[str, int], seed: int = 0) -> str:
        """Writes a file, its groups with so many classes; returns its path."""
        names = [f"{g}/{c}".lstrip("/") for g, size in groups.items() for c in range(size)]
        self.names = sorted(names)
        labels = np.array([each for each in self.names for _ in range(20)])
        inputs = np.random.default_rng(seed).normal(size=(len(labels), 6)).astype(np.float32)
        inputs[:, 0] = np.repeat(np.arange(len(names)), 20)
        np.savez(self.folder / name, x=inputs, y=labels)
        return str(self.folder / name)

    def __call__(self, groups: dict[str, int], *, seed: int = 0, **settings: Any) -> StreamView:
        spec = DataSpec(self.write("data.npz", groups), seed=seed)
        given = SCENARIO.with_settings(settings)
        view = SCENARIO.load(spec, given)
        self.loaded[id(view)] = (spec, given)
        return view

    def open_test(self, view: StreamView) -> Examples:
        """The sealed test of a stream made here."""
        return SCENARIO.open_test(*self.loaded[id(view)], _Log(), view.fingerprint)


class _Log:
    def record_opening(self, fingerprint: str) -> int:
        return 1


@pytest.fixture
def make_npz_view(tmp_path: Path) -> MakeNpzView:
    return MakeNpzView(tmp_path)

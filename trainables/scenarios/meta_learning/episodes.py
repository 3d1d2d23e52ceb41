"""Tasks and their episodes, drawn on the device from seeds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from trainables.foundation.randomness import derive_seed, keyed_uniform
from trainables.learning.tensors import TensorExamples
from trainables.ranks.ranks import Ranks
from trainables.scenarios.meta_learning.problems import Classification, Problem


@dataclass(frozen=True)
class EpisodeShape:
    """The size of an episode: classes, and support and query examples of each."""

    ways: int
    shots: int
    queries: int

    @property
    def examples(self) -> int:
        """Examples in an episode."""
        return self.ways * (self.shots + self.queries)


class Labelled(NamedTuple):
    """Inputs [tasks, examples, ...] with their targets [tasks, examples, ...]."""

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Episodes:
    """Some tasks of one size: what may be learnt from, and what is to be predicted.

    Support examples stand in random order, so that their place says nothing of their class.
    """

    support: Labelled
    query: Labelled


class Tasks(ABC):
    """A distribution of tasks, on one device.

    Attributes:
        problem: what its tasks ask for.
        device: where they are.
        input_shape: of one example.
        examples: how many of them there are to train on, or are taken for a pass over all.
        columns: what else is known of each of them, [examples] by name; none where none are kept.
        classes: different classes, those made by rotation among them; 1 for regression.
        ranks: among which episodes and batches are divided; every one can draw them all.
    """

    problem: Problem
    device: torch.device
    input_shape: tuple[int, ...]
    examples: int
    columns: Mapping[str, Tensor]
    classes: int
    ranks: Ranks

    @abstractmethod
    def episodes(self, indices: Tensor, shape: EpisodeShape, seed: int) -> Episodes:
        """The episodes of these numbers, int64 [tasks].

        An episode depends on its number and the seed alone, not on which others are drawn.
        """

    @abstractmethod
    def batch(self, indices: Tensor, seed: int) -> Labelled:
        """Examples outside any task, inputs [n, ...] with targets over all classes [n, ...]."""


@dataclass(frozen=True)
class FixedEpisodes:
    """The same episodes for everybody: those numbered 0 to `count` - 1 under a seed."""

    tasks: Tasks
    shape: EpisodeShape
    count: int
    seed: int

    def own_chunks(self, examples: int = 2048) -> Iterator[Episodes]:
        """This rank's part of the episodes in order, about so many examples at a time."""
        numbers = torch.arange(self.count, device=self.tasks.device)
        own = numbers[self.tasks.ranks.share(self.count)]
        for some in own.split(max(1, examples // self.shape.examples)):
            yield self.tasks.episodes(some, self.shape, self.seed)


@final
class ClassTasks(Tasks):
    """N-way classification tasks (Vinyals et al., NIPS 2016) from labelled examples.

    Args:
        examples: the examples; labels count from 0 without gaps.
        ways: classes in a task to be predicted.
        rotations: 4 to make each class turned by a multiple of 90 degrees a class of its own
            (Santoro et al., ICML 2016), else 1. A class number is class x rotations + turns.
    """

    def __init__(self, examples: TensorExamples, ways: int, rotations: int) -> None:
        self.problem = Classification(ways)
        self.inputs, self.labels = examples.inputs, examples.labels
        self.device, self.ranks = self.inputs.device, examples.ranks
        self.input_shape = tuple(self.inputs.shape[1:])
        self.rotations = rotations
        self._by_class = torch.argsort(self.labels, stable=True)
        self._counts = torch.bincount(self.labels)
        self._starts = self._counts.cumsum(0) - self._counts
        self._most = int(self._counts.max())
        self.examples, self.columns = len(self.labels), examples.columns
        self.classes = len(self._counts) * rotations

    def episodes(self, indices: Tensor, shape: EpisodeShape, seed: int) -> Episodes:
        draws = keyed_uniform(indices, derive_seed(seed, "classes"), self.classes)
        chosen = draws.topk(shape.ways).indices
        rows = self._members(indices, chosen // self.rotations, shape, seed)
        inputs = self._turned(self.inputs[rows], (chosen % self.rotations)[..., None])
        targets = torch.arange(shape.ways, device=self.device)[None, :, None].expand(rows.shape)
        parts = [shape.shots, shape.queries]
        support, query = (
            Labelled(x.flatten(1, 2), y.flatten(1, 2))
            for x, y in zip(inputs.split(parts, 2), targets.split(parts, 2), strict=True)
        )
        order = _shuffled(indices, support.targets.shape[1], derive_seed(seed, "order"))
        tasks = torch.arange(len(indices), device=self.device)[:, None]
        return Episodes(Labelled(*(part[tasks, order] for part in support)), query)

    def _members(self, indices: Tensor, classes: Tensor, shape: EpisodeShape, seed: int) -> Tensor:
        """Rows of different examples of each class, [tasks, ways, shots + queries]."""
        places = indices[:, None] * shape.ways + torch.arange(shape.ways, device=self.device)
        draws = keyed_uniform(places.flatten(), derive_seed(seed, "examples"), self._most)
        draws = draws.view(*classes.shape, self._most)
        absent = torch.arange(self._most, device=self.device) >= self._counts[classes][..., None]
        members = draws.masked_fill(absent, -1.0).topk(shape.shots + shape.queries).indices
        return self._by_class[self._starts[classes][..., None] + members]

    def _turned(self, images: Tensor, turns: Tensor) -> Tensor:
        return images if self.rotations == 1 else rotated(images, turns)

    def batch(self, indices: Tensor, seed: int) -> Labelled:
        turns = keyed_uniform(indices, derive_seed(seed, "turns"), 1)[:, 0] * self.rotations
        turns = turns.to(torch.int64)
        inputs = self._turned(self.inputs[indices], turns)
        return Labelled(inputs, self.labels[indices] * self.rotations + turns)


def rotated(images: Tensor, turns: Tensor) -> Tensor:
    """Images [..., channels, height, width] turned by `turns` times 90 degrees, [...]."""
    turns = turns[..., None, None, None]
    images = torch.where(turns >= 2, images.flip((-2, -1)), images)
    return torch.where(turns % 2 == 1, torch.rot90(images, 1, (-2, -1)), images)


def _shuffled(indices: Tensor, size: int, seed: int) -> Tensor:
    """A random order of `size` items for each episode, [tasks, size]."""
    return keyed_uniform(indices, seed, size).argsort(1)

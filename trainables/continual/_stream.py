"""The stream: classes in an order, divided into tasks, and handed out task by task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import torch
from torch import Tensor

from trainables.data import DataView
from trainables.randomness import derive_seed, permutation
from trainables.ranks import ALONE, Ranks
from trainables.tensors import TensorExamples


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A pre-trained backbone.

    Attributes:
        model: the name of its model.
        data: what it was trained on.
        weights: by name in the model.
    """

    model: str
    data: str
    weights: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class StreamView(DataView):
    """A data set that is to come as a stream.

    Attributes:
        tasks: how many tasks the classes are divided into.
        memory: examples of earlier tasks that an algorithm may keep.
        development_tasks: how many tasks of the development order the search sees; 0 for all
            tasks in orders of its own.
        development_seed: decides the development order.
        pretrained: the backbone to start from, or None.
    """

    tasks: int
    memory: int
    development_tasks: int
    development_seed: int
    pretrained: Pretrained | None


@dataclass(frozen=True, eq=False)
class StreamData:
    """A stream's data on the training device.

    Attributes:
        train, validation: the examples.
        classes: the number of classes.
        tasks: how many tasks they are divided into.
        order: the order of the classes if it is fixed; None where a learner's seed decides.
        view: what was loaded.
        backbone: weights to start from, or None.
    """

    train: TensorExamples
    validation: TensorExamples
    classes: int
    tasks: int
    order: tuple[int, ...] | None
    view: StreamView
    backbone: dict[str, Tensor] | None

    @property
    def ranks(self) -> Ranks:
        """The ranks that train together on it."""
        return self.train.ranks

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.train.inputs.shape[1:])

    @classmethod
    def of(cls, view: StreamView, device: torch.device, ranks: Ranks = ALONE) -> StreamData:
        """A loaded view on a device."""
        weights = None if view.pretrained is None else view.pretrained.weights
        return cls(
            train=TensorExamples.of(view.train, device, ranks),
            validation=TensorExamples.of(view.validation, device, ranks),
            classes=view.num_classes,
            tasks=view.tasks,
            order=None,
            view=view,
            backbone=weights and {name: value.to(device) for name, value in weights.items()},
        )

    @cached_property
    def development(self) -> StreamData:
        """What the search may see: the first tasks of one order, without all other classes."""
        tasks = self.view.development_tasks
        if not tasks:
            return self
        classes = tasks * (self.classes // self.tasks)
        chosen = self._development_order[:classes]
        device = self.train.labels.device
        numbers = torch.full((self.classes,), -1, dtype=torch.int64, device=device)
        numbers[torch.tensor(chosen, device=device)] = torch.arange(classes, device=device)
        return replace(
            self,
            train=_renumbered(self.train, numbers),
            validation=_renumbered(self.validation, numbers),
            classes=classes,
            tasks=tasks,
            order=tuple(range(classes)),
        )

    @property
    def _development_order(self) -> list[int]:
        return permutation(self.classes, self.view.development_seed).tolist()

    def order_of(self, seed: int) -> tuple[int, ...]:
        """The classes in the order of a seed: one whose tasks the search has not seen."""
        if self.order is not None:
            return self.order
        for attempt in count():
            drawn = permutation(self.classes, derive_seed(seed, "class order", attempt)).tolist()
            if not self.view.development_tasks or not self._begins_like_development(drawn):
                return tuple(drawn)
        raise AssertionError

    def _begins_like_development(self, order: list[int]) -> bool:
        size, development = self.classes // self.tasks, self._development_order
        starts = range(0, size * self.view.development_tasks, size)
        return all(set(order[i : i + size]) == set(development[i : i + size]) for i in starts)


def _renumbered(examples: TensorExamples, numbers: Tensor) -> TensorExamples:
    """The examples of the classes that have a number, under it."""
    labels = numbers[examples.labels]
    rows = (labels >= 0).nonzero().squeeze(1)
    return replace(examples, inputs=examples.inputs[rows], labels=labels[rows])


class Stream:
    """Data in the order of a seed. Labels are places in that order, so heads can grow.

    Whoever trains on a task is handed copies of its examples and nothing from which the rest could
    be reached.
    """

    def __init__(self, data: StreamData, seed: int) -> None:
        order = data.order_of(seed)
        self.data, self.tasks = data, data.tasks
        self.size = data.classes // data.tasks
        device = data.train.labels.device
        self._places = torch.empty(data.classes, dtype=torch.int64, device=device)
        self._places[torch.tensor(order, device=device)] = torch.arange(
            data.classes, device=device
        )

    def train(self, task: int) -> TensorExamples:
        """The training examples of a task."""
        return self._of(self.data.train, task)

    def validation(self, task: int) -> TensorExamples:
        """The validation examples of a task."""
        return self._of(self.data.validation, task)

    def places(self, labels: Tensor) -> Tensor:
        """The places of classes in the order."""
        return self._places[labels]

    def _of(self, examples: TensorExamples, task: int) -> TensorExamples:
        places = self.places(examples.labels)
        rows = (places // self.size == task).nonzero().squeeze(1)
        return replace(examples, inputs=examples.inputs[rows], labels=places[rows])

"""The stream: classes in an order, divided into tasks, and handed out task by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, count

import torch
from torch import Tensor

from trainables.data import DataView
from trainables.foundation.randomness import derive_seed, permutation
from trainables.learning.pretraining import Backbone
from trainables.learning.tensors import TensorExamples, TensorView
from trainables.ranks.ranks import ALONE, Ranks

Tasks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class StreamView(DataView):
    """A data set that is to come as a stream; inputs are as they were stored, not standardised.

    Attributes:
        sizes: how many classes each task has; of groups, none.
        groups: the classes of each task, where tasks are groups of classes; else empty, and any
            order of the classes is divided by the sizes.
        groups_in_all: of how many groups those were drawn.
        memory: examples of earlier tasks that an algorithm may keep.
        hpo_protocol: what the search may see.
        development: the tasks that it sees, in order; empty where it sees whole streams.
        transfer: the stream that it sees in place of this one, or None.
        pretrained: the backbone to start from, or None.
    """

    sizes: tuple[int, ...]
    groups: Tasks
    groups_in_all: int
    memory: int
    hpo_protocol: str
    development: Tasks
    transfer: StreamView | None
    pretrained: Backbone | None

    @property
    def tasks(self) -> int:
        """Number of tasks that the classes are divided into."""
        return len(self.groups or self.sizes)


def draw_tasks(sizes: Sequence[int], groups: Tasks, seed: int) -> Tasks:
    """The tasks of a seed: the groups in an order, or the classes in one, divided by sizes."""
    if groups:
        return tuple(groups[place] for place in permutation(len(groups), seed).tolist())
    order, ends = permutation(sum(sizes), seed).tolist(), list(accumulate(sizes))
    starts = [0, *ends[:-1]]
    return tuple(tuple(order[a:b]) for a, b in zip(starts, ends, strict=True))


@dataclass(frozen=True, eq=False)
class StreamData(TensorView):
    """A stream's data on the training device.

    Attributes:
        sizes: as in the view.
        groups: as in the view.
        memory: examples of earlier tasks that an algorithm may keep.
        backbone: what to start from, or None.
        seen: the tasks that the search sees, in order; empty if all.
        transfer: the stream that it sees in place of this one, or None.
        fixed: the tasks in their order if that is given; else a learner's seed decides.
        kept: which features are never standardised, or None.
    """

    sizes: tuple[int, ...]
    groups: Tasks
    memory: int
    backbone: Backbone | None
    seen: Tasks = ()
    transfer: StreamData | None = None
    fixed: Tasks = ()
    kept: Tensor | None = None

    @property
    def tasks(self) -> int:
        """Number of tasks that the classes are divided into."""
        return len(self.groups or self.sizes)

    @classmethod
    def of(cls, view: DataView, device: torch.device, ranks: Ranks = ALONE) -> StreamData:
        """A loaded stream on a device."""
        assert isinstance(view, StreamView)
        return cls(
            **vars(TensorView.of(view, device, ranks)),
            sizes=view.sizes,
            groups=view.groups,
            memory=view.memory,
            backbone=view.pretrained,
            seen=view.development,
            transfer=None if view.transfer is None else cls.of(view.transfer, device, ranks),
            kept=None if view.kept is None else torch.from_numpy(view.kept).to(device),
        )

    @cached_property
    def development(self) -> StreamData:
        """The data that the search may see, without any way to reach the rest."""
        if self.transfer is not None:
            return self.transfer
        if not self.seen:
            return self
        chosen = list(chain(*self.seen))
        device = self.train.labels.device
        numbers = torch.full((self.num_classes,), -1, dtype=torch.int64, device=device)
        numbers[torch.tensor(chosen, device=device)] = torch.arange(len(chosen), device=device)
        ends = list(accumulate(map(len, self.seen)))
        starts = [0, *ends[:-1]]
        return StreamData(
            train=_renumbered(self.train, numbers),
            validation=_renumbered(self.validation, numbers),
            num_classes=len(chosen),
            sizes=tuple(map(len, self.seen)),
            groups=(),
            memory=self.memory,
            backbone=self.backbone,
            kept=self.kept,
            fixed=tuple(tuple(range(a, b)) for a, b in zip(starts, ends, strict=True)),
        )

    def tasks_of(self, seed: int) -> Tasks:
        """The tasks in the order of a seed: one that does not begin as the search's does."""
        if self.fixed:
            return self.fixed
        for attempt in count():
            seed_of_order = derive_seed(seed, "class order", attempt)
            drawn = draw_tasks(self.sizes, self.groups, seed_of_order)
            if not self.seen or not _same(drawn[: len(self.seen)], self.seen):
                return drawn
        raise AssertionError


def _same(some: Tasks, others: Tasks) -> bool:
    return [set(task) for task in some] == [set(task) for task in others]


def _renumbered(examples: TensorExamples, numbers: Tensor) -> TensorExamples:
    """The examples of the classes that have a number, under it."""
    labels = numbers[examples.labels]
    rows = (labels >= 0).nonzero().squeeze(1)
    return examples.take(rows, labels[rows])


class Stream:
    """Data in the order of a seed. Labels are places in that order, so heads can grow.

    Whoever trains on a task is handed copies of its examples and nothing from which the rest could
    be reached.

    Attributes:
        tasks: how many there are.
        sizes: how many classes each has.
    """

    def __init__(self, data: StreamData, seed: int) -> None:
        drawn = data.tasks_of(seed)
        self.data, self.tasks = data, len(drawn)
        self.sizes = [len(classes) for classes in drawn]
        self._places = self._by_class(list(chain(*drawn)), range(data.num_classes))
        numbers = [task for task, size in enumerate(self.sizes) for _ in range(size)]
        self._task_of = self._by_class(list(chain(*drawn)), numbers)

    def _by_class(self, order: Sequence[int], values: Sequence[int]) -> Tensor:
        """The values [classes] by class, given in the order of the stream."""
        device = self.data.train.labels.device
        found = torch.empty(len(order), dtype=torch.int64, device=device)
        found[torch.tensor(order, device=device)] = torch.tensor(values, device=device)
        return found

    def train(self, task: int) -> TensorExamples:
        """The training examples of a task."""
        return self._of(self.data.train, task)

    def validation(self, task: int) -> TensorExamples:
        """The validation examples of a task."""
        return self._of(self.data.validation, task)

    def places(self, labels: Tensor) -> Tensor:
        """The places of classes in the order."""
        return self._places[labels]

    def task_of(self, labels: Tensor) -> Tensor:
        """The tasks of classes."""
        return self._task_of[labels]

    def counts(self, examples: TensorExamples) -> list[int]:
        """Number of the examples in each task."""
        counted: list[int] = self.task_of(examples.labels).bincount(minlength=self.tasks).tolist()
        return counted

    def _of(self, examples: TensorExamples, task: int) -> TensorExamples:
        rows = (self.task_of(examples.labels) == task).nonzero().squeeze(1)
        labels = self.places(examples.labels[rows])
        return examples.take(rows, labels)

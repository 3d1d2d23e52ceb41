"""The tasks that a search sees, and those of the sealed test: loaded, and on a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import InputError
from trainables.data import (
    ClassSplit,
    ClassView,
    DataSpec,
    DataView,
    Examples,
    OpeningLog,
    flag_of,
    hashes_of_classes,
    load_class_view,
    open_test_classes,
)
from trainables.foundation.randomness import derive_seed
from trainables.learning.tensors import TensorExamples
from trainables.ranks.ranks import Ranks
from trainables.scenarios.meta_learning.episodes import ClassTasks, FixedEpisodes, Tasks
from trainables.scenarios.meta_learning.problems import Classification, Problem, Regression
from trainables.scenarios.meta_learning.settings import Settings, SinusoidSettings
from trainables.scenarios.meta_learning.sinusoids import SinusoidTasks

SINUSOID = "sinusoid"
TURNS = 4


@dataclass(frozen=True)
class TaskData:
    """A search's tasks on a device.

    Attributes:
        training: the tasks to learn from.
        validation: fixed episodes of other classes.
    """

    training: Tasks
    validation: FixedEpisodes

    @property
    def ranks(self) -> Ranks:
        """The ranks that train together on them."""
        return self.training.ranks


class TaskView(Protocol):
    """A view whose tasks can be put on a device."""

    def on_device(self, device: torch.device, ranks: Ranks) -> TaskData:
        """The tasks of training and validation."""
        ...


class SealedEpisodes(ABC):
    """The items of the verdict, as arrays that can travel."""

    @abstractmethod
    def on_device(self, device: torch.device) -> FixedEpisodes:
        """The fixed episodes of the sealed test."""


@final
@dataclass(frozen=True, eq=False)
class FewShotView(ClassView):
    """Classes to train on and others to validate on, with the size of their tasks."""

    settings: Settings
    rotations: int = 1
    seed: int = 0

    @property
    def problem(self) -> Problem:
        """The kind of problem of its tasks."""
        return Classification(self.settings.ways)

    @property
    def task_classes(self) -> int:
        """Different classes to train on, those made by rotation among them."""
        return len(self.classes) * self.rotations

    def about_tasks(self) -> list[str]:
        """Caveats printed with every verdict on its tasks."""
        size = self.settings
        turned = ", each class turned by quarters making three more" if self.rotations > 1 else ""
        return [
            f"Classes split {self.split}",
            f"Tasks: {size.ways}-way {size.shots}-shot, {size.queries} queries a class{turned}; "
            "each query is predicted alone, where published MAML figures normalise over all "
            "queries of a task.",
        ]

    def on_device(self, device: torch.device, ranks: Ranks) -> TaskData:
        """The tasks of training and validation."""
        training, validation = (
            ClassTasks(TensorExamples.of(part, device, ranks), self.settings.ways, self.rotations)
            for part in (self.train, self.validation)
        )
        seed, count = derive_seed(self.seed, "validation"), self.settings.validation_episodes
        fixed = FixedEpisodes(validation, self.settings.shape, count, seed)
        return TaskData(training, fixed)


@final
@dataclass(frozen=True, eq=False)
class SealedFewShot(SealedEpisodes):
    """The sealed classes' examples, and which episodes of them are the items."""

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    settings: Settings
    rotations: int
    seed: int

    def on_device(self, device: torch.device) -> FixedEpisodes:
        examples = TensorExamples.of(Examples(self.inputs, self.labels), device)
        tasks = ClassTasks(examples, self.settings.ways, self.rotations)
        return FixedEpisodes(tasks, self.settings.shape, self.settings.test_episodes, self.seed)


@final
@dataclass(frozen=True, eq=False)
class SinusoidView(DataView):
    """Sinusoids: there is nothing to load, and no task comes up twice."""

    settings: SinusoidSettings = field(default_factory=SinusoidSettings)
    seed: int = 0

    @property
    def problem(self) -> Problem:
        """The kind of problem of its tasks."""
        return Regression()

    @property
    def task_classes(self) -> int:
        """There are none to tell apart."""
        return 1

    def about_tasks(self) -> list[str]:
        """Caveats printed with every verdict on its tasks."""
        size = self.settings
        return [f"Tasks: sinusoids of {size.shots} labelled points, {size.queries} to predict."]

    def on_device(self, device: torch.device, ranks: Ranks) -> TaskData:
        """The tasks of training and validation."""
        seed, count = derive_seed(self.seed, "validation"), self.settings.validation_episodes
        tasks = SinusoidTasks(device, ranks)
        return TaskData(tasks, FixedEpisodes(tasks, self.settings.shape, count, seed))


@final
@dataclass(frozen=True, eq=False)
class SealedSinusoids(SealedEpisodes):
    """The sinusoids that are the items."""

    settings: SinusoidSettings
    seed: int

    def on_device(self, device: torch.device) -> FixedEpisodes:
        shape, count = self.settings.shape, self.settings.test_episodes
        return FixedEpisodes(SinusoidTasks(device), shape, count, self.seed)


def load_tasks(
    data: DataSpec, settings: Settings | SinusoidSettings
) -> FewShotView | SinusoidView:
    """The view of some data: sinusoids by their name, classes of labelled examples else.

    Raises:
        InputError: if the data cannot be used, or has too few classes for the ways.
    """
    if isinstance(settings, SinusoidSettings):
        return _sinusoids(data, settings)
    view = load_class_view(data, _split(settings), others=[SINUSOID])
    return FewShotView(
        **{each.name: getattr(view, each.name) for each in fields(ClassView)},
        settings=settings,
        rotations=_rotations(settings, view.turned_classes, view.input_shape),
        seed=data.seed,
    )


def open_test_tasks(
    data: DataSpec,
    settings: Settings | SinusoidSettings,
    log: OpeningLog,
    fingerprint: str,
) -> SealedEpisodes:
    """Opens the sealed test: noted in `log` first.

    Raises:
        InputError: the data is no longer what the view was made from, or is not usable.
    """
    seed = derive_seed(data.seed, "test")
    if isinstance(settings, SinusoidSettings):
        log.record_opening(fingerprint)
        return SealedSinusoids(settings, seed)
    test = open_test_classes(data, _split(settings), log, fingerprint)
    rotations = _rotations(settings, test.turned_classes, test.inputs.shape[1:])
    return SealedFewShot(test.inputs, test.labels, settings, rotations, seed)


def examples_of_tasks(
    data: DataSpec, settings: Settings | SinusoidSettings, sealed: bool
) -> NDArray[np.uint64]:
    """Numbers of the examples that tasks are drawn from, see `hashes_of`; none of sinusoids."""
    if isinstance(settings, SinusoidSettings):
        return np.empty(0, np.uint64)
    return hashes_of_classes(data, _split(settings), sealed)


def _split(settings: Settings) -> ClassSplit:
    shape = settings.shape
    examples = shape.shots + shape.queries
    return ClassSplit(shape.ways, examples, settings.training_classes, settings.split)


def _rotations(settings: Settings, customary: bool, input_shape: tuple[int, ...]) -> int:
    turned = settings.rotations == "always" or (settings.rotations == "default" and customary)
    if turned and (len(input_shape) != 3 or input_shape[1] != input_shape[2]):
        raise InputError(
            f"rotations: got '{settings.rotations}', but inputs of shape {list(input_shape)} are "
            "no square images that could be turned by 90 degrees."
        )
    return TURNS if turned else 1


def _sinusoids(data: DataSpec, settings: SinusoidSettings) -> SinusoidView:
    data.refuse_changes("sinusoids have no labels")
    if data.options:
        given = ", ".join(map(flag_of, data.options))
        raise InputError(f"{given}: data '{SINUSOID}' takes no options.")
    nothing = Examples(np.empty((0, 1), np.float32), np.empty(0, np.int64))
    return SinusoidView(
        train=nothing,
        validation=nothing,
        classes=("y",),
        name=SINUSOID,
        fingerprint=f"{derive_seed(data.seed, SINUSOID, settings):016x}",
        mean=np.zeros((1, 1)),
        scale=np.ones((1, 1)),
        settings=settings,
        seed=data.seed,
    )

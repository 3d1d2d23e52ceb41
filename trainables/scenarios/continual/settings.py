"""The settings of a search's stream, and the stream that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np

from search_spaces import Categorical, InputError, Int
from trainables.data import DataSpec, DataView, Examples, class_groups, hashes_of, load_view
from trainables.foundation.randomness import derive_seed, permutation
from trainables.learning.pretraining import Backbone, read_backbone
from trainables.scenarios.continual.stream import StreamView, Tasks, draw_tasks

WHERE = "settings of continual"
PROTOCOLS = ["dev_tasks", "first_task", "fixed", "transfer", "oracle_stream"]


@dataclass(frozen=True)
class Settings:
    """The settings of the stream.

    Attributes:
        tasks: how many tasks there are.
        task_sizes: how many classes each task has, such as `3,2,2`; nothing for tasks as even as
            can be, the first ones having a class more where that is needed.
        task_by: what a task is: some of the classes (`class`), or a group of classes called
            GROUP/CLASS (`group`), of which the data's seed draws as many as are needed.
        memory: examples of earlier tasks that an algorithm may keep.
        hpo_protocol: what the search sees. `dev_tasks`: the first `dev_tasks` of one development
            order; `first_task`: the first of them; `fixed`: nothing is tuned, and the same tasks
            decide who is put to the test; `transfer`: a stream of `transfer_data`;
            `oracle_stream`: the whole stream, which nobody has in practice.
        dev_tasks: how many.
        transfer_data: other data, for `transfer`.
        backbone: a file that `automl-cl pretrain` wrote, or nothing.
    """

    tasks: Annotated[int, Int(2, 1000)] = 5
    task_sizes: str = ""
    task_by: Annotated[str, Categorical(["class", "group"])] = "class"
    memory: Annotated[int, Int(0, 10_000_000)] = 200
    hpo_protocol: Annotated[str, Categorical(PROTOCOLS)] = "dev_tasks"
    dev_tasks: Annotated[int, Int(2, 1000)] = 3
    transfer_data: str = ""
    backbone: str = ""

    @property
    def searched_tasks(self) -> int:
        """Number of the stream's tasks that the search sees; 0 if tasks do not limit it."""
        if self.hpo_protocol == "first_task":
            return 1
        return self.dev_tasks if self.hpo_protocol in ("dev_tasks", "fixed") else 0


def load_stream(data: DataSpec, settings: Settings) -> StreamView:
    """Loads data as a stream.

    Raises:
        InputError: if its classes cannot be divided so, or the search or the backbone would know
            its examples from elsewhere, or does not suit them.
    """
    seed = derive_seed(data.seed, "development order")
    view = stream_view(load_view(data, standardised=False), settings, seed)
    if settings.backbone:
        view = replace(view, pretrained=_backbone(settings.backbone, view, data))
    if settings.hpo_protocol == "transfer":
        view = replace(view, transfer=_transfer(view, settings, data))
    elif settings.transfer_data:
        raise InputError(
            f"{WHERE}.transfer_data: given, but hpo_protocol is {settings.hpo_protocol}; leave it "
            "out, or set hpo_protocol=transfer."
        )
    return view


def stream_view(view: DataView, settings: Settings, seed: int) -> StreamView:
    """A view, its inputs not standardised, as a stream; `seed` draws groups and development.

    Raises:
        InputError: if its classes cannot be divided so.
    """
    groups: Tasks = ()
    in_all = len(class_groups(view.classes))
    if settings.task_by == "group":
        kept = drawn_classes(view.name, view.classes, settings.tasks, seed)
        view = _only(view, kept)
        groups = tuple(map(tuple, class_groups(view.classes).values()))
        sizes: tuple[int, ...] = ()
    else:
        sizes = sizes_of(view, settings)
    if settings.searched_tasks >= settings.tasks:
        raise InputError(
            f"{WHERE}.dev_tasks: got {settings.dev_tasks}, must be fewer than tasks "
            f"({settings.tasks}); or set hpo_protocol=first_task."
        )
    drawn = draw_tasks(sizes, groups, seed)
    return StreamView(
        **vars(view),
        sizes=sizes,
        groups=groups,
        groups_in_all=in_all,
        memory=settings.memory,
        hpo_protocol=settings.hpo_protocol,
        development=drawn[: settings.searched_tasks],
        transfer=None,
        pretrained=None,
    )


def named_sizes(given: object) -> tuple[int, ...]:
    """Sizes of tasks as a search names them, such as `3,2,2`; empty if it names none.

    Raises:
        InputError: if they are not whole numbers from 1, at least two of them.
    """
    if given == "":
        return ()
    words = given.split(",") if isinstance(given, str) else []
    if len(words) < 2 or not all(word.strip().isdecimal() and int(word) for word in words):
        raise InputError(
            f"{WHERE}.task_sizes: got {given!r}, expected a whole number from 1 for each of at "
            "least two tasks, such as 3,2,2."
        )
    return tuple(map(int, words))


def sizes_of(view: DataView, settings: Settings) -> tuple[int, ...]:
    """Number of the data's classes in each task.

    Raises:
        InputError: if there are too few classes, or the sizes given do not add up to all.
    """
    sizes, classes = named_sizes(settings.task_sizes), view.num_classes
    if not sizes and settings.tasks > classes:
        raise InputError(
            f"{WHERE}.tasks: got {settings.tasks}, but data '{view.name}' has {classes} classes; "
            f"allowed: 2 to {classes}."
        )
    if sizes and sum(sizes) != classes:
        raise InputError(
            f"{WHERE}.task_sizes: {settings.task_sizes} make {sum(sizes)} classes, but data "
            f"'{view.name}' has {classes}; they must add up to that."
        )
    least, more = divmod(classes, settings.tasks)
    return sizes or (least + 1,) * more + (least,) * (settings.tasks - more)


def drawn_classes(name: str, classes: Sequence[str], tasks: int, seed: int) -> list[int]:
    """The classes of as many groups as there are tasks, drawn by a seed; ascending.

    Raises:
        InputError: if the data has no groups, or too few.
    """
    groups = list(class_groups(classes).values())
    if len(groups) < 2:
        raise InputError(
            f"{WHERE}.task_by: got 'group', but the classes of data '{name}' are not called "
            f"GROUP/CLASS (the first is '{classes[0]}'); set task_by=class."
        )
    if tasks > len(groups):
        raise InputError(
            f"{WHERE}.tasks: got {tasks}, but data '{name}' has {len(groups)} groups of classes; "
            f"allowed: 2 to {len(groups)}."
        )
    drawn = permutation(len(groups), derive_seed(seed, "groups"))[:tasks].tolist()
    return sorted(chain(*(groups[group] for group in drawn)))


def only_classes(examples: Examples, kept: Sequence[int], classes: int) -> Examples:
    """The examples of some classes, numbered in this order."""
    numbers = np.full(classes, -1, dtype=np.int64)
    numbers[list(kept)] = np.arange(len(kept))
    labels = numbers[examples.labels]
    rows = labels >= 0
    return replace(examples.take(rows), labels=labels[rows])


def _only(view: DataView, kept: Sequence[int]) -> DataView:
    return replace(
        view,
        train=only_classes(view.train, kept, view.num_classes),
        validation=only_classes(view.validation, kept, view.num_classes),
        classes=tuple(view.classes[number] for number in kept),
    )


def _transfer(view: StreamView, settings: Settings, data: DataSpec) -> StreamView:
    """The stream that the search sees in place of the verdict's."""
    where = f"{WHERE}.transfer_data"
    if not settings.transfer_data:
        raise InputError(f"{where} is missing: hpo_protocol=transfer searches on other data.")
    other = DataSpec(
        settings.transfer_data,
        data.noise,
        data.seed,
        imbalance=data.imbalance,
        clean=data.clean,
        clean_validation=data.clean_validation,
    )
    whole = replace(
        settings, hpo_protocol="oracle_stream", transfer_data="", backbone="", task_sizes=""
    )
    found = load_stream(other, whole)
    if found.input_shape != view.input_shape:
        raise InputError(
            f"{where}: inputs of '{found.name}' have shape {list(found.input_shape)}, those of "
            f"'{view.name}' {list(view.input_shape)}; they must be the same."
        )
    shared = np.intersect1d(hashes_of(other, sealed=False), hashes_of(data, sealed=True)).size
    if shared:
        raise InputError(
            f"{where}: {shared} examples of '{found.name}' are also in '{view.name}', which the "
            "search is not to see; choose other data."
        )
    return replace(found, pretrained=view.pretrained)


def _backbone(file: str, view: StreamView, data: DataSpec) -> Backbone:
    where = f"{WHERE}.backbone: {file}"
    backbone = read_backbone(Path(file))
    shared = np.intersect1d(backbone.examples, hashes_of(data, sealed=True)).size
    if shared:
        raise InputError(
            f"{where} was pre-trained on {shared} of the stream's own examples ('{backbone.data}' "
            f"and '{view.name}' have them in common); pre-train it on other data."
        )
    built, _ = backbone.built(view.input_shape)
    shapes = {name: value.shape for name, value in built.state_dict().items()}
    if shapes != {name: value.shape for name, value in backbone.weights.items()}:
        raise InputError(
            f"{where} is a {backbone.name} for inputs of another shape than "
            f"{list(view.input_shape)}."
        )
    return backbone

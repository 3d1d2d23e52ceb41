"""The continual scenario."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import Config, InputError, Part, Space, from_config, narrowed, option
from trainables.data import DataSpec, DataView, Examples, OpeningLog, load_view, open_test
from trainables.foundation.randomness import derive_seed
from trainables.learning.learner import DeviceData, Learner
from trainables.learning.model_check import check_model, ends_in_linear
from trainables.parts.model import Model
from trainables.ranks.ranks import ALONE, Ranks
from trainables.scenarios.continual.continual import Continual
from trainables.scenarios.continual.learner import ContinualLearner
from trainables.scenarios.continual.recipe import Recipe
from trainables.scenarios.continual.settings import (
    Settings,
    drawn_classes,
    load_stream,
    named_sizes,
    only_classes,
)
from trainables.scenarios.continual.stream import StreamData, StreamView
from trainables.scenarios.scenario import Scenario

SMALL = 256


class ContinualScenario(Scenario):
    """Class-incremental learning; the algorithm decides what is done against forgetting.

    The metric is Last-Acc, the accuracy over all classes of what is there when the stream ends:
    one model, whose weights can be exported, and a score of 0 or 1 for each test item. Inc-Acc
    would weigh items by when their class came, and need the model of each task kept and scored;
    it is reported on validation, with forgetting and the accuracy matrix.
    """

    name = "continual"
    settings = Settings
    recipe = Recipe
    algorithm = Continual
    baseline = "fine_tuning"
    metric = "last_accuracy"
    mode = "max"
    secondary: ClassVar[Mapping[str, str]] = {
        "loss": "min",
        "incremental_accuracy": "max",
        "forgetting": "min",
    }

    def with_settings(self, given: Mapping[str, Any], source: str = "") -> Any:
        """The settings; sizes of tasks say how many there are."""
        sizes = named_sizes(given.get("task_sizes", ""))
        settings = super().with_settings({**({"tasks": len(sizes)} if sizes else {}), **given})
        if sizes and settings.tasks != len(sizes):
            raise InputError(
                f"settings of continual.tasks: got {settings.tasks}, but task_sizes "
                f"{settings.task_sizes} are of {len(sizes)} tasks; leave one of them out."
            )
        if sizes and settings.task_by == "group":
            raise InputError(
                "settings of continual.task_sizes: with task_by=group each task is a whole group; "
                "leave one of them out."
            )
        return settings

    def load(self, data: DataSpec, settings: Settings) -> StreamView:
        return load_stream(data, settings)

    def open_test(
        self, data: DataSpec, settings: Settings, log: OpeningLog, fingerprint: str
    ) -> Examples:
        items = open_test(data, log, fingerprint, standardised=False)
        if settings.task_by == "class":
            return items
        view = load_view(data, standardised=False)
        seed = derive_seed(data.seed, "development order")
        kept = drawn_classes(view.name, view.classes, settings.tasks, seed)
        return only_classes(items, kept, view.num_classes)

    def on_device(self, view: Any, device: torch.device, ranks: Ranks = ALONE) -> DeviceData:
        return StreamData.of(view, device, ranks)

    def in_search(self, data: Any) -> Any:
        return data.development

    def searched(self, space: Space, view: DataView) -> Space:
        """Return the space with defaults where the protocol tunes nothing."""
        assert isinstance(view, StreamView)
        if view.pretrained is not None:
            view.pretrained.require(from_config(Recipe, space.default()).model)
        if view.hpo_protocol == "fixed":
            return space.with_defaults(lambda path: path != ("algorithm",))
        if view.hpo_protocol == "first_task":
            return space.with_defaults(_without_effect_on_one_task)
        return space

    def parts_of_test(self, view: DataView, items: Any) -> dict[str, NDArray[np.bool_]]:
        assert isinstance(view, StreamView)
        if not view.development:
            return {}
        seen = [number for task in view.development for number in task]
        return {"of classes that no trial of the search saw": ~np.isin(items.labels, seen)}

    def notes(self, view: DataView, model: Model) -> list[str]:
        assert isinstance(view, StreamView)
        if not view.groups:
            tasks = _sizes_in_words(view.sizes)
        else:
            sizes = [len(group) for group in view.groups]
            tasks = (
                f"The {view.tasks} tasks are groups of classes, of {min(sizes)} to {max(sizes)} "
                f"classes, {view.tasks} of {view.groups_in_all} groups drawn by the data's seed."
            )
        start = model.starts_from or "no pre-trained backbone"
        if view.pretrained is not None:
            start = f"a {view.pretrained.name} backbone pre-trained on {view.pretrained.data}"
        start = f"Every learner started from {start}; memory: {view.memory} examples."
        return [f"hpo_protocol {view.hpo_protocol}: {_protocol(view)}", tasks, start]

    def columns_of(self, view: DataView) -> Collection[str]:
        """Return the columns of the stream, and of the one that is searched in its place."""
        found = set(view.train.columns)
        if isinstance(view, StreamView) and view.transfer is not None:
            found &= set(view.transfer.train.columns)
        return found

    def admits(self, part: type[Part], view: DataView) -> bool:
        """Return False for every model but that of the backbone, if there is one."""
        start = view.pretrained if isinstance(view, StreamView) else None
        return start is None or not issubclass(part, Model) or part.part_name() == start.model

    def shaped(self, space: Space, view: DataView) -> Space:
        """Return the space with the sizes of the backbone."""
        start = view.pretrained if isinstance(view, StreamView) else None
        return space if start is None else narrowed(space, {f"model.{start.model}": start.sizes})

    def default_model(self, view: DataView) -> str:
        """The backbone's; else a CNN for images of more than 256 values, and an MLP."""
        if isinstance(view, StreamView) and view.pretrained is not None:
            return view.pretrained.name
        images = len(view.input_shape) == 3 and math.prod(view.input_shape) > SMALL
        return "cnn" if images else "mlp"

    def check_model(self, model: Model, view: DataView) -> None:
        network = check_model(model, view.input_shape, view.num_classes)
        with torch.random.fork_rng(devices=[]):
            model.build_backbone(view.input_shape)
        if not ends_in_linear(network, view.input_shape):
            raise InputError(
                f"--model {model.full_name}: its last torch.nn.Linear is not its last layer, and "
                "continual learning puts the heads of the tasks in place of that."
            )

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        recipe = from_config(Recipe, config)
        if data.backbone is not None:
            data.backbone.require(recipe.model)
        return ContinualLearner(recipe, data, seed, device)


def _sizes_in_words(sizes: Sequence[int]) -> str:
    if len(set(sizes)) == 1:
        return f"The {len(sizes)} tasks have {sizes[0]} {_classes(sizes[0])} each."
    counts = {size: sizes.count(size) for size in sorted({*sizes})}
    of_size = [
        f"{count} {'has' if count == 1 else 'have'} {size} {_classes(size)}"
        for size, count in counts.items()
    ]
    return f"Of the {len(sizes)} tasks {', '.join(of_size[:-1])} and {of_size[-1]}."


def _classes(count: int) -> str:
    return "class" if count == 1 else "classes"


def _without_effect_on_one_task(path: tuple[str, ...]) -> bool:
    if len(path) != 3 or path[0] != "algorithm":
        return False
    chosen = option(Continual, path[1])  # type: ignore[type-abstract]
    return path[2] in chosen.stability


def _protocol(view: StreamView) -> str:
    """Describe the data that the search saw, in a sentence."""
    first = (
        f"the first {len(view.development)} of {view.tasks} tasks of one order; the verdict is "
        "on whole streams in other orders."
    )
    match view.hpo_protocol:
        case "fixed":
            return (
                "nothing was tuned, every algorithm has its published defaults; who is put to the "
                f"test was decided on {first}"
            )
        case "first_task":
            return (
                "the search saw the first task of one order. What only matters once there are "
                "earlier tasks (penalties, replay, alignment) has no effect there and kept its "
                "published defaults, and algorithms that differ in nothing else cannot be told "
                "apart; the verdict is on whole streams in other orders."
            )
        case "transfer":
            assert view.transfer is not None
            return f"the search saw streams of {view.transfer.name} and nothing of {view.name}."
        case "oracle_stream":
            return (
                "NOT REALISTIC: the search saw whole streams, which nobody has before they are "
                "over; an upper reference only."
            )
    return f"the search and its confirmation saw {first}"


SCENARIO = ContinualScenario()

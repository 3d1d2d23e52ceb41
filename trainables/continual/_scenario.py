"""The continual scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from search_spaces import (
    Categorical,
    Config,
    InputError,
    Int,
    Part,
    Space,
    from_config,
    option,
)
from trainables.continual._continual import Continual
from trainables.continual._learner import ContinualLearner
from trainables.continual._recipe import Recipe
from trainables.continual._stream import Pretrained, StreamData, StreamView
from trainables.data import DataSpec, DataView, load_view
from trainables.learner import DeviceData, Learner
from trainables.models import Model, check_model, ends_in_linear, find_model
from trainables.pretraining import read_backbone
from trainables.randomness import derive_seed
from trainables.ranks import ALONE, Ranks
from trainables.scenario import Scenario

SMALL = 256


@dataclass(frozen=True)
class Settings:
    """What the stream is like.

    Attributes:
        tasks: how many tasks the classes are evenly divided into.
        memory: examples of earlier tasks that an algorithm may keep.
        hpo_protocol: what the search sees: the first `dev_tasks` of one development order, or
            the whole stream (`oracle_stream`, which nobody has in practice).
        dev_tasks: how many.
        backbone: a file that `automl-cl pretrain` wrote, or nothing.
    """

    tasks: Annotated[int, Int(2, 1000)] = 5
    memory: Annotated[int, Int(0, 10_000_000)] = 200
    hpo_protocol: Annotated[str, Categorical(["dev_tasks", "oracle_stream"])] = "dev_tasks"
    dev_tasks: Annotated[int, Int(2, 1000)] = 3
    backbone: str = ""


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
    several_workers = False

    def load(self, data: DataSpec, settings: Settings) -> StreamView:
        return stream_view(load_view(data), settings, derive_seed(data.seed, "development order"))

    def on_device(self, view: Any, device: torch.device, ranks: Ranks = ALONE) -> DeviceData:
        return StreamData.of(view, device, ranks)

    def in_search(self, data: Any) -> Any:
        return data.development

    def notes(self, view: DataView, model: Model) -> list[str]:
        assert isinstance(view, StreamView)
        if view.development_tasks:
            said = (
                f"hpo_protocol dev_tasks: the search saw the first {view.development_tasks} of "
                f"{view.tasks} tasks of one class order, confirmation and verdict whole streams "
                "in other orders."
            )
        else:
            said = "hpo_protocol oracle_stream: the search saw whole streams, not realistic."
        start = model.starts_from or "no pre-trained backbone"
        if view.pretrained is not None:
            start = f"a {view.pretrained.model} backbone pre-trained on {view.pretrained.data}"
        return [said, f"Every learner started from {start}; memory: {view.memory} examples."]

    def space(self, view: DataView) -> Space:
        start = view.pretrained if isinstance(view, StreamView) else None
        kind = find_model(start.model).part_name() if start else ""

        def keep(part: type[Part]) -> bool:
            other = issubclass(part, Model) and start and part.part_name() != kind
            return part.suits(view.input_shape) and not other

        return Space.of(Recipe, keep)

    def default_model(self, view: DataView) -> str:
        """The backbone's; else a CNN for images of more than 256 values, and an MLP."""
        if isinstance(view, StreamView) and view.pretrained is not None:
            return view.pretrained.model
        images = len(view.input_shape) == 3 and math.prod(view.input_shape) > SMALL
        return "cnn" if images else "mlp"

    def check_model(self, model: Model, view: DataView) -> None:
        network = check_model(model, view.input_shape, view.num_classes)
        assert isinstance(view, StreamView)
        start = view.pretrained
        if start is not None and start.model != model.full_name:
            raise InputError(
                f"--model: got '{model.full_name}', but the backbone is of '{start.model}'."
            )
        with torch.random.fork_rng(devices=[]):
            model.build_backbone(view.input_shape)
        if not ends_in_linear(network, view.input_shape):
            raise InputError(
                f"--model {model.full_name}: its last torch.nn.Linear is not its last layer, and "
                "continual learning puts the heads of the tasks in place of that."
            )

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return ContinualLearner(from_config(Recipe, config), data, seed, device)

    def extra_information(self, config: Config) -> str | None:
        chosen = option(Continual, config["algorithm"]["name"])  # type: ignore[type-abstract]
        return chosen.extra_information


def stream_view(view: DataView, settings: Settings, development_seed: int) -> StreamView:
    """A view as a stream.

    Raises:
        InputError: if its classes cannot be divided so, or the backbone does not suit it.
    """
    where = "settings of continual"
    if view.num_classes % settings.tasks:
        allowed = [n for n in range(2, view.num_classes + 1) if view.num_classes % n == 0]
        raise InputError(
            f"{where}.tasks: {view.num_classes} classes cannot be divided evenly into "
            f"{settings.tasks} tasks; allowed: {', '.join(map(str, allowed))}."
        )
    if settings.hpo_protocol == "dev_tasks" and settings.dev_tasks >= settings.tasks:
        raise InputError(
            f"{where}.dev_tasks: got {settings.dev_tasks}, must be fewer than tasks "
            f"({settings.tasks}); or set hpo_protocol=oracle_stream."
        )
    return StreamView(
        **vars(view),
        tasks=settings.tasks,
        memory=settings.memory,
        development_tasks=settings.dev_tasks if settings.hpo_protocol == "dev_tasks" else 0,
        development_seed=development_seed,
        pretrained=_pretrained(settings.backbone, view) if settings.backbone else None,
    )


def _pretrained(file: str, view: DataView) -> Pretrained:
    where = f"settings of continual.backbone: {file}"
    backbone = read_backbone(Path(file))
    if view.name == backbone.data or view.fingerprint == backbone.fingerprint:
        raise InputError(f"{where} was pre-trained on {view.name}, the stream's own data.")
    model = find_model(backbone.model)
    built, _ = model.build_backbone(view.input_shape)
    shapes = {name: value.shape for name, value in built.state_dict().items()}
    if shapes != {name: value.shape for name, value in backbone.weights.items()}:
        raise InputError(
            f"{where} is a {backbone.model} for inputs of another shape than "
            f"{list(view.input_shape)}, or of another size."
        )
    return Pretrained(backbone.model, backbone.data, backbone.weights)


SCENARIO = ContinualScenario()

"""The meta-learning scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from search_spaces import (
    Config,
    InputError,
    Part,
    Space,
    from_config,
    narrowed,
    option,
    with_published,
)
from trainables.data import DataSpec, DataView, OpeningLog
from trainables.foundation.user_code import own_fault
from trainables.learning.learner import Learner
from trainables.learning.model_check import check_model
from trainables.parts.model import Model
from trainables.ranks.ranks import ALONE, Ranks
from trainables.scenarios.meta_learning.learner import EpisodicLearner
from trainables.scenarios.meta_learning.meta_learner import MetaLearner
from trainables.scenarios.meta_learning.networks import normalised_by_support
from trainables.scenarios.meta_learning.problems import Classification, Regression
from trainables.scenarios.meta_learning.recipe import Recipe
from trainables.scenarios.meta_learning.settings import Settings, SinusoidSettings
from trainables.scenarios.meta_learning.sinusoids import SinusoidTasks
from trainables.scenarios.meta_learning.views import (
    SINUSOID,
    FewShotView,
    SealedEpisodes,
    SinusoidView,
    TaskData,
    TaskView,
    examples_of_tasks,
    load_tasks,
    open_test_tasks,
)
from trainables.scenarios.scenario import Scenario

SMALL = 256


class MetaLearning(Scenario):
    """Few-shot tasks of classes never trained on; with the data `sinusoid`, few-shot regression.

    Any labelled data will do that has classes enough to split them. An item of the verdict is a
    fixed episode of sealed test classes, its score the accuracy (or mean squared error) on it. A
    unit of compute is a forward and backward pass of the plain network over all training
    examples, rotations not counted; for sinusoids, over 50,000 points.
    """

    name = "meta_learning"
    settings = Settings
    recipe = Recipe
    algorithm = MetaLearner
    baseline = "simple_shot"
    metric = Classification.metric
    mode = "max"

    def own_data(self) -> Mapping[str, type]:
        return {SINUSOID: SinusoidTasks}

    def settings_for(self, source: str) -> type:
        return SinusoidSettings if source == SINUSOID else Settings

    def notes(self, view: DataView, model: Model) -> list[str]:
        assert isinstance(view, FewShotView | SinusoidView)
        return [*view.about_tasks(), *super().notes(view, model)]

    def load(self, data: DataSpec, settings: Settings | SinusoidSettings) -> DataView:
        return load_tasks(data, settings)

    def open_test(
        self,
        data: DataSpec,
        settings: Settings | SinusoidSettings,
        log: OpeningLog,
        fingerprint: str,
    ) -> SealedEpisodes:
        return open_test_tasks(data, settings, log, fingerprint)

    def examples_of(
        self, data: DataSpec, settings: Settings | SinusoidSettings, sealed: bool
    ) -> NDArray[np.uint64]:
        return examples_of_tasks(data, settings, sealed)

    def for_view(self, view: DataView) -> Scenario:
        return REGRESSION if isinstance(view, SinusoidView) else self

    def on_device(self, view: TaskView, device: torch.device, ranks: Ranks = ALONE) -> TaskData:
        return view.on_device(device, ranks)

    def items_on_device(
        self, items: SealedEpisodes, device: torch.device, ranks: Ranks = ALONE
    ) -> Any:
        return items.on_device(device)

    def admits(self, part: type[Part], view: DataView) -> bool:
        """Return False for an algorithm that cannot solve the kind of problem."""
        regression = isinstance(view, SinusoidView)
        return not regression or not issubclass(part, MetaLearner) or part.regresses

    def shaped(self, space: Space, view: DataView) -> Space:
        """Return the space without what means nothing for the tasks."""
        if not isinstance(view, FewShotView | SinusoidView):
            return space
        problem = view.problem
        kind = "regression" if isinstance(problem, Regression) else "classification"
        for name in space.options("algorithm"):
            algorithm = option(MetaLearner, name)  # type: ignore[type-abstract]
            own = algorithm.narrowing(problem, view.task_classes)
            space = narrowed(space, {f"algorithm.{name}": own})
            published = algorithm.published_for(problem, view.settings.shape)
            space = with_published(space, "algorithm", name, published)
            for field in algorithm.unused(problem):
                space = space.without("algorithm", name, field, f"{kind} does not use it")
        return space

    def default_model(self, view: DataView) -> str:
        """A CNN for images of more than 256 values, else an MLP."""
        images = len(view.input_shape) == 3 and math.prod(view.input_shape) > SMALL
        return "cnn" if images else "mlp"

    def check_model(self, model: Model, view: DataView) -> None:
        network = check_model(model, view.input_shape, view.num_classes)
        what = f"--model {model.full_name}"
        if not isinstance(network, nn.Sequential) or not isinstance(network[-1], nn.Linear):
            raise InputError(
                f"{what}: meta-learning needs a torch.nn.Sequential that ends in a "
                f"torch.nn.Linear, whose inputs are the features; got {type(network).__name__}."
            )
        network, inputs = normalised_by_support(network), torch.zeros(2, 3, *view.input_shape)
        weights: dict[str, Tensor] = dict(network.named_parameters())

        def outputs(inputs: Tensor) -> Tensor:
            return functional_call(network, weights, (inputs,))

        try:
            vmap(outputs, randomness="different")(inputs)
        except Exception as error:
            raise own_fault(f"{what}: under torch.func.vmap, which maml needs", error) from error

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        recipe: Recipe = from_config(Recipe, config)
        problem, algorithm = data.training.problem, recipe.algorithm
        if isinstance(problem, Regression) and not algorithm.regresses:
            raise InputError(f"algorithm: '{algorithm.part_name()}' is not for regression.")
        return EpisodicLearner(recipe, data, seed, device)


class MetaLearningRegression(MetaLearning):
    """The same with real-valued targets: errors are measured, and fewer are better."""

    metric = Regression.metric
    mode = "min"


SCENARIO = MetaLearning()
REGRESSION = MetaLearningRegression()

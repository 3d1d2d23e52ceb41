"""The curriculum scenario."""

from __future__ import annotations

from typing import Any

import torch

from search_spaces import Config, InputError, Part, Space, from_config, option
from trainables.classification import ClassificationScenario
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum._learner import CurriculumLearner
from trainables.curriculum._recipe import Recipe
from trainables.data import DataView
from trainables.learner import Learner
from trainables.tensors import TensorExamples


class CurriculumScenario(ClassificationScenario):
    """Supervised classification; the algorithm decides on order, selection and weights."""

    name = "curriculum"
    recipe = Recipe
    algorithm = Curriculum
    baseline = "plain"

    def space(self, view: DataView) -> Space:
        """The whole space for some data: without the parts that do not suit inputs or columns."""
        columns = view.train.columns

        def keep(part: type[Part]) -> bool:
            return part.suits(view.input_shape) and part.lacks(columns) is None

        return Space.of(self.recipe, keep)

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return CurriculumLearner(from_config(Recipe, config), data, seed, device)

    def tunable(self, space: Space, view: DataView) -> Space:
        """The space without the algorithms that cannot teach its model, if none was asked for.

        Raises:
            InputError: if the user named one of them.
        """
        model = from_config(Recipe, space.default()).model
        with torch.random.fork_rng(devices=[]):
            network = model.build(view.input_shape, view.num_classes)
        offered = space.options("algorithm")
        reasons = {
            name: why
            for name in offered
            if (why := option(Curriculum, name).unsuited(network, view.input_shape)) is not None
        }
        if reasons and len(offered) < len(self.space(view).options("algorithm")):
            name, why = next(iter(reasons.items()))
            raise InputError(
                f"--space: algorithm: '{name}' cannot teach --model {model.full_name}: {why}; "
                "leave it out, or choose another --model."
            )
        return space.leaving_out("algorithm", list(reasons))

    def extra_information(self, config: Config) -> str | None:
        return option(Curriculum, config["algorithm"]["name"]).extra_information

    def was_given(self, config: Config, view: DataView) -> str | None:
        recipe: Recipe = from_config(Recipe, config)
        return recipe.algorithm.was_given(TensorExamples.of(view.train, torch.device("cpu")))


SCENARIO = CurriculumScenario()

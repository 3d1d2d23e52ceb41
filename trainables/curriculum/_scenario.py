"""The curriculum scenario."""

from __future__ import annotations

from typing import Any

import torch

from search_spaces import Config, Part, Space, from_config, option
from trainables.classification import ClassificationScenario
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum._learner import CurriculumLearner
from trainables.curriculum._recipe import Recipe
from trainables.data import DataView
from trainables.learner import Learner


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

    def extra_information(self, config: Config) -> str | None:
        return option(Curriculum, config["algorithm"]["name"]).extra_information


SCENARIO = CurriculumScenario()

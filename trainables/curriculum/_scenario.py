"""The curriculum scenario."""

from __future__ import annotations

from typing import Any

import torch

from search_spaces import Config, from_config, option
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

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return CurriculumLearner(from_config(Recipe, config), data, seed, device)

    def extra_information(self, config: Config) -> str | None:
        return option(Curriculum, config["algorithm"]["name"]).extra_information

    def was_given(self, config: Config, view: DataView) -> str | None:
        recipe: Recipe = from_config(Recipe, config)
        return recipe.algorithm.was_given(TensorExamples.of(view.train, torch.device("cpu")))


SCENARIO = CurriculumScenario()

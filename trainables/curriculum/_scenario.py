"""The curriculum scenario."""

from __future__ import annotations

from typing import Any

import torch

from search_spaces import Config, from_config
from trainables.classification import ClassificationScenario
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum._learner import CurriculumLearner
from trainables.curriculum._recipe import Recipe
from trainables.learner import Learner


class CurriculumScenario(ClassificationScenario):
    """Supervised classification; the algorithm decides on order, selection and weights."""

    name = "curriculum"
    recipe = Recipe
    algorithm = Curriculum
    baseline = "plain"

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return CurriculumLearner(from_config(Recipe, config), data, seed, device)


SCENARIO = CurriculumScenario()

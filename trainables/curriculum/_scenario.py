"""The curriculum scenario."""

from __future__ import annotations

import math
from typing import Any

import torch

from search_spaces import Config, from_config, option
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum._learner import CurriculumLearner
from trainables.curriculum._recipe import Recipe
from trainables.data import DataView
from trainables.learner import Learner
from trainables.scenario import Scenario

SMALL = 256


class CurriculumScenario(Scenario):
    """Supervised classification; the algorithm decides on order, selection and weights."""

    name = "curriculum"
    recipe = Recipe
    algorithm = Curriculum
    baseline = "plain"
    metric = "accuracy"
    mode = "max"

    def default_model(self, view: DataView) -> str:
        """A CNN for images of more than 256 values, else an MLP."""
        images = len(view.input_shape) == 3 and math.prod(view.input_shape) > SMALL
        return "cnn" if images else "mlp"

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return CurriculumLearner(from_config(Recipe, config), data, seed, device)

    def extra_information(self, config: Config) -> str | None:
        return option(Curriculum, config["algorithm"]["name"]).extra_information


SCENARIO = CurriculumScenario()

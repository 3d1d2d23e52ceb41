"""The curriculum scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from search_spaces import Config, Space, from_config
from trainables.data import DataView
from trainables.learning.learner import Learner
from trainables.learning.tensors import TensorExamples
from trainables.parts.model import Model
from trainables.scenarios.classification import ClassificationScenario
from trainables.scenarios.curriculum.curriculum import Curriculum
from trainables.scenarios.curriculum.learner import CurriculumLearner
from trainables.scenarios.curriculum.recipe import Recipe
from trainables.scenarios.curriculum.run_up import forward_share, least_horizon


class CurriculumScenario(ClassificationScenario):
    """Supervised classification; the algorithm decides on order, selection and weights."""

    name = "curriculum"
    recipe = Recipe
    algorithm = Curriculum
    baseline = "plain"

    def least_horizons(self, space: Space, view: DataView) -> Callable[[Config], float]:
        model: Model = from_config(Model, space.default()["model"], "model")
        with torch.random.fork_rng(devices=[]):
            network = model.build(view.input_shape, view.num_classes)
        forward = forward_share(network, view.input_shape)
        examples = TensorExamples.of(view.train, torch.device("cpu"))

        def least(config: Config) -> float:
            algorithm: Curriculum = from_config(Curriculum, config, "algorithm")
            return least_horizon(algorithm.run_up(examples), 1.0, forward)

        return least

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return CurriculumLearner(from_config(Recipe, config), data, seed, device)


SCENARIO = CurriculumScenario()

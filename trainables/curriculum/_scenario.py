"""The curriculum scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from search_spaces import Config, Space, from_config
from trainables.classification import ClassificationScenario
from trainables.curriculum._curriculum import Curriculum
from trainables.curriculum._learner import CurriculumLearner
from trainables.curriculum._recipe import Recipe
from trainables.curriculum._run_up import forward_share, least_horizon
from trainables.data import DataView
from trainables.learner import Learner
from trainables.models import Model
from trainables.tensors import TensorExamples


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

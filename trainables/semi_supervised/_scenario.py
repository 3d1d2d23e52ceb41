"""The semi-supervised scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch

from search_spaces import Config, Int, from_config
from trainables.classification import ClassificationScenario
from trainables.data import DataSpec, DataView, load_view
from trainables.learner import Learner
from trainables.semi_supervised._learner import SemiSupervisedLearner
from trainables.semi_supervised._recipe import Recipe
from trainables.semi_supervised._semi_supervised import SemiSupervised
from trainables.semi_supervised._view import PartlyLabelled


@dataclass(frozen=True)
class Settings:
    """What a semi-supervised search sets besides what every search does.

    Attributes:
        labels: how many training examples keep their label, in all.
    """

    labels: Annotated[int, Int(1, 10_000_000)] = 400


class SemiSupervisedScenario(ClassificationScenario):
    """Classification from few labels and many inputs without one.

    Which examples are labelled is decided by the search's seed, class by class, and is the same
    for all algorithms.
    """

    name = "semi_supervised"
    settings = Settings
    recipe = Recipe
    algorithm = SemiSupervised
    baseline = "supervised"

    def load(self, data: DataSpec, settings: Any) -> DataView:
        return PartlyLabelled.of(load_view(data), settings.labels, data.seed)

    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        return SemiSupervisedLearner(from_config(Recipe, config), data, seed, device)


SCENARIO = SemiSupervisedScenario()

"""The parts of a config of the semi-supervised scenario."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.parts.model import Model
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizer import Optimizer
from trainables.parts.optimizers.adamw import AdamW
from trainables.parts.schedule import Schedule
from trainables.parts.schedules.constant import Constant
from trainables.parts.sections.computing import Computing
from trainables.parts.sections.training import Training
from trainables.parts.view import Views
from trainables.parts.views.image import NEAR, ImageViews
from trainables.scenarios.semi_supervised.algorithms.supervised import Supervised
from trainables.scenarios.semi_supervised.semi_supervised import SemiSupervised


@dataclass(frozen=True)
class Recipe:
    """The sections of a config, with the published default of each.

    `training.batch_size` is that of labelled examples.
    """

    algorithm: SemiSupervised = Supervised()
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Constant()
    training: Training = Training()
    view: Views = ImageViews(translation=NEAR)
    model: Model = MLP()
    computing: Computing = Computing()

"""What a config of the semi-supervised scenario consists of."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.computing import Computing
from trainables.models import Model
from trainables.models.mlp import MLP
from trainables.optimizers import Optimizer
from trainables.optimizers.adamw import AdamW
from trainables.schedules import Schedule
from trainables.schedules.constant import Constant
from trainables.semi_supervised._semi_supervised import SemiSupervised
from trainables.semi_supervised.supervised import Supervised
from trainables.training import Training
from trainables.views import Views
from trainables.views.image import NEAR, ImageViews


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

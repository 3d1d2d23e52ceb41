"""What a config of the meta-learning scenario consists of."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.computing import Computing
from trainables.meta_learning._meta_learner import MetaLearner
from trainables.meta_learning.simple_shot import SimpleShot
from trainables.models import Model
from trainables.models.mlp import MLP
from trainables.optimizers import Optimizer
from trainables.optimizers.adamw import AdamW
from trainables.schedules import Schedule
from trainables.schedules.constant import Constant
from trainables.training import Training


@dataclass(frozen=True)
class Recipe:
    """The sections of a config, with the published default of each.

    The batch size counts examples, support and queries alike: an algorithm that is trained on
    tasks takes as many whole ones as it holds. 320 are the 32 tasks of 5 ways and 1 shot with one
    query each of MAML's Omniglot experiments.
    """

    algorithm: MetaLearner = SimpleShot()
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Constant()
    training: Training = Training(batch_size=320)
    model: Model = MLP()
    computing: Computing = Computing()

"""The parts of a config of the meta-learning scenario."""

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
from trainables.scenarios.meta_learning.algorithms.simple_shot import SimpleShot
from trainables.scenarios.meta_learning.meta_learner import MetaLearner


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

"""Mean Teacher (Tarvainen and Valpola, NeurIPS 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F
from torch import Tensor

from search_spaces import (
    COUNT,
    NOT_NEGATIVE,
    POSITIVE_SHARE,
    Bounds,
    Categorical,
    Float,
    Int,
    Override,
    Within,
)
from trainables.parts.view import without_strong
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.consistency import Consistency
from trainables.scenarios.semi_supervised.networks import Networks


@dataclass(frozen=True)
class MeanTeacher(Consistency):
    """The student's predictions drawn towards those of the average of its past weights.

    Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017: the mean
    squared difference of the class probabilities of student and teacher, each on a weak view of
    its own; the teacher is the running average of the weights, and it is what is evaluated. The
    weight ramps up as exp(-5 (1 - t)^2), in the authors' code (CuriousAI/mean-teacher, CIFAR-10)
    over 40,000 of 150,000 steps to 100, where the squared difference is a mean over classes; with
    few labels theirs shrinks with the share of labelled examples, and so does the cross-entropy,
    which they average over all examples.

    That weight is for 150,000 steps. In a short run the teacher has learnt little when the ramp
    ends, and a weight of 100 keeps it there (docs/results/ranges.md), so the default is 1 and the
    range goes down to 0.1.
    """

    overrides: ClassVar[tuple[Override, ...]] = without_strong()

    average: Annotated[
        float, Categorical([0.9, 0.99, 0.999]), Within(Bounds(above=0.0, below=1.0))
    ] = 0.999
    weight: Annotated[float, Float(0.1, 1000.0, log=True), NOT_NEGATIVE] = 1.0
    ratio: Annotated[int, Int(1, 8), COUNT] = 1
    ramp_length: Annotated[float, Float(0.05, 1.0), POSITIVE_SHARE] = 0.27

    def ramp(self, progress: float) -> float:
        way = min(progress / self.ramp_length, 1.0)
        return math.exp(-5.0 * (1.0 - way) ** 2)

    def unlabelled_loss(self, batch: Batch, networks: Networks) -> Tensor:
        teacher = networks.average_probabilities(batch.weak(1))
        student = networks.logits(batch.weak(0)).softmax(1)
        return F.mse_loss(student, teacher)

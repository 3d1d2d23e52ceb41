"""The base of every semi-supervised algorithm."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F
from torch import Tensor

from search_spaces import BELOW_ONE, Categorical
from trainables.learning.algorithm import Algorithm
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.networks import Networks


@dataclass(frozen=True)
class SemiSupervised(Algorithm, ABC):
    """An algorithm: hyperparameters as frozen fields; what changes in the three containers.

    All are given the same few labels and the same inputs. Networks and optimizers of its own are
    made in `prepare`.

    Attributes:
        average: decay of the running average of the weights, which is then what counts; 0 for the
            weights themselves. The baseline has it too, as it needs no unlabelled input.
    """

    options_in: ClassVar[str] = "trainables.scenarios.semi_supervised.algorithms"

    average: Annotated[float, Categorical([0.0, 0.9, 0.99, 0.999]), BELOW_ONE] = 0.999

    def unlabelled_per_labelled(self) -> int:
        """Number of unlabelled examples that a step takes for each labelled one (μ)."""
        return 0

    def prepare(self, examples: TensorExamples, num_classes: int) -> None:
        """Sees the training examples before the first step; -1 is an unknown label."""

    def labelled_loss(self, batch: Batch, labels: Tensor, networks: Networks) -> Tensor:
        """The loss of a batch of labelled examples, a scalar: cross-entropy on a weak view."""
        return F.cross_entropy(networks.logits(batch.weak()), labels)

    def weighted_unlabelled_loss(
        self, batch: Batch, networks: Networks, progress: float
    ) -> Tensor | None:
        """Return the loss of a batch of unlabelled examples, or None for no such term."""
        return None

"""The common base of algorithms that learn from their own answers on unlabelled inputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, final

from torch import Tensor

from search_spaces import COUNT, NOT_NEGATIVE, Float, Int
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.networks import Networks
from trainables.scenarios.semi_supervised.semi_supervised import SemiSupervised


@dataclass(frozen=True)
class Consistency(SemiSupervised):
    """L = L_labelled + λ r(t) 1/μB Σ w_i D(q_i, p(strong or other view of i)).

    The target q_i and weight w_i of an unlabelled example come from an answer that has no
    gradient. An algorithm says what they are, and which distance D is.

    Attributes:
        weight: λ.
        ratio: μ, the unlabelled examples in a step for each labelled one.
    """

    weight: Annotated[float, Float(0.01, 10.0, log=True), NOT_NEGATIVE] = 1.0
    ratio: Annotated[int, Int(1, 8), COUNT] = 7

    def unlabelled_per_labelled(self) -> int:
        return self.ratio

    def ramp(self, progress: float) -> float:
        """r(t): the share of λ that counts at this progress."""
        return 1.0

    @abstractmethod
    def unlabelled_loss(self, batch: Batch, networks: Networks) -> Tensor:
        """The mean over the whole unlabelled batch, a scalar; masked examples count as zeros."""

    @final
    def weighted_unlabelled_loss(
        self, batch: Batch, networks: Networks, progress: float
    ) -> Tensor | None:
        return self.weight * self.ramp(progress) * self.unlabelled_loss(batch, networks)

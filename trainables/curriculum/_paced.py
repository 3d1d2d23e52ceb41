"""Curricula that let examples in by a fixed order and a pacing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn

from search_spaces import Categorical
from trainables.curriculum._curriculum import DataCurriculum
from trainables.curriculum._sampling import count_of
from trainables.pacing import Pacing
from trainables.pacing.linear import Linear
from trainables.randomness import derive_seed, permutation
from trainables.scorers import Scorer
from trainables.scorers.self_taught import SelfTaught
from trainables.tensors import TensorExamples


def admitted(pacing: Pacing, progress: float, total: int) -> int:
    """How many of `total` examples are let in: the pacing's share, but never fewer than 32."""
    return count_of(pacing.share(progress), total)


def balanced_order(difficulty: Tensor, labels: Tensor) -> Tensor:
    """Indices from easy to hard, the classes taking turns in proportion to their sizes.

    Each example is placed by its rank within its own class, as in the reference code of Hacohen
    and Weinshall (ICML 2019): without it the easiest class comes first and alone.
    """
    place = torch.empty_like(difficulty, dtype=torch.float64)
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        ranked = members[difficulty[members].argsort(stable=True)]
        ranks = torch.arange(len(ranked), device=labels.device, dtype=torch.float64)
        place[ranked] = (ranks + 0.5) / len(ranked)
    return place.argsort(stable=True)


def order_of(scores: Tensor, labels: Tensor | None, seed: int) -> Tensor:
    """Indices from the lowest score to the highest, equal ones in a random order.

    The order of the data often means something; where many scores are equal, it would count.

    Args:
        scores: [n].
        labels: [n], to be let in in proportion (`balanced_order`), or None.
        seed: for the order of those that are equal.
    """
    drawn = permutation(len(scores), derive_seed(seed, "ties")).to(scores.device)
    if labels is None:
        return drawn[scores[drawn].argsort(stable=True)]
    return drawn[balanced_order(scores[drawn], labels[drawn])]


@dataclass(frozen=True)
class PacedCurriculum(DataCurriculum, ABC):
    """Scores every example once, then lets in the first share(progress) of that order.

    The score is taken when the first epoch begins, and paid for from the run's compute.
    """

    pacing: Pacing = Linear()
    balanced: Annotated[bool, Categorical([True, False])] = True

    @abstractmethod
    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        """A score of each example [n]; the lowest are let in first."""

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        count = admitted(self.pacing, progress, len(examples))
        if count == len(examples):
            return None
        if "order" not in self.state:
            scores = self.score(examples, model, seed)
            labels = examples.labels if self.balanced else None
            self.state["order"] = order_of(scores, labels, seed)
        return self.state["order"][:count]


@dataclass(frozen=True)
class ScoredCurriculum(PacedCurriculum, ABC):
    """The easiest first, as a scorer says."""

    scorer: Scorer = SelfTaught()

    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return self.scorer.difficulty(examples, model, seed)

    def was_given(self, examples: TensorExamples) -> str | None:
        return self.scorer.was_given()

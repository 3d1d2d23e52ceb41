"""Curricula that let examples in by a fixed order and a pacing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor, nn

from search_spaces import Categorical
from trainables.learning.short_training import RunUp
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import DataCurriculum
from trainables.scenarios.curriculum.order import every_class_first, order_of
from trainables.scenarios.pacing import Pacing
from trainables.scenarios.pacings.linear import Linear
from trainables.scenarios.scorer import Scorer
from trainables.scenarios.scorers.self_taught import SelfTaught


@dataclass(frozen=True)
class PacedCurriculum(DataCurriculum, ABC):
    """Scores every example once, then lets in the first share(progress) of that order.

    The score is taken before the first step and paid for from the run's compute. The pacing
    follows each step (Hacohen and Weinshall pace by batches). One example of every class stands
    first, so that none is ever missing; unless `balanced`, the others stand as they are scored.
    """

    pacing: Pacing = Linear()
    balanced: Annotated[bool, Categorical([True, False])] = True

    @abstractmethod
    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        """A score of each example [n]; the lowest are let in first."""

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if self.share(progress) == 1.0:
            return None
        if "order" not in self.state:
            scores = self.score(examples, model, seed)
            labels = examples.labels if self.balanced else None
            order = order_of(scores, labels, seed)
            self.state["order"] = every_class_first(order, examples.labels)
        return self.state["order"]

    def share(self, progress: float) -> float:
        return self.pacing.share(progress)


@dataclass(frozen=True)
class ScoredCurriculum(PacedCurriculum, ABC):
    """The easiest first, as a scorer says."""

    scorer: Scorer = SelfTaught()

    def score(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        return self.scorer.difficulty(examples, model, seed)

    def run_up(self, examples: TensorExamples) -> RunUp:
        return RunUp() if self.share(0.0) == 1.0 else self.scorer.run_up()

    def was_given(self, examples: TensorExamples) -> str | None:
        return self.scorer.was_given()

"""A curriculum of the data and one of the loss, together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from trainables.foundation.randomness import derive_seed
from trainables.learning.short_training import RunUp
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.baby_step import BabyStep
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss
from trainables.scenarios.curriculum.curriculum import (
    Criterion,
    Curriculum,
    DataCurriculum,
    LossCurriculum,
)


@dataclass(frozen=True)
class Combined(Curriculum):
    """One algorithm chooses the examples, another weights them (a mix of CurML's hooks).

    Zhou et al., ACM MM 2022, whose example is `baby_step` with `superloss`.
    """

    needs_whole_model: ClassVar[str | None] = "what weighs its examples may be a second network"

    data: DataCurriculum = BabyStep()
    loss: LossCurriculum = SuperLoss()

    def data_prepare(self, examples: TensorExamples, seed: int) -> None:
        for name, each in self._both():
            each.data_prepare(examples, derive_seed(seed, name))

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        for name, each in self._both():
            each.model_prepare(model, examples, derive_seed(seed, name))

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        return self.data.data_curriculum(examples, model, progress, seed)

    def share(self, progress: float) -> float:
        return self.data.share(progress)

    def next_choice(self, progress: float) -> float:
        return self.data.next_choice(progress)

    def pass_length(self, total: int) -> int:
        return self.data.pass_length(total)

    def run_up(self, examples: TensorExamples) -> RunUp:
        return self.data.run_up(examples) + self.loss.run_up(examples)

    def tell(self, **seen: Any) -> None:
        super().tell(**seen)
        for _, each in self._both():
            each.tell(**seen)

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        return self.loss.loss_curriculum(criterion, outputs, labels, indices, inputs)

    def loss_phase(self, progress: float) -> str:
        return self.loss.loss_phase(progress)

    def was_given(self, examples: TensorExamples) -> str | None:
        given = [each.was_given(examples) for _, each in self._both()]
        return "; ".join(each for each in given if each is not None) or None

    def state_dict(self) -> dict[str, Any]:
        return {name: each.state_dict() for name, each in self._both()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, each in self._both():
            each.load_state_dict(state[name])

    def _both(self) -> tuple[tuple[str, Curriculum], ...]:
        return ("data", self.data), ("loss", self.loss)

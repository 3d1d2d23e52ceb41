"""Adaptive curriculum learning (Kong, Liu, Wang and Tao, ICCV 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import COUNT, NOT_NEGATIVE, POSITIVE_SHARE, Bounds, Float, Int, Within
from trainables.learning.scoring import evaluating, logits_of, losses_at
from trainables.learning.short_training import RunUp, all_rows, trained_copy
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum
from trainables.scenarios.curriculum.order import every_class_first
from trainables.scenarios.pacing import ALL_IN

STAGE = 0.075
INTERVAL = 0.1


@dataclass(frozen=True)
class Adaptive(Curriculum):
    """Easy examples first, by the losses of a teacher and then the model (Kong et al., ICCV 2021).

    Kong, Liu, Wang and Tao, "Adaptive Curriculum Learning", ICCV 2021. A teacher, here a copy of
    the model trained on all examples for some epochs of the run's own compute, gives the first
    difficulty of each example, its loss. At each further tenth of the training (CurML: every 20 of
    200 epochs) difficulty becomes (1 - alpha) difficulty + alpha loss, by the loss under the model
    as it stands. The share start x growth^k of the data that is easiest is let in, k being the
    number of stages that are over, each 0.075 of the training (CurML: 15 of 200 epochs), one
    example of each class first, and everything in the last tenth. To the loss is added
    gamma KL(teacher || model), so that what the teacher knows is kept. In a run of less than ten
    epochs only those examples are measured again that are next in turn.
    """

    start: Annotated[float, Float(0.05, 1.0), POSITIVE_SHARE] = 0.1
    growth: Annotated[float, Float(1.1, 5.0, log=True), Within(Bounds(at_least=1.0))] = 2.5
    alpha: Annotated[float, Float(0.0, 1.0)] = 0.7
    gamma: Annotated[float, Float(0.0, 1.0), NOT_NEGATIVE] = 0.1
    teacher_epochs: Annotated[int, Int(1, 3), COUNT] = 2

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        if "difficulty" not in self.state and self._has_teacher():
            self._ask_teacher(examples, model, seed)
        if self.share(progress) == 1.0:
            return None
        self._measure(examples, model, _intervals(progress))
        rows = self.state["rows"] if "rows" in self.state else all_rows(examples)
        order = rows[self.state["difficulty"][rows].argsort(stable=True)]
        return every_class_first(order, examples.labels)

    def share(self, progress: float) -> float:
        stage = self.start * self.growth ** int(progress / STAGE + 1e-9)
        return 1.0 if progress >= ALL_IN else min(1.0, stage)

    def next_choice(self, progress: float) -> float:
        return math.inf if self.share(0.0) == 1.0 else (_intervals(progress) + 1) * INTERVAL

    def run_up(self, examples: TensorExamples) -> RunUp:
        return RunUp(self.teacher_epochs, 1) if self._has_teacher() else RunUp()

    def _has_teacher(self) -> bool:
        return self.share(0.0) < 1.0 or self.gamma > 0.0

    def _ask_teacher(self, examples: TensorExamples, model: nn.Module, seed: int) -> None:
        teacher = trained_copy(model, examples, all_rows(examples), self.teacher_epochs, seed)
        with evaluating(teacher):
            logits = logits_of(teacher, examples)
        self.state["targets"] = logits.softmax(1)
        self.state["measured"] = torch.zeros((), dtype=torch.int64, device=logits.device)
        self.state["difficulty"] = F.cross_entropy(logits, examples.labels, reduction="none")

    def _measure(self, examples: TensorExamples, model: nn.Module, interval: int) -> None:
        if self.state["measured"] >= interval:
            return
        rows, difficulty = self.measured_rows(examples), self.state["difficulty"]
        updated = difficulty[rows].lerp(losses_at(model, examples, rows), self.alpha)
        self.state["difficulty"] = difficulty.index_copy(0, rows, updated)
        self.state["measured"] = torch.full_like(self.state["measured"], interval)
        self.state["rows"] = rows

    def loss_curriculum(
        self,
        criterion: Criterion,
        outputs: Tensor,
        labels: Tensor,
        indices: Tensor,
        inputs: Tensor,
    ) -> Tensor:
        loss = criterion(outputs, labels).mean()
        if self.gamma == 0.0:
            return loss
        targets = self.state["targets"][indices]
        kept = F.kl_div(outputs.log_softmax(1), targets, reduction="batchmean")
        return loss + self.gamma * kept

    def was_given(self, examples: TensorExamples) -> str | None:
        if not self._has_teacher():
            return None
        return f"a teacher: the same model after {self.teacher_epochs} epochs on the training data"


def _intervals(progress: float) -> int:
    """Number of intervals that are over."""
    return int(progress / INTERVAL + 1e-9)

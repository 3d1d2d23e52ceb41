"""Adaptive curriculum learning (Kong, Liu, Wang and Tao, ICCV 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import COUNT, NOT_NEGATIVE, POSITIVE_SHARE, Bounds, Float, Int, Within
from trainables.curriculum._curriculum import Criterion, Curriculum
from trainables.curriculum._sampling import count_of
from trainables.scoring import evaluating, logits_of, losses_of
from trainables.short_training import all_rows, trained_copy
from trainables.tensors import TensorExamples

STAGE = 0.075
INTERVAL = 0.1


@dataclass(frozen=True)
class Adaptive(Curriculum):
    """Easy first, as a teacher and then the model itself find it (Kong et al., ICCV 2021).

    Kong, Liu, Wang and Tao, "Adaptive Curriculum Learning", ICCV 2021. A teacher, here a copy of
    the model trained on all examples for some epochs of the run's own compute, gives the first
    difficulty of each example, its loss. At each further tenth of the training (CurML: every 20 of
    200 epochs) difficulty becomes (1 - alpha) difficulty + alpha loss, by the loss under the model
    as it stands. The share start x growth^k of the data that is easiest is let in, k being the
    number of stages that are over, each 0.075 of the training (CurML: 15 of 200 epochs). To the
    loss is added gamma KL(teacher || model), so that what the teacher knows is kept.
    """

    start: Annotated[float, Float(0.05, 1.0), POSITIVE_SHARE] = 0.1
    growth: Annotated[float, Float(1.1, 5.0, log=True), Within(Bounds(at_least=1.0))] = 2.5
    alpha: Annotated[float, Float(0.0, 1.0)] = 0.7
    gamma: Annotated[float, Float(0.0, 1.0), NOT_NEGATIVE] = 0.1
    teacher_epochs: Annotated[int, Int(1, 3), COUNT] = 2

    def data_curriculum(
        self, examples: TensorExamples, model: nn.Module, progress: float, seed: int
    ) -> Tensor | None:
        count = count_of(self.share(progress), len(examples))
        if "difficulty" not in self.state and (count < len(examples) or self.gamma > 0.0):
            self._ask_teacher(examples, model, seed)
        if count == len(examples):
            return None
        self._measure(examples, model, int(progress / INTERVAL + 1e-9))
        return self.state["difficulty"].argsort(stable=True)[:count]

    def share(self, progress: float) -> float:
        """The share of the data that is let in."""
        return min(1.0, self.start * self.growth ** int(progress / STAGE + 1e-9))

    def _ask_teacher(self, examples: TensorExamples, model: nn.Module, seed: int) -> None:
        teacher = trained_copy(model, examples, all_rows(examples), self.teacher_epochs, seed)
        with evaluating(teacher):
            logits = logits_of(teacher, examples)
        self.state["targets"] = logits.softmax(1)
        self.state["measured"] = torch.zeros((), dtype=torch.int64, device=logits.device)
        self.state["difficulty"] = F.cross_entropy(logits, examples.labels, reduction="none")

    def _measure(self, examples: TensorExamples, model: nn.Module, interval: int) -> None:
        if self.state["measured"] < interval:
            losses = losses_of(model, examples)
            self.state["difficulty"] = self.state["difficulty"].lerp(losses, self.alpha)
            self.state["measured"] = torch.full_like(self.state["measured"], interval)

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
        return f"a teacher: the same model after {self.teacher_epochs} epochs on the training data"

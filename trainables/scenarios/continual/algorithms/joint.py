"""Joint training: the reference that remembers everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.continual.continual import Continual, cross_entropy
from trainables.scenarios.continual.network import GrowingNetwork


@final
@dataclass(frozen=True)
class Joint(Continual):
    """Joint training (as in van de Ven et al., Nature MI 2022) on all tasks so far: a reference.

    Each task's epochs go through all data so far; compute is shared over tasks as for all others.
    """

    extra_information: ClassVar[str | None] = "all data of earlier tasks, whatever the memory"

    def examples_of(self, task: TensorExamples) -> TensorExamples:
        if not self.state:
            return task
        return TensorExamples(
            torch.cat([self.state["inputs"], task.inputs]),
            torch.cat([self.state["labels"], task.labels]),
            task.ranks,
        )

    def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(network, inputs, labels, "all")

    def end_task(self, network: GrowingNetwork, task: TensorExamples, memory: int) -> None:
        everything = self.examples_of(task)
        self.state.update(inputs=everything.inputs, labels=everything.labels)

"""The base of every continual learning algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.learning.algorithm import Algorithm
from trainables.learning.tensors import TensorExamples
from trainables.parts.optimizer import Optimizer
from trainables.scenarios.continual.network import GrowingNetwork


@dataclass(frozen=True)
class Continual(Algorithm, ABC):
    """An algorithm: hyperparameters as frozen fields; what changes in the three containers.

    It sees the examples of the current task and what it keeps in `state`, and nothing else: no
    other task, and neither how many tasks nor how many classes are to come. For each task
    `examples_of`, `optimizer`, then `replayed`, `loss` and `penalty` in each step and `end_task`.

    Attributes:
        stability: the hyperparameters that decide nothing before there is an earlier task. One
            task alone cannot tell good values from bad ones.
    """

    options_in: ClassVar[str] = "trainables.scenarios.continual.algorithms"

    needs_whole_model: ClassVar[str | None] = "its network grows from task to task"
    stability: ClassVar[frozenset[str]] = frozenset()

    def examples_of(self, task: TensorExamples) -> TensorExamples:
        """The examples that epochs of a task go through."""
        return task

    def optimizer(self, network: GrowingNetwork, chosen: Optimizer) -> torch.optim.Optimizer:
        """The optimizer of a new task."""
        return chosen.build(network.parameters())

    def replayed(self, labels: Tensor) -> TensorExamples | None:
        """Return kept examples that join a batch, or None for none.

        They are augmented like the batch, and stand behind it in what `loss` is given.

        Args:
            labels: of the batch that they join, [batch].
        """
        return None

    @abstractmethod
    def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar, from what `logits` or `newest` of the network give.

        Args:
            network: to which a head for the current task was added.
            inputs: [batch, ...], augmented, with what is replayed.
            labels: places in the order of classes [batch].
        """

    def penalty(self, network: GrowingNetwork) -> Tensor | None:
        """Return the loss term of the weights alone, whatever the batch; None for no such term.

        Kept separate from the loss: each rank sees part of a batch but all weights, so this
        term must not be summed over ranks.
        """
        return None

    def end_task(self, network: GrowingNetwork, task: TensorExamples, memory: int) -> None:
        """Takes leave of a task's examples, of which `memory` in all may be kept in `state`."""

    def deployed(self, network: GrowingNetwork) -> dict[str, Tensor]:
        """The weights that the network answers with."""
        return network.state_dict()


def cross_entropy(network: GrowingNetwork, inputs: Tensor, labels: Tensor, logits: str) -> Tensor:
    """Mean cross-entropy over the logits of `all` classes so far or of the `current` task's."""
    if logits == "current":
        return F.cross_entropy(network.newest(inputs), labels - network.known)
    return F.cross_entropy(network.logits(inputs), labels)

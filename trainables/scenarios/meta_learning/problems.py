"""The two kinds of prediction that a task can ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from torch import Tensor


class Problem(ABC):
    """The kind of a task's outputs, and their loss and score.

    Attributes:
        metric: what a task is scored by.
        sign: 1 where more of it is better, else -1.
    """

    metric: ClassVar[str]
    sign: ClassVar[float]

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Outputs of a network for one example of a task."""

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example, in the shape of the examples."""

    @abstractmethod
    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The metric of each task [tasks], from outputs [tasks, examples, outputs]."""

    @abstractmethod
    def encode(self, targets: Tensor) -> Tensor:
        """Targets as numbers that a network or a sum can take, [..., outputs]."""


@final
@dataclass(frozen=True)
class Classification(Problem):
    """Prediction of an example's class in its task; targets int64 [..., examples]."""

    metric: ClassVar[str] = "accuracy"
    sign: ClassVar[float] = 1.0
    ways: int

    @property
    def outputs(self) -> int:
        return self.ways

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        flat = F.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
        return flat.view(targets.shape)

    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.argmax(-1) == targets).double().mean(1)

    def encode(self, targets: Tensor) -> Tensor:
        # On some devices torch's own one_hot waits for the least and the greatest target.
        return (targets[..., None] == torch.arange(self.ways, device=targets.device)).float()


@final
@dataclass(frozen=True)
class Regression(Problem):
    """One real number for each example; targets float [..., examples, 1]."""

    metric: ClassVar[str] = "mean_squared_error"
    sign: ClassVar[float] = -1.0

    @property
    def outputs(self) -> int:
        return 1

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().mean(-1)

    def scores(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.losses(outputs, targets).double().mean(1)

    def encode(self, targets: Tensor) -> Tensor:
        return targets

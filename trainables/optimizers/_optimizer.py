"""What every optimizer is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch.nn import Parameter

from search_spaces import Part


class Optimizer(Part, ABC):
    """An optimizer's hyperparameters, and how to build it.

    A schedule scales the learning rates that `build` sets.
    """

    kind: ClassVar[str] = "optimizer"

    @abstractmethod
    def build(self, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer of these parameters."""

"""The base of every optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch.nn import Parameter

from search_spaces import Categorical, Part

SECOND_MOMENTS = Categorical([0.95, 0.98, 0.99, 0.999])
"""Decays of Adam's second moment: of GPT-3 (Brown et al., NeurIPS 2020), of the Transformer
(Vaswani et al., NeurIPS 2017), of fastai's 1cycle, and of Adam's own paper."""


class Optimizer(Part, ABC):
    """An optimizer's hyperparameters, and how to build it.

    A schedule scales the learning rates that `build` sets.
    """

    kind: ClassVar[str] = "optimizer"
    options_in: ClassVar[str] = "trainables.parts.optimizers"

    @abstractmethod
    def build(self, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer of these parameters."""

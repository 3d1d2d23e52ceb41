"""Stochastic gradient descent with momentum (Sutskever et al., ICML 2013)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn import Parameter

from search_spaces import BELOW_ONE, NOT_NEGATIVE, POSITIVE, Categorical, Float
from trainables.parts.optimizer import Optimizer


@dataclass(frozen=True)
class SGD(Optimizer):
    """SGD with (Nesterov) momentum (Sutskever et al., ICML 2013) and L2 regularisation."""

    lr: Annotated[float, Float(1e-3, 1.0, log=True), POSITIVE] = 0.1
    weight_decay: Annotated[float, Float(1e-6, 1e-2, log=True), NOT_NEGATIVE] = 5e-4
    momentum: Annotated[float, Float(0.5, 0.99), BELOW_ONE] = 0.9
    nesterov: Annotated[bool, Categorical([False, True])] = False

    def build(self, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov and self.momentum > 0.0,  # without any it is the same
            fused=True,
        )

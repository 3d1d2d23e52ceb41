"""AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn import Parameter

from search_spaces import BELOW_ONE, NOT_NEGATIVE, POSITIVE, Float, Formerly
from trainables.parts.optimizer import SECOND_MOMENTS, Optimizer


@dataclass(frozen=True)
class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter, ICLR 2019): weight decay apart from the gradient."""

    lr: Annotated[float, Float(1e-5, 1e-1, log=True), POSITIVE] = 1e-3
    weight_decay: Annotated[float, Float(1e-5, 1.0, log=True), NOT_NEGATIVE] = 1e-2
    beta1: Annotated[float, Float(0.8, 0.99), BELOW_ONE] = 0.9
    beta2: Annotated[float, SECOND_MOMENTS, BELOW_ONE, Formerly(0.999)] = 0.999

    def build(self, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            fused=True,
        )

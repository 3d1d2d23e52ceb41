"""AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn import Parameter

from search_spaces import Float
from trainables.optimizers._optimizer import Optimizer


@dataclass(frozen=True)
class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter, ICLR 2019): weight decay apart from the gradient."""

    lr: Annotated[float, Float(1e-5, 1e-1, log=True)] = 1e-3
    weight_decay: Annotated[float, Float(1e-5, 1.0, log=True)] = 1e-2
    beta1: Annotated[float, Float(0.8, 0.99)] = 0.9

    def build(self, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            lr=self.lr,
            betas=(self.beta1, 0.999),
            weight_decay=self.weight_decay,
            fused=True,
        )

"""Cosine annealing (Loshchilov and Hutter, ICLR 2017) after a linear warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from search_spaces import BELOW_ONE, Float
from trainables.parts.schedule import Schedule


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 to 0 (SGDR, Loshchilov and Hutter, ICLR 2017, eq. 5).

    `warmup` is the share of the run in which the rate first rises linearly (Goyal et al., 2017).
    """

    warmup: Annotated[float, Float(0.0, 0.3), BELOW_ONE] = 0.0

    def factor(self, progress: float) -> float:
        if progress < self.warmup:
            return progress / self.warmup
        annealed = (progress - self.warmup) / (1.0 - self.warmup)
        return 0.5 * (1.0 + math.cos(math.pi * annealed))

"""Exponential pacing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Exponential(PacingToFull):
    """b + (1 - b)(e^(10 t) - 1)/(e^10 - 1): easy data for long (Wu et al., ICLR 2021, Fig. 4)."""

    def _share(self, way: float) -> float:
        return self.start + (1.0 - self.start) * math.expm1(10.0 * way) / math.expm1(10.0)

"""Logarithmic pacing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Logarithmic(PacingToFull):
    """b + (1 - b)(1 + ln(t + e^-10)/10): much of the data early (Wu et al., ICLR 2021, Fig. 4)."""

    def _share(self, way: float) -> float:
        risen = 1.0 + 0.1 * math.log(way + math.exp(-10.0))
        return self.start + (1.0 - self.start) * max(0.0, risen)

"""Polynomial pacing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import POSITIVE, Float
from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Polynomial(PacingToFull):
    """b + (1 - b) t^p (Wu et al., ICLR 2021, Fig. 4): p = 2 their quadratic, 1/2 their root."""

    power: Annotated[float, Float(0.25, 4.0, log=True), POSITIVE] = 2.0

    def _share(self, way: float) -> float:
        return float(self.start + (1.0 - self.start) * way**self.power)

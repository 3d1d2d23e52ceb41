"""Geometric pacing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import POSITIVE_SHARE, Float
from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Geometric(PacingToFull):
    """b^(1 - t): in equal times the same multiple of the data (CurML's `geom`, ACM MM 2022).

    It cannot start from nothing, so the range of b excludes 0.
    """

    start: Annotated[float, Float(0.001, 1.0, log=True), POSITIVE_SHARE] = 0.2

    def _share(self, way: float) -> float:
        return float(self.start ** (1.0 - way))

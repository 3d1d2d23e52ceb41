"""Linear pacing."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Linear(PacingToFull):
    """b + (1 - b) t: the same amount of new data at all times (Wu et al., ICLR 2021)."""

    def _share(self, way: float) -> float:
        return self.start + (1.0 - self.start) * way

"""Step pacing."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Step(PacingToFull):
    """b, then all at once (Wu et al., ICLR 2021, Fig. 4: best under heavy label noise)."""

    def _share(self, way: float) -> float:
        return self.start

"""Root pacing: competence (Platanios et al., NAACL 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import POSITIVE, Float
from trainables.scenarios.pacing import PacingToFull


@dataclass(frozen=True)
class Root(PacingToFull):
    """(b^p + (1 - b^p) t)^(1/p): new data ever more slowly (Platanios et al., NAACL 2019)."""

    power: Annotated[float, Float(1.0, 10.0), POSITIVE] = 2.0

    def _share(self, way: float) -> float:
        low = self.start**self.power
        return float((low + (1.0 - low) * way) ** (1.0 / self.power))

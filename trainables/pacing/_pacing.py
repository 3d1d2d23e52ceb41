"""What every pacing is: how much of the data is let in, as a function of progress."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from search_spaces import Float, Part


@dataclass(frozen=True)
class Pacing(Part, ABC):
    """From a share `start` of the data at progress 0 to all of it at progress `full_at`.

    The families of Wu, Dyer and Neyshabur ("When Do Curricula Work?", ICLR 2021, Fig. 4), whose
    b is `start` and whose a is `full_at`.
    """

    kind: ClassVar[str] = "pacing"

    start: Annotated[float, Float(0.0, 1.0)] = 0.2
    full_at: Annotated[float, Float(0.05, 1.0)] = 0.5

    @final
    def share(self, progress: float) -> float:
        """The share of the data that is let in, in [start, 1]; never falls."""
        if progress >= self.full_at:
            return 1.0
        return min(1.0, self._share(progress / self.full_at))

    @abstractmethod
    def _share(self, way: float) -> float:
        """The share at `way` in [0, 1) from progress 0 to `full_at`."""

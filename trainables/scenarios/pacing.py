"""The base of every pacing: the share of data let in, as a function of progress."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from search_spaces import SHARE, Float, Part

ALL_IN = 0.9
"""The progress from which everything is let in, whatever a schedule says."""


@dataclass(frozen=True)
class Pacing(Part, ABC):
    """A share of the data that never falls, and is all of it in the last tenth of the training.

    What papers schedule by epochs or batches is told as a share of the training. A schedule that
    would come to its end later, or never, is cut off there: nothing stays unseen.
    """

    kind: ClassVar[str] = "pacing"
    options_in: ClassVar[str] = "trainables.scenarios.pacings"

    start: Annotated[float, Float(0.0, 1.0)] = 0.2

    @final
    def share(self, progress: float) -> float:
        """The share of the data, in [0, 1], that is let in at a progress in [0, 1]."""
        return 1.0 if progress >= ALL_IN else min(1.0, self._at(progress))

    @abstractmethod
    def jumps(self) -> list[float]:
        """Progresses above 0 at which the share may jump, in order: for drawings."""

    @abstractmethod
    def _at(self, progress: float) -> float:
        """The share at a progress below 0.9; may exceed 1."""


@dataclass(frozen=True)
class PacingToFull(Pacing, ABC):
    """From a share `start` of the data at progress 0 to all of it at progress `full_at`.

    Of this kind are the families of Wu, Dyer and Neyshabur ("When Do Curricula Work?", ICLR 2021,
    Fig. 4), whose b is `start` and whose a is `full_at`.
    """

    full_at: Annotated[float, Float(0.05, 1.0), SHARE] = 0.5

    def jumps(self) -> list[float]:
        return [min(self.full_at, ALL_IN)]

    @final
    def _at(self, progress: float) -> float:
        return 1.0 if progress >= self.full_at else self._share(progress / self.full_at)

    @abstractmethod
    def _share(self, way: float) -> float:
        """The share at `way` in [0, 1) from progress 0 to `full_at`."""


@dataclass(frozen=True)
class StagedPacing(Pacing, ABC):
    """A share that grows by steps alone, all stages being of one length."""

    @property
    @abstractmethod
    def length(self) -> float:
        """The length of a stage as a share of the training."""

    def jumps(self) -> list[float]:
        stages = (k * self.length for k in range(1, math.ceil(ALL_IN / self.length)))
        return [*(stage for stage in stages if stage < ALL_IN - 1e-9), ALL_IN]

    @final
    def _at(self, progress: float) -> float:
        # A quotient such as 0.3 / 0.1 is less than the whole number that is meant.
        return self._stage(math.floor(progress / self.length + 1e-9))

    @abstractmethod
    def _stage(self, number: int) -> float:
        """The share in the stage of a number, the first being 0; may exceed 1."""

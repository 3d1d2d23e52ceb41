"""The 1cycle policy (Smith and Topin, 2018): one rise and fall, momentum against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from search_spaces import BELOW_ONE, Float, Override
from trainables.parts.schedule import Schedule


@dataclass(frozen=True)
class OneCycle(Schedule):
    """1cycle (Smith and Topin, "Super-convergence", arXiv 1708.07120), with cosine annealing.

    The rate rises from 1/25 of its peak for a share `rise` of the run, then falls to 1/250,000 of
    it; the momentum goes from 0.95 down to 0.85 and back, whatever the optimizer's own is.
    """

    overrides: ClassVar[tuple[Override, ...]] = (
        Override("optimizer.momentum"),
        Override("optimizer.beta1"),
    )

    rise: Annotated[float, Float(0.1, 0.5), BELOW_ONE] = 0.3

    def factor(self, progress: float) -> float:
        return self._cycle(progress, 1 / 25, 1.0, 1 / 25 / 1e4)

    def momentum(self, progress: float) -> float:
        return self._cycle(progress, 0.95, 0.85, 0.95)

    def _cycle(self, progress: float, start: float, peak: float, end: float) -> float:
        if progress < self.rise:
            return _anneal(start, peak, progress / self.rise)
        return _anneal(peak, end, (progress - self.rise) / (1.0 - self.rise))


def _anneal(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))

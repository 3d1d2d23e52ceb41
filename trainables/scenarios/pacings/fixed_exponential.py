"""Fixed exponential pacing (Hacohen and Weinshall, ICML 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import POSITIVE_SHARE, Bounds, Float, Within
from trainables.scenarios.pacing import StagedPacing


@dataclass(frozen=True)
class FixedExponential(StagedPacing):
    """start increase^floor(progress / step): ever larger stages (Hacohen & Weinshall, ICML 2019).

    The defaults are those of their reference code, where a step is 100 of 3,500 batches and all
    data is in after six; what is left out then joins in the last tenth of the training.
    """

    start: Annotated[float, Float(0.01, 1.0, log=True), POSITIVE_SHARE] = 0.04
    increase: Annotated[float, Float(1.1, 4.0), Within(Bounds(at_least=1.0))] = 1.9
    step: Annotated[float, Float(0.01, 0.5, log=True), POSITIVE_SHARE] = 0.0286

    @property
    def length(self) -> float:
        return self.step

    def _stage(self, number: int) -> float:
        return float(self.start * self.increase**number)

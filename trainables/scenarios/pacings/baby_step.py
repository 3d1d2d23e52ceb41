"""The stages of Baby Step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import POSITIVE_SHARE, Float
from trainables.scenarios.pacing import StagedPacing


@dataclass(frozen=True)
class BabySteps(StagedPacing):
    """start + grow (floor(progress / interval) + 1): equal portions (Bengio et al., ICML 2009).

    As in CurML (ACM MM 2022), whose stages are 20 of 200 epochs: the first holds start + grow.
    What is left out then joins in the last tenth of the training.
    """

    start: Annotated[float, Float(0.0, 1.0)] = 0.0
    grow: Annotated[float, Float(0.02, 1.0, log=True), POSITIVE_SHARE] = 0.1
    interval: Annotated[float, Float(0.02, 0.5, log=True), POSITIVE_SHARE] = 0.1

    @property
    def length(self) -> float:
        return self.interval

    def _stage(self, number: int) -> float:
        return self.start + self.grow * (number + 1)

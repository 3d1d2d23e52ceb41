"""Random search."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from automl_cl.strategy.sampler import Sampler, Told
from search_spaces import FlatSpace, Point


@final
@dataclass(frozen=True)
class Random(Sampler):
    """Random search: every point is drawn uniformly, on the scale of its range."""

    def ask(self, space: FlatSpace, told: Sequence[Told], seed: int) -> Point:
        return space.draw(random.Random(seed))

"""A flat space: named ranges, as a sampler sees one arm."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from search_spaces.ranges import Categorical, Int, Range, position_of, value_at

Point = dict[str, Any]


class FlatSpace:
    """Named ranges, and the points in them.

    A recorded benchmark, which has values at some points only, overrides `draw` and `nearest`.

    Args:
        ranges: by name, all of them active at every point.
    """

    def __init__(self, ranges: Mapping[str, Range]) -> None:
        self.ranges = dict(ranges)

    def draw(self, rng: random.Random) -> Point:
        """A point at random: uniform on each range's own scale."""
        return {name: _drawn(allowed, rng) for name, allowed in self.ranges.items()}

    def near(self, point: Point, rng: random.Random, spread: float) -> Point:
        """A point near another.

        Args:
            point: the other.
            rng: the source of chance.
            spread: standard deviation of a number as a share of its range, and the chance that a
                category is drawn anew.
        """
        found = {}
        for name, allowed in self.ranges.items():
            if type(allowed) is Categorical:
                kept = rng.random() >= spread
                found[name] = point[name] if kept else _drawn(allowed, rng)
            else:
                position = rng.gauss(position_of(allowed, point[name]), spread)
                found[name] = value_at(allowed, min(max(position, 0.0), 1.0))
        return self.nearest(found)

    def nearest(self, point: Point) -> Point:
        """The point of the space nearest to given coordinates."""
        return point

    def features(self, point: Point) -> list[float]:
        """The point as numbers from 0 to 1: positions, and a 0 or 1 for each category."""
        found: list[float] = []
        for name, allowed in self.ranges.items():
            if type(allowed) is Categorical:
                found += [float(point[name] == choice) for choice in allowed.choices]
            else:
                found.append(position_of(allowed, point[name]))
        return found


def _drawn(allowed: Range, rng: random.Random) -> Any:
    if type(allowed) is Categorical:
        return rng.choice(allowed.choices)
    if type(allowed) is Int and not allowed.log:
        return rng.randint(allowed.low, allowed.high)
    return value_at(allowed, rng.random())

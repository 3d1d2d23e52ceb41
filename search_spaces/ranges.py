"""Ranges of hyperparameters: Optuna's own distributions, under the names that fields carry.

A field of a part states the range that is searched on its annotation, and where more is legal,
such as a published value outside of it, the legal range beside it::

    lam: Annotated[float, Float(0.1, 10, log=True), POSITIVE] = 1.0
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution as Range
from optuna.distributions import CategoricalDistribution as Categorical
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from search_spaces.errors import InputError

__all__ = [
    "BELOW_ONE",
    "COUNT",
    "NOT_NEGATIVE",
    "POSITIVE",
    "POSITIVE_SHARE",
    "SHARE",
    "Bounds",
    "Categorical",
    "Float",
    "Int",
    "Legal",
    "LogOrZero",
    "Range",
    "Within",
    "clip",
    "describe_range",
    "in_range",
    "plain",
    "position_of",
    "value_at",
]

ZERO_SHARE = 0.1
"""The share of a `LogOrZero` range's positions that means 0."""


class LogOrZero(Float):
    """A number that is 0 or lies in a range on a log scale, such as a weight decay."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low, high, log=True)


@dataclass(frozen=True)
class Bounds:
    """All finite numbers between two ends, each of which belongs to them, or not, or is absent."""

    at_least: float = -math.inf
    above: float = -math.inf
    at_most: float = math.inf
    below: float = math.inf

    def hold(self, value: float) -> bool:
        """True if a number lies between the ends."""
        return (
            abs(value) <= sys.float_info.max
            and self.at_least <= value <= self.at_most
            and self.above < value < self.below
        )

    def __str__(self) -> str:
        if math.isfinite(self.at_least) and math.isfinite(self.at_most):
            return f"a number from {self.at_least:g} to {self.at_most:g}"
        ends = {
            "at least": self.at_least,
            "above": self.above,
            "at most": self.at_most,
            "below": self.below,
        }
        given = [f"{words} {end:g}" for words, end in ends.items() if math.isfinite(end)]
        return "a number " + " and ".join(given) if given else "a finite number"


Legal = Range | Bounds
"""What a field may hold, whatever of it is searched."""


@dataclass(frozen=True)
class Within:
    """The legal range of a field.

    Beside a range that is searched it allows more; alone it is that of a field that is fixed by
    hand and never searched, such as a model's width.
    """

    allowed: Legal


POSITIVE = Within(Bounds(above=0.0))
NOT_NEGATIVE = Within(Bounds(at_least=0.0))
SHARE = Within(Bounds(at_least=0.0, at_most=1.0))
POSITIVE_SHARE = Within(Bounds(above=0.0, at_most=1.0))
BELOW_ONE = Within(Bounds(at_least=0.0, below=1.0))
COUNT = Within(Int(1, 1_000_000))


def describe_range(allowed: Legal) -> str:
    """A range in words, for messages and tables."""
    if isinstance(allowed, Bounds):
        return str(allowed)
    if isinstance(allowed, Categorical):
        return "one of " + ", ".join(str(choice) for choice in allowed.choices)
    assert isinstance(allowed, Float | Int)
    kind = "a whole number" if isinstance(allowed, Int) else "a number"
    if isinstance(allowed, LogOrZero):
        kind = "0 or a number"
    return f"{kind} from {allowed.low:g} to {allowed.high:g}" + (" (log)" if allowed.log else "")


def plain(value: Any) -> Any:
    """A single value of NumPy or PyTorch as Python's own; anything else as it is."""
    if getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None)):
        return value.item()
    return value


def in_range(path: str, value: Any, allowed: Legal) -> Any:
    """The value as the range's own type.

    Raises:
        InputError: if it has another type or lies outside; the message names `path`.
    """
    wrong = InputError(f"{path}: got {value!r}, expected {describe_range(allowed)}.")
    value = plain(value)
    if isinstance(allowed, Categorical):
        for choice in allowed.choices:
            if type(value) in _KINDS_OF_CHOICES and _is_same(choice, value):
                return choice
        raise wrong
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong
    if not _holds(allowed, value):
        raise wrong
    if isinstance(allowed, Int):
        if value != int(value):
            raise wrong
        return int(value)
    return float(value)


_KINDS_OF_CHOICES = (str, bool, int, float)


def _is_same(choice: Any, value: Any) -> bool:
    return bool(choice == value) and isinstance(choice, bool) == isinstance(value, bool)


def _holds(allowed: Legal, value: float) -> bool:
    if isinstance(allowed, Bounds):
        return allowed.hold(value)
    assert isinstance(allowed, Float | Int)
    return allowed.low <= value <= allowed.high or (isinstance(allowed, LogOrZero) and value == 0)


def clip(value: Any, allowed: Range) -> Any:
    """The value of the range nearest to `value`; an absent category becomes the first."""
    if isinstance(allowed, Categorical):
        return value if value in allowed.choices else allowed.choices[0]
    assert isinstance(allowed, Float | Int)
    if not isinstance(value, int | float):
        return allowed.low
    if isinstance(allowed, LogOrZero) and value <= 0:
        return 0.0
    return min(max(value, allowed.low), allowed.high)


# Samplers ask these two ten thousand times a proposal, so kinds are told apart by `type`, which
# costs a tenth of `isinstance` where the class is abstract, as Optuna's is.


def value_at(allowed: Range, position: float) -> Any:
    """The value at a position from 0 to 1 inside a range; categories have no order: the first."""
    if type(allowed) is Categorical:
        return allowed.choices[0]
    if type(allowed) is LogOrZero:
        if position < ZERO_SHARE:
            return 0.0
        position = (position - ZERO_SHARE) / (1.0 - ZERO_SHARE)
    assert type(allowed) is Float or type(allowed) is Int or type(allowed) is LogOrZero
    low, high = allowed.low, allowed.high
    if allowed.log:
        found = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
    else:
        found = low + position * (high - low)
    found = min(max(found, low), high)
    return round(found) if type(allowed) is Int else found


def position_of(allowed: Range, value: Any) -> float:
    """Where in a range a number lies, from 0 to 1, on the range's own (linear or log) scale.

    A number outside of the range has the position of the end that is nearest.
    """
    if type(allowed) is LogOrZero:
        if value <= 0:
            return ZERO_SHARE / 2
        return ZERO_SHARE + (1.0 - ZERO_SHARE) * _share_of(allowed, value)
    return _share_of(allowed, value)


def _share_of(allowed: Range, value: Any) -> float:
    assert type(allowed) is Float or type(allowed) is Int or type(allowed) is LogOrZero
    low, high = float(allowed.low), float(allowed.high)
    if low == high:
        return 0.5
    if allowed.log:
        value = max(value, low)
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(max((float(value) - low) / (high - low), 0.0), 1.0)

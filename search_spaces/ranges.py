"""Ranges of hyperparameters: Optuna's own distributions, under the names that fields carry.

A field of a part says its range on its annotation, and nothing else has to be said about it::

    lam: Annotated[float, Float(0.1, 10, log=True)] = 1.0
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution as Range
from optuna.distributions import CategoricalDistribution as Categorical
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from search_spaces.errors import InputError

__all__ = [
    "Categorical",
    "Float",
    "Int",
    "Range",
    "Within",
    "clip",
    "describe_range",
    "in_range",
    "position_of",
    "value_at",
]


@dataclass(frozen=True)
class Within:
    """The range of a field that is fixed by hand and never searched, such as a model's width."""

    allowed: Range


def describe_range(allowed: Range) -> str:
    """A range in words, for messages and tables."""
    if isinstance(allowed, Categorical):
        return "one of " + ", ".join(str(choice) for choice in allowed.choices)
    assert isinstance(allowed, Float | Int)
    kind = "a whole number" if isinstance(allowed, Int) else "a number"
    return f"{kind} from {allowed.low:g} to {allowed.high:g}" + (" (log)" if allowed.log else "")


def in_range(path: str, value: Any, allowed: Range) -> Any:
    """The value as the range's own type.

    Raises:
        InputError: if it has another type or lies outside; the message names `path`.
    """
    wrong = InputError(f"{path}: got {value!r}, expected {describe_range(allowed)}.")
    if isinstance(allowed, Categorical):
        for choice in allowed.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        raise wrong
    assert isinstance(allowed, Float | Int)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong
    if not allowed.low <= value <= allowed.high:
        raise wrong
    if isinstance(allowed, Int) and value != int(value):
        raise wrong
    return int(value) if isinstance(allowed, Int) else float(value)


def clip(value: Any, allowed: Range) -> Any:
    """The value of the range nearest to `value`; an absent category becomes the first."""
    if isinstance(allowed, Categorical):
        return value if value in allowed.choices else allowed.choices[0]
    assert isinstance(allowed, Float | Int)
    if not isinstance(value, int | float):
        return allowed.low
    return min(max(value, allowed.low), allowed.high)


# Samplers ask these two ten thousand times a proposal, so kinds are told apart by `type`, which
# costs a tenth of `isinstance` where the class is abstract, as Optuna's is.


def value_at(allowed: Range, position: float) -> Any:
    """The value at a position from 0 to 1 inside a range; categories have no order: the first."""
    if type(allowed) is Categorical:
        return allowed.choices[0]
    assert type(allowed) is Float or type(allowed) is Int
    low, high = allowed.low, allowed.high
    if allowed.log:
        found = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
    else:
        found = low + position * (high - low)
    found = min(max(found, low), high)
    return round(found) if type(allowed) is Int else found


def position_of(allowed: Range, value: Any) -> float:
    """Where in a range a number lies, from 0 to 1, on the range's own (linear or log) scale."""
    assert type(allowed) is Float or type(allowed) is Int
    low, high = float(allowed.low), float(allowed.high)
    if low == high:
        return 0.5
    if allowed.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return min(max((float(value) - low) / (high - low), 0.0), 1.0)

"""Ranges of hyperparameters: Optuna's own distributions, under the names that fields carry.

A field of a part says its range on its annotation, and nothing else has to be said about it::

    lam: Annotated[float, Float(0.1, 10, log=True)] = 1.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution as Range
from optuna.distributions import CategoricalDistribution as Categorical
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from search_spaces.errors import InputError

__all__ = ["Categorical", "Float", "Int", "Range", "Within", "clip", "describe_range", "in_range"]


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

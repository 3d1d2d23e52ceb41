"""Hyperparameters that have no effect, since something else in the config decides.

They are no part of the space: no sampler sees them, and no config holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Override:
    """A hyperparameter of another section without effect, as a part states it in `overrides`.

    Attributes:
        path: the hyperparameter, such as `optimizer.momentum`.
        when: values of the part's own fields with which that is so; none if it always is.
    """

    path: str
    when: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, init=False)
class Only:
    """The values of a sibling with which alone a field has an effect, as its annotation states it.

    As in `order: Annotated[float, Float(1.1, 10.0), Only(weighting="polynomial")]`; a sibling may
    have several such values, as a tuple.
    """

    sibling: str
    values: tuple[Any, ...]

    def __init__(self, **sibling: Any) -> None:
        ((name, values),) = sibling.items()
        object.__setattr__(self, "sibling", name)
        object.__setattr__(self, "values", values if isinstance(values, tuple) else (values,))

    def __str__(self) -> str:
        return f"{self.sibling} {' or '.join(map(str, self.values))}"

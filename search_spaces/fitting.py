"""A config of another space, put into this one."""

from __future__ import annotations

from typing import Any

from search_spaces.parts import Config
from search_spaces.ranges import Categorical, Range, clip
from search_spaces.space import Choice, Fixed, Group, Leaf, Node, Space, default_of


class _OutsideError(Exception):
    """A choice that the space does not have."""


def fitted(space: Space, config: Config) -> Config | None:
    """The config of the space that stands for one of another space.

    Numbers are moved to the nearest that is allowed, and to the space's own where they are fixed.
    Hyperparameters that the config does not know have their defaults; those that the space does
    not know are left out. What a config may leave out is the space's own.

    Returns:
        The config, or None where the space lacks an option or a category that the config has.
    """
    try:
        found: Config = _fit(space.as_chosen(config), config)
    except _OutsideError:
        return None
    return space.in_effect(found)


def _fit(node: Node, given: Any) -> Any:
    match node:
        case Leaf():
            return _nearest(given, node.allowed)
        case Fixed():
            if isinstance(node.value, str | bool) and given != node.value and not node.unused:
                raise _OutsideError
            return node.value
        case Group():
            if not isinstance(given, dict):
                raise _OutsideError
            return node.written(
                lambda name, below: (
                    _fit(below, given[name])
                    if name in given and not _is_optional(below)
                    else default_of(below)
                )
            )
        case Choice():
            name = given.get("name") if isinstance(given, dict) else None
            if not isinstance(name, str) or name not in node.options:
                raise _OutsideError
            return {"name": name, **_fit(node.options[name], given)}


def _is_optional(node: Node) -> bool:
    return isinstance(node, Group) and node.implied is not None


def _nearest(value: Any, allowed: Range) -> Any:
    if not isinstance(allowed, Categorical):
        if not _is_number(value):
            raise _OutsideError
        return clip(value, allowed)
    for choice in allowed.choices:
        if choice == value and isinstance(choice, bool) == isinstance(value, bool):
            return choice
    numbers = [choice for choice in allowed.choices if _is_number(choice)]
    if not _is_number(value) or not numbers:
        raise _OutsideError
    return min(numbers, key=lambda choice: abs(choice - value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

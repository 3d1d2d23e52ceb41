"""What of a space is allowed by a condition that only a whole config can be asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from search_spaces.parts import Config
from search_spaces.ranges import Int
from search_spaces.space import Choice, Group, Leaf, Node, Space, default_of

Allowed = Callable[[Any], bool]


def feasible(space: Space, section: str, allowed: Allowed) -> tuple[Space, list[str]]:
    """The space without what a condition on one section forbids.

    Each option and each whole number is asked about with everything else at its default: a number
    is cut off above the greatest value that is allowed. What is only forbidden together stays.

    Args:
        space: any space.
        section: a section with options.
        allowed: whether a config of the section may be.

    Returns:
        The space, and the section's options that are not allowed at their default.
    """
    choice = space.root.fields[section]
    assert isinstance(choice, Choice)
    forbidden = [
        name
        for name, group in choice.options.items()
        if not allowed({"name": name, **default_of(group)})
    ]
    kept = {
        name: cast("Group", _cut(group, _named(allowed, name)))
        for name, group in choice.options.items()
        if name not in forbidden
    }
    if not kept:
        return space, forbidden
    default = choice.default if choice.default in kept else next(iter(kept))
    changed = Choice(choice.kind, kept, default)
    return Space(replace(space.root, fields={**space.root.fields, section: changed})), forbidden


def _cut(node: Node, allowed: Allowed) -> Node:
    """A node without what is forbidden while the rest of the config is at its default."""
    if isinstance(node, Leaf) and isinstance(node.allowed, Int):
        return _cut_number(node, node.allowed, allowed)
    if isinstance(node, Group):
        within = partial(_within, allowed, default_of(node))
        return replace(node, fields={n: _cut(f, within(n)) for n, f in node.fields.items()})
    if isinstance(node, Choice):
        kept = {
            name: _cut(group, _named(allowed, name))
            for name, group in node.options.items()
            if name == node.default or allowed({"name": name, **default_of(group)})
        }
        return Choice(node.kind, cast("dict[str, Group]", kept), node.default)
    return node


def _named(allowed: Allowed, name: str) -> Allowed:
    """What is allowed of the fields of an option."""
    return lambda fields: allowed({"name": name, **fields})


def _within(allowed: Allowed, whole: Config, field: str) -> Allowed:
    """What is allowed of one field of a group."""
    return lambda value: allowed({**whole, field: value})


def _cut_number(leaf: Leaf, numbers: Int, allowed: Allowed) -> Leaf:
    high = numbers.high
    while high > max(numbers.low, leaf.default) and not allowed(high):
        high -= 1
    return replace(leaf, allowed=Int(numbers.low, high, log=numbers.log))

"""What a journal tells of search spaces: their form, which is checked as it is read.

A described space is a tree (`search_spaces.Space.describe`): mappings of names, choices
`{default, options}`, ranges `{default, choices}` or `{default, low, high, log}`, and values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_cl.run.codec import Misfit, shown


def is_choice(node: Any) -> bool:
    """Whether a node is a choice among options, each with a space of its own."""
    return isinstance(node, dict) and node.keys() >= {"default", "options"}


def is_range(node: Any) -> bool:
    """Whether a node is a range, or a list of values."""
    names = node.keys() if isinstance(node, dict) else ()
    return names == {"choices", "default"} or names == {"low", "high", "log", "default"}


def require_described(node: Any) -> None:
    """A check for `Annotated`: a described space.

    Raises:
        Misfit: if it is none; says where.
    """
    if is_range(node):
        _require_range(node)
        return
    below = node["options"] if is_choice(node) else node
    if is_choice(node) and not isinstance(below, dict):
        raise Misfit(f"expected a mapping, got {shown(below)}", (".options",))
    if isinstance(below, dict):
        for name, each in below.items():
            _inside(name, lambda each=each: require_described(each))


def require_within(node: Any, whole: Any) -> None:
    """Checks that all of a described space has its place in another one.

    Raises:
        Misfit: if a part of it has none; says which.
    """
    if is_range(node) or not isinstance(node, dict):
        return
    if is_choice(node):
        node, whole = node["options"], whole["options"] if is_choice(whole) else None
    elif is_choice(whole) or is_range(whole):
        whole = None
    for name, each in node.items():
        if not isinstance(whole, Mapping) or name not in whole:
            raise Misfit("the whole space has no such part", (f".{name}",))
        _inside(name, lambda name=name, each=each: require_within(each, whole[name]))


def require_distributions(coordinates: Mapping[str, str]) -> None:
    """A check for `Annotated`: Optuna's distributions, as their JSON by name.

    Raises:
        Misfit: if a text is none.
    """
    from optuna.distributions import json_to_distribution

    for name, text in coordinates.items():
        try:
            json_to_distribution(text)
        # Optuna reads them without a check of its own, so any error may come of it.
        except Exception:
            raise Misfit(f"{shown(text)} is no distribution of Optuna", (f".{name}",)) from None


def _require_range(node: Mapping[str, Any]) -> None:
    if "choices" in node:
        if not isinstance(node["choices"], list):
            raise Misfit(f"expected a list, got {shown(node['choices'])}", (".choices",))
        return
    for name in ("low", "high"):
        if type(node[name]) not in (int, float):
            raise Misfit(f"expected a number, got {shown(node[name])}", (f".{name}",))
    if type(node["log"]) is not bool:
        raise Misfit(f"expected true or false, got {shown(node['log'])}", (".log",))


def _inside(name: str, check: Any) -> None:
    try:
        check()
    except Misfit as misfit:
        raise misfit.inside(f".{name}") from None

"""The search space as rows of a table: what was searched, what was narrowed, what was fixed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from automl_cl.run.described_space import is_choice, is_range

SEARCHED, NARROWED, FIXED = "searched", "narrowed", "fixed"
UNSEARCHED = "not searched"


@dataclass(frozen=True)
class SpaceRow:
    """One hyperparameter.

    Attributes:
        path: where it is in a config, names of options included.
        allowed: its range, choices or value.
        default: the published default, as near as the space allows; empty for a fixed one.
        status: `searched`, `narrowed` or `fixed` by this search, or `not searched` by any.
        otherwise: what it would be in the whole space, where that differs.
    """

    path: str
    allowed: str
    default: str
    status: str
    otherwise: str

    @property
    def section(self) -> str:
        """The section of the config that it is in."""
        return self.path.partition(".")[0]


def space_rows(space: Any, whole: Any) -> list[SpaceRow]:
    """The rows of a described space beside the whole one; see `search_spaces.Space.describe`."""
    return list(_rows(space, whole, ()))


def _rows(node: Any, whole: Any, path: tuple[str, ...]) -> Iterator[SpaceRow]:
    if is_choice(node):
        if len(whole["options"]) > 1:
            yield _row(path, node, whole)
        for name, below in node["options"].items():
            yield from _rows(below, whole["options"][name], (*path, name))
    elif isinstance(node, dict) and not is_range(node):
        for name, below in node.items():
            yield from _rows(below, whole[name], (*path, name))
    else:
        yield _row(path, node, whole)


def _row(path: tuple[str, ...], node: Any, whole: Any) -> SpaceRow:
    here, everywhere = _values(node), _values(whole)
    one = len(here) == 1
    if here == everywhere:
        status = UNSEARCHED if one else SEARCHED
    else:
        status = FIXED if one else NARROWED
    return SpaceRow(
        path=".".join(path),
        allowed=_words(node),
        default="" if one else str(node["default"]),
        status=status,
        otherwise="" if here == everywhere else _words(whole),
    )


def _values(node: Any) -> tuple[Any, ...]:
    """The key by which two nodes allow the same: the choices, or the ends of a range."""
    if is_choice(node):
        return tuple(sorted(node["options"]))
    if not is_range(node):
        return (node,)
    if "choices" in node:
        return tuple(sorted(node["choices"], key=str))
    low, high = node["low"], node["high"]
    return (low,) if low == high else (low, high, node["log"])


def _words(node: Any) -> str:
    if is_range(node) and "low" in node and node["low"] != node["high"]:
        return f"{node['low']:g} to {node['high']:g}" + (", log" if node["log"] else "")
    return ", ".join(map(str, _values(node)))

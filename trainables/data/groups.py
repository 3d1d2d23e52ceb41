"""Classes that belong together by their names, GROUP/CLASS."""

from __future__ import annotations

from collections.abc import Sequence


def class_groups(names: Sequence[str]) -> dict[str, list[int]]:
    """The classes of each group, in the order of their first class; empty if one has no group."""
    together: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        together.setdefault(name.rpartition("/")[0], []).append(number)
    return {} if "" in together else together

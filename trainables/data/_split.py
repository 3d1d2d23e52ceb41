"""Stratified splitting."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


def stratified_split(
    labels: NDArray[np.int64], shares: tuple[int, ...], rng: np.random.Generator
) -> tuple[NDArray[np.intp], ...]:
    """Splits rows at random so that every class is shared out in the same proportions.

    Args:
        labels: [n].
        shares: the proportions as whole numbers, (3, 1, 1) for 60/20/20; a class with at least
            sum(shares) rows has one in every part.
        rng: where the randomness comes from.

    Returns:
        The row numbers of each part, ascending; each row is in exactly one part.
    """
    total = sum(shares)
    parts: list[list[NDArray[np.intp]]] = [[] for _ in shares]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        # Integer rounding half up: float cut points could differ between machines.
        cuts = [(2 * len(rows) * upto + total) // (2 * total) for upto in accumulate(shares)]
        for part, piece in zip(parts, np.split(rows, cuts[:-1]), strict=True):
            part.append(piece)
    return tuple(np.sort(np.concatenate(part)) for part in parts)

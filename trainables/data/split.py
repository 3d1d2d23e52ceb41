"""Stratified splitting."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError


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


def class_balanced(
    labels: NDArray[np.int64],
    num_classes: int,
    count: int,
    rng: np.random.Generator,
    what: str = "labels",
) -> NDArray[np.intp]:
    """Chooses examples such that the numbers of the classes differ by at most one.

    A class with fewer examples than its part gives all it has, and the others give more. Which
    classes give one more, and which of their examples, is drawn.

    Args:
        labels: [n].
        num_classes: how many classes there are.
        count: how many examples to choose.
        rng: where the randomness comes from.
        what: the setting that asks for them, for messages.

    Returns:
        Their row numbers, ascending.

    Raises:
        InputError: if there are fewer examples, or more classes, than `count`.
    """
    if count < num_classes:
        raise InputError(f"{what}: got {count}, expected at least {num_classes}, one a class.")
    if count > len(labels):
        raise InputError(f"{what}: got {count}, expected at most the {len(labels)} to train on.")
    shuffled = [rng.permutation(np.flatnonzero(labels == c)) for c in range(num_classes)]
    # Dealt out in rounds, one of each class that has any left.
    order = rng.permutation(num_classes)
    turn = [(i, place) for place, c in enumerate(order) for i in range(len(shuffled[c]))]
    dealt = [shuffled[order[place]][i] for i, place in sorted(turn)[:count]]
    return np.sort(np.array(dealt, dtype=np.intp))

"""Orders of examples: by a score, and with every class in them."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.foundation.randomness import derive_seed, permutation

FEWEST = 32
"""Examples that are let in at least, if there are as many."""


def balanced_order(difficulty: Tensor, labels: Tensor) -> Tensor:
    """Indices from easy to hard, the classes taking turns in proportion to their sizes.

    Each example is placed by its rank within its own class, as in the reference code of Hacohen
    and Weinshall (ICML 2019): without it the easiest class comes first and alone.
    """
    place = torch.empty_like(difficulty, dtype=torch.float64)
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        ranked = members[difficulty[members].argsort(stable=True)]
        ranks = torch.arange(len(ranked), device=labels.device, dtype=torch.float64)
        place[ranked] = (ranks + 0.5) / len(ranked)
    return place.argsort(stable=True)


def order_of(scores: Tensor, labels: Tensor | None, seed: int) -> Tensor:
    """Indices from the lowest score to the highest, equal ones in a random order.

    The order of the data often means something; where many scores are equal, it would count.

    Args:
        scores: [n].
        labels: [n], to be let in in proportion (`balanced_order`), or None.
        seed: for the order of those that are equal.
    """
    drawn = permutation(len(scores), derive_seed(seed, "ties")).to(scores.device)
    if labels is None:
        return drawn[scores[drawn].argsort(stable=True)]
    return drawn[balanced_order(scores[drawn], labels[drawn])]


def number_of_classes(labels: Tensor) -> int:
    """Number of classes that have an example."""
    return int((labels.bincount() > 0).sum())


def every_class_first(order: Tensor, labels: Tensor) -> Tensor:
    """The order with every class among its first 32, or as many as there are classes.

    Of each class that would come later, the first example goes before all others.

    Args:
        order: indices of examples, [m].
        labels: of all examples, [n].
    """
    first = _first_places(order, labels)
    late = first >= max(0, FEWEST - number_of_classes(labels[order]))
    leading = first[late & (first < len(order))].sort().values
    others = torch.ones_like(order, dtype=torch.bool).index_fill(0, leading, False)
    return torch.cat([order[leading], order[others]])


def _first_places(order: Tensor, labels: Tensor) -> Tensor:
    """The place of each class's first example, [classes]; [m] of a class that has none."""
    places = torch.arange(len(order), device=order.device)
    none = torch.full((int(labels.max()) + 1,), len(order), device=order.device)
    return none.scatter_reduce(0, labels[order], places, "amin")


def with_every_class(rows: Tensor, labels: Tensor, seed: int) -> Tensor:
    """The rows, and of each class that they lack an example drawn at random."""
    drawn = permutation(len(labels), seed).to(rows.device)
    missing = _first_places(rows, labels) == len(rows)
    first = _first_places(drawn, labels)
    return torch.cat([rows, drawn[first[missing & (first < len(drawn))]]])

"""Affinity clustering (Bateni et al., NIPS 2017) of the classes that a model confuses."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def confusion(predicted: Tensor, labels: Tensor, classes: int) -> Floats:
    """The share of each class (row) that is taken for each other class, [classes, classes]."""
    pairs = torch.bincount(labels * classes + predicted, minlength=classes**2)
    counts = pairs.view(classes, classes).double().cpu().numpy()
    # A class without an example, or without an error, is confused with none: 0, and not 0 / 0.
    shares: Floats = counts / counts.sum(1, keepdims=True).clip(1.0)
    np.fill_diagonal(shares, 0.0)
    return shares


def affinity_levels(distances: Floats, fewest: int) -> list[Labels]:
    """The cluster of each class in each round, from one class each to `fewest` clusters.

    In a round every cluster is joined with the one nearest to it, by the least distance between
    their members: Boruvka's algorithm. The shortest links come first, and the last round stops at
    `fewest`. Of equal distances that of the lowest class counts.

    Args:
        distances: symmetric, [classes, classes].
        fewest: how many clusters there are to be in the end.
    """
    levels = [np.arange(len(distances))]
    while (count := int(levels[-1].max()) + 1) > fewest:
        levels.append(_round(distances, levels[-1], count, fewest))
    return levels


def _round(distances: Floats, labels: Labels, count: int, fewest: int) -> Labels:
    between = np.full((count, count), np.inf)
    np.minimum.at(between, (labels[:, None], labels[None, :]), distances)
    np.fill_diagonal(between, np.inf)
    nearest = between.argmin(1)
    joined = np.arange(count)
    for cluster in np.argsort(between.min(1), kind="stable"):
        first, second = joined[cluster], joined[nearest[cluster]]
        if first != second and len(np.unique(joined)) > fewest:
            joined[joined == max(first, second)] = min(first, second)
    found: Labels = np.unique(joined, return_inverse=True)[1][labels].astype(np.int64)
    return found

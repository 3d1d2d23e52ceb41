"""How often the verdict's test errs where there is no true difference, by simulation.

Two kinds of matrices of differences [seeds, items]. Normal ones with chosen variances of seeds,
items and cells; and real ones: those of a pair of configs, centred and then resampled, so that the
true difference is 0 and the variances are those of real models on real items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from automl_cl.verdict.paired_test import compare

Matrix = NDArray[np.float64]
Test = Callable[[Matrix], tuple[float, float]]


def product(differences: Matrix) -> tuple[float, float]:
    """The verdict's own test: difference and two-sided p-value."""
    found = compare(differences)
    return found.difference, found.p_value


def whole_cells(differences: Matrix) -> tuple[float, float]:
    """The first formula: the cells' variance taken from whole cells and not from residuals.

    It takes in the effects of seeds and items too, so the sum is short by about Vi / seeds. It is
    here to be compared with.
    """
    seeds, items = differences.shape
    mean = float(differences.mean())
    by_seed = float(differences.mean(axis=1).var(ddof=1)) / seeds
    by_item = float(differences.mean(axis=0).var(ddof=1)) / items
    by_cell = float(differences.var(ddof=1)) / differences.size
    both = by_seed + by_item - by_cell
    if both > max(by_seed, by_item):
        spread = by_seed**2 / (seeds - 1) + by_item**2 / (items - 1)
        spread += by_cell**2 / (seeds * items - 1)
        variance, df = both, both**2 / spread
    elif by_seed >= by_item:
        variance, df = by_seed, seeds - 1.0
    else:
        variance, df = by_item, items - 1.0
    if variance <= 0:
        return mean, 1.0
    return mean, float(2 * stats.t.sf(abs(mean) / math.sqrt(variance), df))


def normal(
    seeds: int, items: int, shares: tuple[float, float], count: int, random_seed: int
) -> Iterator[Matrix]:
    """Normal differences without a true one.

    Args:
        seeds: of each matrix.
        items: of each matrix.
        shares: the shares that seeds and items have in the variance of the mean; the rest is the
            cells'.
        count: how many matrices.
        random_seed: of the draws.
    """
    random = np.random.default_rng(random_seed)
    by_seed, by_item = shares
    cell = max(0.0, 1.0 - by_seed - by_item)
    for _ in range(count):
        yield (
            math.sqrt(by_seed * seeds) * random.normal(size=(seeds, 1))
            + math.sqrt(by_item * items) * random.normal(size=(1, items))
            + math.sqrt(cell * seeds * items) * random.normal(size=(seeds, items))
        )


def resampled(real: Matrix, seeds: int, count: int, random_seed: int) -> Iterator[Matrix]:
    """Real differences, centred, with seeds and items drawn anew, each with replacement."""
    random = np.random.default_rng(random_seed)
    centred, items = real - real.mean(), real.shape[1]
    for _ in range(count):
        rows = random.integers(len(real), size=seeds)
        yield centred[rows][:, random.integers(items, size=items)]


def share_of_items(real: Matrix, seeds: int) -> float:
    """The share that items have in the variance of the mean over `seeds` seeds, by moments."""
    rows, columns = real.mean(axis=1), real.mean(axis=0)
    rest = real - rows[:, None] - columns + real.mean()
    cell = float((rest**2).sum()) / ((real.shape[0] - 1) * (real.shape[1] - 1))
    item = max(0.0, float(columns.var(ddof=1)) - cell / real.shape[0]) / real.shape[1]
    seed = max(0.0, float(rows.var(ddof=1)) - cell / real.shape[1]) / seeds
    return item / (item + seed + cell / (seeds * real.shape[1]))


def errors(matrices: Iterator[Matrix], tests: list[Test]) -> list[tuple[int, int]]:
    """For each test, how many matrices it calls different at 0.05, and how many of them won."""
    found = np.array([[test(matrix) for test in tests] for matrix in matrices])
    significant = found[..., 1] < 0.05
    won = significant & (found[..., 0] > 0)
    return [
        (int(a), int(b)) for a, b in zip(significant.sum(axis=0), won.sum(axis=0), strict=True)
    ]

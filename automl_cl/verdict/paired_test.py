"""The statistics of the verdict: is the challenger better, over seeds and over test items?

Both configs are retrained over the same seeds and judged on the same test items, so there is one
difference per (seed, item). Both are samples: other seeds and other test items would have given
another mean. A test over seeds alone ignores the second half of that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from automl_cl.spec.settings import FEWEST_SEEDS

# Relative to the largest difference, a standard error below this is rounding in the means.
_ROUNDING = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Comparison:
    """The result of the paired test; a positive difference means that the challenger is better."""

    difference: float
    standard_error: float
    degrees_of_freedom: float
    ci95: tuple[float, float]
    p_value: float

    def wins(self, alpha: float) -> bool:
        """True if the challenger is better at level `alpha` (two-sided)."""
        return self.difference > 0 and self.p_value < alpha and self.standard_error > 0


def compare(differences: NDArray[np.float64]) -> Comparison:
    """Test the mean of paired differences, clustered by seed and by item.

    The variance of the mean is the two-way clustered one, Vs + Vi - Vsi (Cameron, Gelbach &
    Miller, "Robust Inference With Multiway Clustering", Journal of Business & Economic Statistics
    2011), never below Vs or Vi alone. Vsi, the variance of the cells, comes from the residuals,
    the part of a difference that neither its seed nor its item explains, as in a two-way analysis
    of variance without replication. The degrees of freedom are Satterthwaite's ("An Approximate
    Distribution of Estimates of Variance Components", Biometrics Bulletin 1946) for whichever of
    the three is the largest.

    A test at 5 % errs in 5 % of cases with 10 or 5 seeds, and with 3 in up to 7 %
    (`docs/results/false_wins.md`).

    Args:
        differences: shape [seeds, items], positive where the challenger is better.

    Raises:
        ValueError: not a matrix, fewer than three seeds or two items, or a value that is not
            finite.
    """
    enough = differences.ndim == 2 and len(differences) >= FEWEST_SEEDS
    if not enough or differences.shape[1] < 2:
        shape = differences.shape
        raise ValueError(f"need at least {FEWEST_SEEDS} seeds and 2 items, got shape {shape}")
    if not np.isfinite(differences).all():
        raise ValueError("a difference is not finite")
    # In units of the largest difference no square can overflow or vanish.
    unit = float(np.abs(differences).max()) or 1.0
    variance, degrees_of_freedom = _variance_of_mean(differences / unit)
    mean = float((differences / unit).mean()) * unit
    if math.sqrt(variance) <= _ROUNDING:
        return Comparison(mean, 0.0, degrees_of_freedom, (mean, mean), 1.0)
    standard_error = math.sqrt(variance) * unit
    margin = float(stats.t.ppf(0.975, degrees_of_freedom)) * standard_error
    return Comparison(
        difference=mean,
        standard_error=standard_error,
        degrees_of_freedom=degrees_of_freedom,
        ci95=(mean - margin, mean + margin),
        p_value=float(2 * stats.t.sf(abs(mean) / standard_error, degrees_of_freedom)),
    )


def _variance_of_mean(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The squared standard error of the mean, and its degrees of freedom."""
    seeds, items = differences.shape
    of_seeds, of_items = differences.mean(axis=1), differences.mean(axis=0)
    residuals = differences - of_seeds[:, None] - of_items + differences.mean()
    free = (seeds - 1) * (items - 1)
    by_seed = float(of_seeds.var(ddof=1)) / seeds
    by_item = float(of_items.var(ddof=1)) / items
    by_cell = float((residuals**2).sum()) / free / (seeds * items)
    both = by_seed + by_item - by_cell
    if both > max(by_seed, by_item):
        spread = by_seed**2 / (seeds - 1) + by_item**2 / (items - 1) + by_cell**2 / free
        return both, both**2 / spread
    if by_seed >= by_item:
        return by_seed, float(seeds - 1)
    return by_item, float(items - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number, in the order given.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 1979: the j-th smallest of m is multiplied by m - j + 1, and none ends up below a
    smaller one.
    """
    if not all(0 <= p_value <= 1 for p_value in p_values):
        raise ValueError(f"p-values lie in [0, 1], got {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def smallest_detectable_effect(seeds: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """The effect that a paired two-sided t-test over `seeds` pairs finds with probability `power`.

    In standard deviations of the difference between seeds (Cohen, "Statistical Power Analysis for
    the Behavioral Sciences", 1988, section 2.3.5): the effect d at which the noncentral t with
    noncentrality d * sqrt(seeds) exceeds the two-sided critical value with that probability. The
    other tail is left out, as `Comparison.wins` leaves it out.
    """
    if seeds < 2:
        raise ValueError(f"a paired test needs at least 2 seeds, got {seeds}")
    if not 0 < alpha < power < 1:
        raise ValueError(f"need 0 < alpha < power < 1, got alpha {alpha} and power {power}")
    critical = float(stats.t.isf(alpha / 2, seeds - 1))

    def shortfall(effect: float) -> float:
        return power - float(stats.nct.sf(critical, seeds - 1, effect * math.sqrt(seeds)))

    enough = 1.0
    while shortfall(enough) > 0:
        enough *= 2
    return float(optimize.brentq(shortfall, 0.0, enough))


def level_of_opening(k: int) -> float:
    """The level at which the `k`-th opening of the same sealed test is judged."""
    if k < 1:
        raise ValueError(f"openings are counted from 1, got {k}")
    return 0.05 if k == 1 else 0.05 / 2**k

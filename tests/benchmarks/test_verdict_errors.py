from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.verdict_errors import (
    errors,
    normal,
    product,
    resampled,
    share_of_items,
    whole_cells,
)


def test_the_first_formula_worked_by_hand() -> None:
    # Mean 2; seed means 1, 3; item means 0.5, 2, 3.5.
    #   Vs = 1;  Vi = (1.5^2 + 0 + 1.5^2) / (3 * 2) = 0.75
    #   Vsi = (3^2 + 0 + 0 + 0 + 0 + 3^2) / (6 * 5) = 0.6;  SE^2 = 1 + 0.75 - 0.6 = 1.15
    #   df = 1.15^2 / (1^2/1 + 0.75^2/2 + 0.6^2/5)
    mean, p_value = whole_cells(np.array([[-1.0, 2.0, 2.0], [2.0, 2.0, 5.0]]))
    df = 1.15**2 / (1 + 0.75**2 / 2 + 0.6**2 / 5)
    assert mean == 2
    assert p_value == pytest.approx(2 * stats.t.sf(2 / math.sqrt(1.15), df))


def test_where_items_matter_the_first_formula_is_short_and_the_verdicts_is_not() -> None:
    matrices = normal(5, 30, (0.3, 0.7), 4000, 1)
    (ours, _), (first, _) = errors(matrices, [product, whole_cells])
    assert first > ours
    assert stats.binomtest(ours, 4000, 0.05, alternative="greater").pvalue > 0.01


def test_resampled_differences_have_no_true_difference() -> None:
    real = np.random.default_rng(0).normal(3.0, 1.0, size=(12, 40))
    means = [float(each.mean()) for each in resampled(real, 10, 400, 1)]
    assert all(each.shape == (10, 40) for each in resampled(real, 10, 3, 1))
    assert abs(np.mean(means)) < 4 * np.std(means) / math.sqrt(len(means))


@pytest.mark.parametrize(("shares", "expected"), [((0.0, 0.8), 0.8), ((0.9, 0.1), 0.1)])
def test_share_of_items_is_found(shares: tuple[float, float], expected: float) -> None:
    found = [share_of_items(each, 10) for each in normal(10, 300, shares, 60, 3)]
    assert np.mean(found) == pytest.approx(expected, abs=0.1)

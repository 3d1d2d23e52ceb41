from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.verdict_errors import errors, normal, product, resampled, residual, share_of_items


def test_residual_formula_worked_by_hand() -> None:
    # Mean 2; seed means 1, 3; item means 0.5, 2, 3.5; residuals -0.5, 1, -0.5 and 0.5, -1, 0.5.
    #   Vs = 1, Vi = 0.75, MS_rest = 3 / 2, of the mean 1.5 / 6 = 0.25; SE^2 = 1.5
    #   df = 1.5^2 / (1/1 + 0.75^2/2 + 0.25^2/2)
    mean, p_value = residual(np.array([[-1.0, 2.0, 2.0], [2.0, 2.0, 5.0]]))
    df = 1.5**2 / (1 + 0.75**2 / 2 + 0.25**2 / 2)
    assert mean == 2
    assert p_value == pytest.approx(2 * stats.t.sf(2 / math.sqrt(1.5), df))


def test_where_items_matter_the_products_formula_is_short_and_the_residual_one_is_not() -> None:
    (ours, _), (other, _) = errors(normal(5, 30, (0.3, 0.7), 4000, 1), [product, residual])
    assert ours > other
    assert stats.binomtest(other, 4000, 0.05, alternative="greater").pvalue > 0.01


def test_resampled_differences_have_no_true_difference() -> None:
    real = np.random.default_rng(0).normal(3.0, 1.0, size=(12, 40))
    means = [float(each.mean()) for each in resampled(real, 10, 400, 1)]
    assert all(each.shape == (10, 40) for each in resampled(real, 10, 3, 1))
    assert abs(np.mean(means)) < 4 * np.std(means) / math.sqrt(len(means))


@pytest.mark.parametrize(("shares", "expected"), [((0.0, 0.8), 0.8), ((0.9, 0.1), 0.1)])
def test_share_of_items_is_found(shares: tuple[float, float], expected: float) -> None:
    found = [share_of_items(each, 10) for each in normal(10, 300, shares, 60, 3)]
    assert np.mean(found) == pytest.approx(expected, abs=0.1)

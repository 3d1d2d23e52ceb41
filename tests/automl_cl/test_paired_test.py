from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from automl_cl.verdict.paired_test import (
    Comparison,
    compare,
    holm,
    level_of_opening,
    smallest_detectable_effect,
)

REPLICATIONS = 3000


def simulated(seed_sd: float, item_sd: float, items: int = 100) -> NDArray[np.float64]:
    """Replications of 10 seeds x items without any true difference; noise of SD 1 in each cell."""
    random = np.random.default_rng(20)
    seed_effects = seed_sd * random.normal(size=(REPLICATIONS, 10, 1))
    item_effects = item_sd * random.normal(size=(REPLICATIONS, 1, items))
    return seed_effects + item_effects + random.normal(size=(REPLICATIONS, 10, items))


def at_most(rate: float) -> float:
    """What a share of the replications exceeds once in a thousand times if its mean is `rate`."""
    return float(stats.binom.isf(0.001, REPLICATIONS, rate)) / REPLICATIONS


def test_hand_worked_with_both_seeds_and_items() -> None:
    # Mean 3; seed means 1, 3, 5; item means 2, 4; residuals 1, -1; -1, 1; 0, 0.
    #   Vs  = ((1-3)^2 + 0 + (5-3)^2) / (3 * 2)                 = 4/3
    #   Vi  = ((2-3)^2 + (4-3)^2) / (2 * 1)                     = 1
    #   Vsi = (1 + 1 + 1 + 1 + 0 + 0) / (2 * 1) / (3 * 2)       = 1/3
    #   SE^2 = max(4/3 + 1 - 1/3, 4/3, 1)                       = 2
    #   df   = 2^2 / ((4/3)^2/2 + 1^2/1 + (1/3)^2/2)            = 4 / (35/18) = 72/35
    found = compare(np.array([[1.0, 1.0], [1.0, 5.0], [4.0, 6.0]]))
    assert found.difference == pytest.approx(3)
    assert found.standard_error == pytest.approx(math.sqrt(2))
    assert found.degrees_of_freedom == pytest.approx(72 / 35)
    law = stats.t(72 / 35)
    assert found.p_value == pytest.approx(2 * law.cdf(-3 / math.sqrt(2)))
    margin = law.ppf(0.975) * math.sqrt(2)
    assert found.ci95 == pytest.approx((3 - margin, 3 + margin))


def independent(rows: list[list[int]]) -> tuple[Fraction, Fraction, Fraction]:
    """Mean, squared standard error and degrees of freedom as DESIGN.md writes them, exactly."""
    seeds, items = len(rows), len(rows[0])
    m = Fraction(sum(map(sum, rows)), seeds * items)
    vs = sum((Fraction(sum(row), items) - m) ** 2 for row in rows) / (seeds * (seeds - 1))
    columns = list(zip(*rows, strict=True))
    vi = sum((Fraction(sum(each), seeds) - m) ** 2 for each in columns) / (items * (items - 1))
    free = (seeds - 1) * (items - 1)
    of_seeds = [Fraction(sum(row), items) for row in rows]
    of_items = [Fraction(sum(each), seeds) for each in columns]
    vsi = sum(
        (value - of_seeds[s] - of_items[i] + m) ** 2
        for s, row in enumerate(rows)
        for i, value in enumerate(row)
    ) / (free * seeds * items)
    both = vs + vi - vsi
    assume(len({both, vs, vi}) == 3)  # which of two alike is the largest is a matter of rounding
    if both > max(vs, vi):
        parts = vs**2 / (seeds - 1) + vi**2 / (items - 1) + vsi**2 / free
        return m, both, both**2 / parts
    return m, max(vs, vi), Fraction(seeds - 1 if vs > vi else items - 1)


@given(
    st.integers(2, 6).flatmap(
        lambda items: st.lists(
            st.lists(st.integers(-3, 3), min_size=items, max_size=items), min_size=3, max_size=6
        )
    )
)
def test_the_same_as_an_independent_implementation_in_exact_numbers(rows: list[list[int]]) -> None:
    mean, variance, degrees = independent(rows)
    found = compare(np.array(rows, dtype=np.float64))
    assert found.difference == pytest.approx(float(mean), abs=1e-12)
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    expected = 2 * stats.t.sf(abs(float(mean)) / math.sqrt(variance), float(degrees))
    assert found.p_value == pytest.approx(expected)


def test_hand_worked_where_the_combination_is_too_small() -> None:
    # Mean 2; seed means 1, 3, 2; item means 2, 2.5, 1.5.
    #   Vs = (1 + 1 + 0) / (3 * 2) = 1/3;  Vi = (0 + 0.25 + 0.25) / (3 * 2) = 1/12
    #   Residuals -1, -0.5, 1.5; 1, 0.5, -1.5; 0, 0, 0, so
    #   Vsi = (2 * 1 + 2 * 0.25 + 2 * 2.25) / (2 * 2) / (3 * 3) = 7/36 > Vi, and Vs is the largest.
    found = compare(np.array([[0.0, 1.0, 2.0], [4.0, 4.0, 1.0], [2.0, 2.5, 1.5]]))
    assert found.difference == pytest.approx(2)
    assert found.standard_error == pytest.approx(math.sqrt(1 / 3))
    assert found.degrees_of_freedom == 2
    assert found.p_value == pytest.approx(2 * stats.t(2).cdf(-2 / math.sqrt(1 / 3)))


def test_items_that_all_agree_leave_a_paired_t_test_over_seeds() -> None:
    random = np.random.default_rng(1)
    challenger, baseline = random.normal(0.6, 1, size=6), random.normal(size=6)
    found = compare(np.tile((challenger - baseline)[:, None], (1, 40)))
    expected = stats.ttest_rel(challenger, baseline)
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.degrees_of_freedom == expected.df == 5
    assert found.ci95 == pytest.approx((interval.low, interval.high))


def test_seeds_that_all_agree_leave_a_t_test_over_items() -> None:
    values = np.random.default_rng(2).normal(0.2, 1, size=50)
    found = compare(np.tile(values, (5, 1)))
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.degrees_of_freedom == expected.df == 49
    assert found.ci95 == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize(
    ("seed_sd", "item_sd"),
    # In the last, seeds and items share the variance of the mean evenly, the worst case.
    [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.32, 1.0)],
)
def test_without_a_true_difference_few_are_found(seed_sd: float, item_sd: float) -> None:
    comparisons = [compare(matrix) for matrix in simulated(seed_sd, item_sd)]
    rejected = float(np.mean([found.p_value < 0.05 for found in comparisons]))
    assert 0.02 < rejected <= at_most(0.05)
    covered = float(np.mean([found.ci95[0] <= 0 <= found.ci95[1] for found in comparisons]))
    assert covered == pytest.approx(1 - rejected)
    wins = float(np.mean([found.wins(0.05) for found in comparisons]))
    assert wins <= at_most(0.025)


def test_a_test_over_seeds_alone_would_not_do() -> None:
    # Shows that the simulation above has the item effects that the verdict guards against.
    by_seed = simulated(0.0, 1.0).mean(axis=2)
    naive = stats.ttest_1samp(by_seed, 0, axis=1).pvalue
    assert np.mean(naive < 0.05) > 0.3


def test_a_true_difference_is_found_and_covered() -> None:
    comparisons = [compare(matrix + 2.0) for matrix in simulated(1.0, 1.0)]
    assert np.mean([found.wins(0.05) for found in comparisons]) > 0.95
    missed = np.mean([not found.ci95[0] <= 2 <= found.ci95[1] for found in comparisons])
    assert missed <= at_most(0.05)


@given(
    seed=st.integers(0, 2**32 - 1),
    exponent=st.integers(-200, 200),
    seeds=st.integers(3, 5),
    items=st.integers(2, 8),
)
def test_the_unit_of_the_metric_does_not_matter(
    seed: int, exponent: int, seeds: int, items: int
) -> None:
    matrix = np.random.default_rng(seed).normal(0.3, 1, size=(seeds, items))
    scale = 10.0**exponent
    one, other = compare(matrix), compare(matrix * scale)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-9)
    assert other.degrees_of_freedom == pytest.approx(one.degrees_of_freedom, rel=1e-9)
    assert other.difference / scale == pytest.approx(one.difference, rel=1e-9, abs=1e-12)
    assert other.standard_error / scale == pytest.approx(one.standard_error, rel=1e-9)


def test_swapping_the_two_configs_swaps_the_sign_only() -> None:
    matrix = np.random.default_rng(3).normal(1.0, 1, size=(10, 50))
    better, worse = compare(matrix), compare(-matrix)
    assert better.wins(0.05) and not worse.wins(0.05)
    assert worse.p_value == better.p_value
    assert worse.ci95 == (-better.ci95[1], -better.ci95[0])


@pytest.mark.parametrize("value", [0.0, 0.1, -0.1, 1 / 3, 1e305])
def test_no_spread_is_no_win(value: float) -> None:
    found = compare(np.full((7, 1001), value))
    assert found.difference == pytest.approx(value)
    assert (found.standard_error, found.p_value) == (0.0, 1.0)
    assert found.ci95 == (found.difference, found.difference)
    assert not found.wins(0.05)


def test_a_spread_that_cancels_in_every_mean_is_no_win() -> None:
    # Every row and column holds the same numbers; only rounding tells their means apart, and a
    # standard error of 1e-17 would make a win of it.
    values = np.random.default_rng(5).uniform(size=31)
    square = np.array([np.roll(values, shift) for shift in range(31)])
    assert len(set(square.mean(axis=0))) > 1
    assert compare(square).standard_error == 0
    assert not compare(square).wins(0.05)


def test_a_win_needs_the_right_sign_and_the_level() -> None:
    found = Comparison(0.1, 0.04, 9.0, (0.01, 0.19), 0.03)
    assert found.wins(0.05)
    assert not found.wins(0.03)
    assert not Comparison(0.1, 0.0, 9.0, (0.1, 0.1), 0.0).wins(0.05)
    assert not Comparison(-0.1, 0.04, 9.0, (-0.19, -0.01), 0.03).wins(0.05)


@pytest.mark.parametrize("shape", [(1, 10), (2, 10), (10, 1), (10,), (0, 10), (3, 3, 4)])
def test_too_few_seeds_or_items_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 3 seeds and 2 items"):
        compare(np.ones(shape))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    matrix = np.ones((3, 4))
    matrix[1, 2] = value
    with pytest.raises(ValueError, match="not finite"):
        compare(matrix)


def test_holm_worked_by_hand() -> None:
    # Sorted 0.01, 0.03, 0.04: times 3, 2, 1 is 0.03, 0.06, 0.04, and 0.04 may not be below 0.06.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("p_value", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_p_value(p_value: float) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.5, p_value])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("seeds", "effect"), [(3, 3.26), (5, 1.7), (10, 1.0)])
def test_smallest_detectable_effect_as_in_the_design(seeds: int, effect: float) -> None:
    assert smallest_detectable_effect(seeds) == pytest.approx(effect, abs=0.05)


def test_smallest_detectable_effect_is_found_with_the_power_asked_for() -> None:
    effect = smallest_detectable_effect(6, power=0.9, alpha=0.01)
    samples = np.random.default_rng(4).normal(effect, 1, size=(20_000, 6))
    found = stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.01
    assert np.mean(found) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [((1,), "2 seeds"), ((5, 1.0), "power"), ((5, 0.8, 0.0), "alpha"), ((5, 0.04), "power")],
)
def test_smallest_detectable_effect_refuses_the_impossible(
    arguments: tuple[int], culprit: str
) -> None:
    with pytest.raises(ValueError, match=culprit):
        smallest_detectable_effect(*arguments)


def test_later_openings_are_judged_ever_more_strictly() -> None:
    levels = [level_of_opening(k) for k in (1, 2, 3, 4)]
    assert levels == pytest.approx([0.05, 0.0125, 0.00625, 0.003125])
    with pytest.raises(ValueError, match="counted from 1"):
        level_of_opening(0)

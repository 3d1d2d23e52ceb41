from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.fidelity import Arm, Shown, regret, tau


def arm_of(early: list[float], worth: list[float], cost: float = 1.0) -> Arm:
    told = zip(early, worth, strict=True)
    costs = {"prefix": [cost], "compressed": [cost]}
    shown = [Shown("a", {"prefix": [e], "compressed": [e]}, costs, w, 9.0, w) for e, w in told]
    return Arm.of(shown)


def all_rows(arm: Arm) -> np.ndarray:
    return np.arange(len(arm.worth))


def test_tau_of_one_arm_is_scipys() -> None:
    random = np.random.default_rng(0)
    early, worth = random.normal(size=(2, 25))
    arm = arm_of(list(early), list(early + worth))
    expected = stats.kendalltau(early, early + worth).statistic
    assert tau([arm], "prefix", 0, [all_rows(arm)]) == pytest.approx(expected)
    assert tau([arm], "prefix", -1, [all_rows(arm)]) == 1


def test_tau_compares_inside_an_arm_only_and_no_config_with_itself() -> None:
    low, high = arm_of([0, 1, 2], [0, 1, 2]), arm_of([10, 11, 12], [-10, -9, -8])
    assert tau([low, high], "prefix", 0, [all_rows(low), all_rows(high)]) == 1
    assert tau([low], "prefix", 0, [np.array([0, 0, 2])]) == 1
    assert tau([low], "prefix", 0, [np.array([1, 1, 1])]) == 0


def test_a_rung_that_ranks_finds_better_than_none_and_one_that_misleads_worse() -> None:
    worth = list(np.linspace(0, 1, 20))
    right, wrong = arm_of(worth, worth), arm_of(worth[::-1], worth)
    rows = [all_rows(right)]
    without = regret([right], "prefix", -1, rows, 0)
    assert regret([right], "prefix", 0, rows, 0) < without
    assert regret([wrong], "prefix", 0, rows, 0) > without


def test_compressed_pays_for_the_whole_run_again() -> None:
    worth = list(np.linspace(0, 1, 20))
    # A rung that costs half a run and ranks perfectly: prefix has the other half left to pay.
    arm = arm_of(worth, worth, cost=4.5)
    rows = [all_rows(arm)]
    assert regret([arm], "prefix", 0, rows, 0) < regret([arm], "compressed", 0, rows, 0)


def test_what_diverged_is_worth_as_much_as_the_worst() -> None:
    arm = arm_of([0, 1, 2], [-np.inf, 0.3, 0.9])
    assert list(arm.worth) == [0.3, 0.3, 0.9]

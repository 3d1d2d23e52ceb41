from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from automl_cl.rungs import decide, levels_of, trust_in
from hypothesis import given
from hypothesis import strategies as st

from automl_cl.trials import Trial

MakeTrial = Callable[..., Trial]
TRIALS = 240


@pytest.mark.parametrize(
    ("horizon", "levels"),
    [(9.0, [1.0, 3.0, 9.0]), (5.0, [1.0, 3.0, 5.0]), (3.0, [1.0, 3.0]), (2.0, [1.0, 2.0])],
)
def test_levels_are_the_caps_rungs_below_a_horizon_and_its_end(
    horizon: float, levels: list[float]
) -> None:
    assert levels_of(horizon, cap=9.0) == pytest.approx(levels)


@given(st.floats(0.01, 1e4), st.floats(1e-3, 1.0))
def test_levels_rise_to_the_horizon(cap: float, share: float) -> None:
    levels = levels_of(cap * share, cap)
    assert levels[-1] == cap * share
    assert all(low < high for low, high in pairwise(levels))


def searched(
    make_trial: MakeTrial,
    early_of: Callable[[float, random.Random], float],
    mode: str = "max",
    arms: int = 2,
    worth_of: Callable[[int, float], float] = lambda arm, worth: worth,
) -> list[Trial]:
    """A search, one trial at a time: worth is the final value, `early_of` its value before."""
    draw, trials = random.Random(5), []
    for number in range(TRIALS):
        arm = number % arms
        worth = worth_of(arm, draw.random())
        values = [early_of(worth, draw), early_of(worth, draw), worth]
        trial = make_trial(number, f"arm{arm}")
        trials.append(trial)
        for rung, value in enumerate(values):
            level, goes_on, free = trial.levels[rung], rung < 2, True
            if goes_on:
                decision = decide(trial, value, level, trials, mode, seed=1)
                goes_on, free = decision.goes_on, decision.free
            reported = make_trial(number, trial.arm, values[: rung + 1]).rungs[-1]
            reported.free = free
            trial.rungs.append(reported)
            if not goes_on:
                trial.status = "done" if rung == 2 else "stopped"
                break
    return trials


def stopped(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.status == "stopped"]


def random_rank(worth: float, draw: random.Random) -> float:
    return draw.random()


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_rung_that_ranks_perfectly_stops_the_worst_two_thirds(
    make_trial: MakeTrial, mode: str
) -> None:
    sign = 1 if mode == "max" else -1
    trials = searched(make_trial, lambda worth, draw: worth, mode, worth_of=lambda _, w: sign * w)
    later = trials[TRIALS // 4 :]
    compared = [t for t in later if not t.rungs[0].free]
    share = len([t for t in compared if len(t.rungs) == 1]) / len(compared)
    assert 0.55 < share < 0.75
    assert 0.5 < len(compared) / len(later) < 0.8
    worth_of_stopped = [sign * t.rungs[0].value for t in stopped(later)]
    passed = [sign * t.rungs[0].value for t in compared if len(t.rungs) > 1]
    assert max(worth_of_stopped) < 0.9
    assert min(passed) > 0.5


def test_a_rung_that_ranks_at_random_stops_nearly_none(make_trial: MakeTrial) -> None:
    assert len(stopped(searched(make_trial, random_rank))) < 0.05 * TRIALS


def test_a_rung_that_ranks_in_reverse_stops_none(make_trial: MakeTrial) -> None:
    assert stopped(searched(make_trial, lambda worth, draw: -worth)) == []


def test_a_rung_that_ranks_a_little_stops_some(make_trial: MakeTrial) -> None:
    count = len(stopped(searched(make_trial, lambda w, draw: w + 0.6 * draw.random())))
    perfect = len(stopped(searched(make_trial, lambda worth, draw: worth)))
    assert 0.1 * perfect < count < 0.9 * perfect


def test_nothing_is_stopped_before_a_rung_has_shown_anything(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, values=[n / 10, n / 10], status="running") for n in range(50)]
    for number in range(50, 80):
        decision = decide(make_trial(number), -1.0, 1.0, trials, "max", seed=1)
        assert decision.goes_on
        assert decision.free


def test_some_trials_run_on_whatever_a_rung_says(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, values=[n, n, n]) for n in range(100)]
    decisions = [decide(make_trial(n), -1.0, 1.0, trials, "max", seed=1) for n in range(100, 400)]
    on = [decision for decision in decisions if decision.goes_on]
    assert all(decision.free for decision in on)
    assert 0.25 < len(on) / len(decisions) < 0.42


def compared_number(make_trial: MakeTrial, trials: list[Trial]) -> int:
    """The number of a trial that is not among those that run on whatever a rung says."""
    full = [make_trial(n, values=[n, n, n]) for n in range(20)]
    numbers = range(max(t.number for t in trials) + 1, 10_000)
    return next(n for n in numbers if not decide(make_trial(n), -1.0, 1.0, full, "max", 1).goes_on)


def test_values_are_compared_inside_an_arm_only(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, "low", [n, n, n]) for n in range(20)]
    trials += [make_trial(n, "high", [100 + n] * 3) for n in range(20, 40)]
    number = compared_number(make_trial, trials)
    assert decide(make_trial(number, "low"), 18.5, 1.0, trials, "max", 1).goes_on
    assert not decide(make_trial(number, "high"), 90.0, 1.0, trials, "max", 1).goes_on
    assert decide(make_trial(number, "new"), -9.0, 1.0, trials, "max", 1).goes_on


def test_a_trial_with_a_short_horizon_counts_at_higher_rungs(make_trial: MakeTrial) -> None:
    long = [make_trial(n, values=[n, n, n]) for n in range(20)]
    number = compared_number(make_trial, long)
    short = [make_trial(n, levels=[1.0, 2.0], values=[0, 50]) for n in range(20, 60)]
    assert decide(make_trial(number), 19.5, 3.0, long, "max", 1).goes_on
    assert not decide(make_trial(number), 19.5, 3.0, long + short, "max", 1).goes_on
    assert decide(make_trial(number), 19.5, 1.0, long + short, "max", 1).goes_on


def test_other_stages_are_not_compared_with(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, values=[n, n, n]) for n in range(20)]
    number = compared_number(make_trial, trials)
    repeats = [make_trial(n, values=[50] * 3, stage="confirm") for n in range(20, 60)]
    assert decide(make_trial(number), 19.5, 1.0, trials + repeats, "max", 1).goes_on


def test_trust_worked_by_hand(make_trial: MakeTrial) -> None:
    # Early order 1 2 3 4 5, final order 1 3 2 4 5: of 10 pairs 9 agree and 1 does not, so S = 8.
    # Without a relation the variance of S is 5 * 4 * 15 / 18 = 50/3.
    finals = [1.0, 3.0, 2.0, 4.0, 5.0]
    trials = [make_trial(n, values=[n, -n, final]) for n, final in enumerate(finals)]
    assert trust_in(1.0, trials) == pytest.approx((8 - math.sqrt(50 / 3)) / 10)
    assert trust_in(3.0, trials) == 0.0


def test_trust_over_arms_worked_by_hand(make_trial: MakeTrial) -> None:
    # In each arm the rung ranks perfectly: S = 6 + 3 of 9 pairs, with variances 4 * 3 * 13 / 18
    # and 3 * 2 * 11 / 18. Across arms it ranks in reverse, which does not count.
    trials = [make_trial(n, "a", [10 + n, 0, n]) for n in range(4)]
    trials += [make_trial(4 + n, "b", [n, 0, 10 + n]) for n in range(3)]
    variance = 4 * 3 * 13 / 18 + 3 * 2 * 11 / 18
    assert trust_in(1.0, trials) == pytest.approx((9 - math.sqrt(variance)) / 9)


def test_ties_count_for_nothing(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, values=[0.5, n, n]) for n in range(9)]
    assert trust_in(1.0, trials) == 0.0
    assert trust_in(3.0, trials) > 0.5


@pytest.mark.parametrize(
    "other",
    [
        {"values": [9, 9], "status": "stopped"},
        {"values": [9, 9], "status": "running"},
        {"values": [9, 9, -9], "free": False},
        {"values": [9, 9, -9], "stage": "confirm"},
        {"values": [9], "status": "diverged"},
        {"values": [9], "levels": [1.0]},
    ],
    ids=["stopped", "running", "compared", "other stage", "diverged", "ends there"],
)
def test_only_trials_that_ran_past_a_rung_uncompared_tell_of_it(
    make_trial: MakeTrial, other: dict[str, Any]
) -> None:
    trials = [make_trial(n, values=[n, n, n]) for n in range(6)]
    assert trust_in(1.0, [*trials, make_trial(6, **other)]) == trust_in(1.0, trials) > 0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_trials_tell_nothing(make_trial: MakeTrial, count: int) -> None:
    assert trust_in(1.0, [make_trial(n, values=[n, n, n]) for n in range(count)]) == 0.0

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.events import Decision
from automl_cl.run.trial import Rung, Trial
from automl_cl.strategy.ranking import rank_correlation
from automl_cl.strategy.scheduler import Arm, Scheduler
from automl_cl.strategy.schedulers.asha import Asha
from automl_cl.strategy.schedulers.hyperband import Hyperband
from automl_cl.strategy.schedulers.median import MedianStopping
from automl_cl.strategy.schedulers.none import NoStopping
from automl_cl.strategy.schedulers.trusted_rungs import TrustedRungs, best_share
from search_spaces import options

MakeTrial = Callable[..., Trial]
ALL = sorted(options(Scheduler))  # type: ignore[type-abstract]
CAP = 27.0


def scheduler_of(name: str) -> Scheduler:
    return options(Scheduler)[name]()  # type: ignore[type-abstract]


def arm_of(trials: Sequence[Trial], mode: str = "max", **others: Sequence[Trial]) -> Arm:
    mine = ArmTrials(trials)
    all_arms = {"a": mine} | {name: ArmTrials(each) for name, each in others.items()}
    return Arm(mine, all_arms, mode, CAP, seed=1)


@pytest.mark.parametrize("name", ALL)
@given(st.floats(0.01, 1e4), st.floats(1e-3, 1.0), st.integers(0, 999))
def test_levels_rise_to_the_horizon(name: str, cap: float, share: float, number: int) -> None:
    levels = scheduler_of(name).levels(cap * share, cap, number)
    assert levels[-1] == cap * share
    assert all(0 < low < high for low, high in pairwise(levels))


@pytest.mark.parametrize(
    ("horizon", "levels"),
    [(27.0, [1, 3, 9, 27]), (5.0, [1, 3, 5]), (3.0, [1, 3]), (2.0, [1, 2]), (0.5, [0.5])],
)
@pytest.mark.parametrize("name", ["asha", "median", "trusted_rungs"])
def test_levels_are_the_caps_rungs_below_a_horizon_and_its_end(
    name: str, horizon: float, levels: list[float]
) -> None:
    assert scheduler_of(name).levels(horizon, 27.0, 0) == pytest.approx(levels)


def simulated(
    scheduler: Scheduler,
    make_trial: MakeTrial,
    early_of: Callable[[float, random.Random], float],
    count: int = 120,
    mode: str = "max",
    trials: list[Trial] | None = None,
) -> list[Trial]:
    """A search of one arm with one slot: worth is the final value, `early_of` its value before."""
    trials = [] if trials is None else trials
    arm = arm_of(trials, mode)
    worth_of: dict[int, float] = {}
    while (trial := scheduler.promoted(arm)) or len(trials) < count:
        if trial is None:
            number = len(trials)
            levels = scheduler.levels(CAP, CAP, number)
            trial = make_trial(number, "a", levels=levels, status="running")
            trial.uncompared = scheduler.uncompared(arm)
            trials.append(trial)
        trial.status = "running"
        arm.trials.take(trial)
        draw = random.Random(trial.number)
        worth = worth_of.setdefault(trial.number, draw.random())
        while trial.status == "running":
            level = trial.levels[len(trial.rungs)]
            value = worth if level == CAP else early_of(worth, random.Random(f"{trial.number}"))
            decision = "done" if level == CAP else str(scheduler.decide(trial, value, level, arm))
            trial.rungs.append(Rung(level, value, level, {}, None, decision))
            trial.compute = level
            if decision != Decision.CONTINUE:
                trial.status = decision
            arm.trials.take(trial)
    return trials


def shares(trials: list[Trial]) -> dict[str, float]:
    return {
        status: sum(t.status == status for t in trials) / len(trials)
        for status in ("done", "paused", "stopped")
    }


@pytest.mark.parametrize("name", ALL)
def test_every_trial_comes_to_an_end_and_the_best_is_found(
    name: str, make_trial: MakeTrial
) -> None:
    trials = simulated(scheduler_of(name), make_trial, lambda worth, draw: worth)
    assert {trial.status for trial in trials} <= {"done", "paused", "stopped"}
    best = max(trials, key=lambda trial: trial.rungs[-1].value)
    assert best.status == "done"


@pytest.mark.parametrize("name", ALL)
def test_asking_twice_gives_the_same(name: str, make_trial: MakeTrial) -> None:
    scheduler = scheduler_of(name)
    trials = simulated(scheduler, make_trial, lambda worth, draw: worth + draw.random(), 40)
    arm = arm_of(trials)
    new = make_trial(40, "a", levels=scheduler.levels(CAP, CAP, 40), status="running")
    new.uncompared = False
    if len(new.levels) > 1:
        one, other = (scheduler.decide(new, 0.4, new.levels[0], arm) for _ in range(2))
        assert one == other
    assert scheduler.promoted(arm) is scheduler.promoted(arm)


def test_none_stops_nothing(make_trial: MakeTrial) -> None:
    trials = simulated(NoStopping(), make_trial, lambda worth, draw: worth, 20)
    assert shares(trials)["done"] == 1
    assert [len(trial.rungs) for trial in trials] == [1] * 20


@pytest.mark.parametrize("mode", ["max", "min"])
def test_asha_by_hand(make_trial: MakeTrial, mode: str) -> None:
    # At level 3 stand the losses 1 2 3 4 5. Of six trials a third, two, go on: a new one must be
    # better than all but one.
    sign = -1 if mode == "max" else 1
    trials = [
        make_trial(n, "a", [0, sign * loss], levels=[1, 3, 9, 27], status="stopped")
        for n, loss in enumerate([3, 1, 5, 2, 4])
    ]
    new, arm = make_trial(9, "a", levels=[1, 3, 9, 27]), arm_of(trials, mode)
    assert Asha().decide(new, sign * 1.5, 3, arm) == Decision.CONTINUE
    assert Asha().decide(new, sign * 2.5, 3, arm) == Decision.STOPPED
    assert Asha().decide(new, sign * 9.0, 9, arm) == Decision.CONTINUE  # the first there


def test_asha_keeps_about_a_third_at_each_rung(make_trial: MakeTrial) -> None:
    trials = simulated(Asha(), make_trial, lambda worth, draw: worth, 600)
    passed = [sum(len(trial.rungs) > k for trial in trials) for k in range(4)]
    for before, after in pairwise(passed):
        assert 0.2 < after / before < 0.5


def test_hyperband_deals_trials_to_brackets_of_about_equal_compute() -> None:
    scheduler = Hyperband()
    first = [scheduler.levels(CAP, CAP, number)[0] for number in range(400)]
    assert {round(level) for level in first} == {1, 3, 9, 27}
    counts = [sum(round(level) == low for level in first) for low in (1, 3, 9, 27)]
    assert counts == [270, 90, 30, 10]
    assert {round(level) for level in first[:40]} == {1, 3, 9, 27}


def test_hyperband_compares_inside_a_bracket(make_trial: MakeTrial) -> None:
    scheduler = Hyperband()
    levels = {n: scheduler.levels(CAP, CAP, n) for n in range(200)}
    ones = [n for n in levels if len(levels[n]) == 4]
    threes = [n for n in levels if len(levels[n]) == 3]
    trials = [make_trial(n, "a", [0, n], levels=levels[n], status="stopped") for n in ones[:30]]
    new = make_trial(threes[0], "a", levels=levels[threes[0]])
    assert scheduler.decide(new, -1.0, 3.0, arm_of(trials)) == Decision.CONTINUE
    same = make_trial(ones[40], "a", levels=levels[ones[40]])
    assert scheduler.decide(same, -1.0, 3.0, arm_of(trials)) == Decision.STOPPED


def test_median_stopping_by_hand(make_trial: MakeTrial) -> None:
    # Averages up to level 3 are 1 2 3 4 5, their median 3. The trial's best counts, not its last.
    levels = [1, 3, 9, 27]
    trials = [make_trial(n, "a", [n, n + 2], levels=levels, status="stopped") for n in range(5)]
    arm = arm_of(trials)
    new = make_trial(7, "a", [2.0], levels=levels, status="running")
    assert MedianStopping().decide(new, 3.5, 3, arm) == Decision.CONTINUE
    assert MedianStopping().decide(new, 2.5, 3, arm) == Decision.STOPPED
    good = make_trial(7, "a", [3.2], levels=levels, status="running")
    assert MedianStopping().decide(good, 0.0, 3, arm) == Decision.CONTINUE
    few = arm_of(trials[:4])
    assert MedianStopping().decide(new, -9.0, 3, few) == Decision.CONTINUE


# Rungs that earn their trust.


def test_rank_correlation_by_hand(make_trial: MakeTrial) -> None:
    # Early 1 2 3 4 against final 1 3 2 4: five pairs agree and one does not, tau = 4/6. In the
    # second arm the only pair disagrees. Together (4 - 1) / 7.
    finals = [1, 3, 2, 4]
    one = [make_trial(n, "a", [n, 0, final]) for n, final in enumerate(finals)]
    two = [make_trial(4, "b", [1, 0, 2]), make_trial(5, "b", [2, 0, 1])]
    found = rank_correlation(1.0, [one, two])
    assert (found.tau, found.pairs) == (pytest.approx(3 / 7), 7)


@pytest.mark.parametrize(
    "other",
    [
        {"values": [9, 9], "status": "stopped"},
        {"values": [9, 9], "status": "paused"},
        {"values": [9, 9], "status": "running"},
        {"values": [9], "status": "diverged"},
        {"values": [9], "levels": [1.0]},
    ],
    ids=["stopped", "paused", "running", "diverged", "ends there"],
)
def test_only_trials_that_came_to_their_end_tell_of_a_rung(
    make_trial: MakeTrial, other: dict[str, Any]
) -> None:
    trials = [make_trial(n, "a", [n, n, n]) for n in range(6)]
    more = [*trials, make_trial(6, "a", **other)]
    assert rank_correlation(1.0, [more]) == rank_correlation(1.0, [trials])


def test_a_share_for_every_correlation_and_cost() -> None:
    assert best_share(0.0, 0.1, 25) == 1.0
    assert best_share(-0.5, 0.1, 25) > 0.9
    assert best_share(0.99, 0.02, 25) < 0.1
    for cost in (0.04, 0.11, 0.33):
        found = [best_share(rho / 10, cost, 25) for rho in range(10)]
        assert found == sorted(found, reverse=True)
    assert best_share(0.4, 0.33, 25) > best_share(0.4, 0.04, 25)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_rung_that_ranks_well_lets_few_pass(make_trial: MakeTrial, mode: str) -> None:
    sign = 1 if mode == "max" else -1
    trials = simulated(
        TrustedRungs(first_rung_passed=0.0),
        make_trial,
        lambda worth, draw: worth + 0.1 * draw.random(),
        mode=mode,
    )
    compared = [trial for trial in trials if not trial.uncompared]
    passed = [trial for trial in compared if len(trial.rungs) > 1]
    assert 0.15 < len(passed) / len(compared) < 0.35
    held = [trial for trial in compared if len(trial.rungs) == 1]
    low = min(sign * trial.rungs[0].value for trial in passed)
    assert sum(sign * trial.rungs[0].value > low for trial in held) < 0.2 * len(held)


def test_a_third_of_the_trials_pass_the_first_rung_but_no_other(make_trial: MakeTrial) -> None:
    scheduler, levels = TrustedRungs(), [1.0, 3.0, 9.0, 27.0]
    peers = [make_trial(n, "a", [50 + n] * 4, levels=levels) for n in range(20)]
    arm, passed = arm_of(peers), 0
    for number in range(20, 320):
        new = make_trial(number, "a", levels=levels, status="running")
        new.uncompared = False
        if scheduler.decide(new, 0.0, 1.0, arm) == Decision.CONTINUE:
            passed += 1
            new.rungs.append(Rung(1.0, 0.0, 1.0, {}, None, "continue"))
            assert scheduler.decide(new, 0.0, 3.0, arm) == Decision.PAUSED
    assert 70 < passed < 130


def test_a_rung_that_ranks_at_random_holds_back_nearly_none(make_trial: MakeTrial) -> None:
    trials = simulated(TrustedRungs(), make_trial, lambda worth, draw: draw.random())
    assert shares(trials)["done"] > 0.8


def test_a_rung_that_ranks_in_reverse_holds_back_none(make_trial: MakeTrial) -> None:
    trials = simulated(TrustedRungs(), make_trial, lambda worth, draw: -worth)
    assert shares(trials)["done"] > 0.95


def test_what_was_held_back_goes_on_when_the_ranks_turn_out_to_mean_nothing(
    make_trial: MakeTrial,
) -> None:
    scheduler = TrustedRungs()
    levels = scheduler.levels(CAP, CAP, 0)
    held = [make_trial(n, "a", [n], levels=levels, status="paused") for n in range(12)]
    one = make_trial(12, "a", [3, 3, 3, 3], levels=levels, status="done")
    believed = [scheduler.promoted(arm_of([*held, one]))]
    reverse = [
        make_trial(13 + n, "a", [n, n, n, -n], levels=levels, status="done") for n in range(12)
    ]
    arm = arm_of([*held, one, *reverse])
    waiting = list(held)
    while (trial := scheduler.promoted(arm)) is not None:
        trial.status = "running"
        arm.trials.take(trial)
        waiting.remove(trial)
    assert len(believed) == 1
    assert waiting == []


def test_some_compute_goes_to_trials_that_are_not_compared(make_trial: MakeTrial) -> None:
    trials = simulated(TrustedRungs(), make_trial, lambda worth, draw: worth, 300)
    uncompared = [trial for trial in trials if trial.uncompared]
    assert all(trial.status == "done" for trial in uncompared)
    share = sum(t.compute for t in uncompared) / sum(t.compute for t in trials)
    assert 0.05 < share < 0.2


def test_values_are_compared_inside_an_arm_only(make_trial: MakeTrial) -> None:
    levels = [1.0, 3.0, 9.0, 27.0]
    low = [make_trial(n, "a", [n] * 4, levels=levels) for n in range(20)]
    high = [make_trial(20 + n, "b", [100 + n] * 4, levels=levels) for n in range(20)]
    new = make_trial(50, "a", levels=levels, status="running")
    new.uncompared = False
    assert TrustedRungs().decide(new, 18.5, 1.0, arm_of(low, b=high)) == Decision.CONTINUE
    assert TrustedRungs().decide(new, 3.5, 1.0, arm_of(low, b=high)) == Decision.PAUSED

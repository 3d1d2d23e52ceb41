from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.trial import Trial
from automl_cl.strategy.allocator import next_arm, without_a_trial

ARMS = ["plain", "b", "c", "d", "e"]
QUALITY = {"plain": 0.5, "b": 0.9, "c": 0.6, "d": 0.4, "e": 0.1}


def by_arm(trials: Sequence[Trial]) -> dict[str, ArmTrials]:
    names = {trial.arm for trial in trials}
    return {name: ArmTrials(trial for trial in trials if trial.arm == name) for name in names}


class Allotted:
    """A search in which each trial ends before the next begins, or some time later."""

    def __init__(self, make_trial: Callable[..., Trial]) -> None:
        self.make_trial = make_trial
        self.trials: list[Trial] = []

    def run(
        self,
        budget: int = 60,
        arms: list[str] = ARMS,
        mode: str = "max",
        value: Callable[[str], float] = QUALITY.__getitem__,
        cost: Callable[[str, int], float] = lambda arm, number: 9.0,
        pending: int = 0,
    ) -> Iterator[str]:
        """The arms in turn; `pending` trials are running at any time."""
        while len(self.trials) < budget:
            number = len(self.trials)
            told = by_arm(self.trials)
            waiting = without_a_trial(arms, "plain", told, budget - number, seed=0)
            arm = waiting[0] if waiting else next_arm(arms, "plain", told, number / budget, mode)
            yield arm
            self.trials.append(self.make_trial(number, arm))
            if number >= pending:
                ended = self.trials[number - pending]
                self.trials[ended.number] = self.make_trial(
                    ended.number,
                    ended.arm,
                    [value(ended.arm)] * 3,
                    compute=cost(ended.arm, ended.number),
                )

    def compute(self, arm: str) -> float:
        """What an arm has spent, or may yet spend in trials that run."""
        mine = [trial for trial in self.trials if trial.arm == arm]
        return sum(t.horizon if t.status == "running" else t.compute for t in mine)


@pytest.fixture
def allotted(make_trial: Any) -> Allotted:
    return Allotted(make_trial)


def cheap_b(arm: str, number: int) -> float:
    """Trials of `b` cost a third of the others'; all differ a little."""
    return (3.0 if arm == "b" else 9.0) * (1 + number % 5 / 10)


@pytest.mark.parametrize("arms", [ARMS, ARMS[::-1]])
@pytest.mark.parametrize("pending", [0, 3])
def test_defaults_come_first_and_the_baseline_before_all(
    allotted: Allotted, arms: list[str], pending: int
) -> None:
    first = list(allotted.run(arms=arms, pending=pending))[:5]
    assert first == ["plain", "b", "c", "d", "e"]


def test_all_arms_get_the_same_compute_at_first(allotted: Allotted) -> None:
    for arm in allotted.run(budget=200, cost=cheap_b):
        if len(allotted.trials) >= 80:
            break
        assert arm in ARMS
    spent = {arm: allotted.compute(arm) for arm in ARMS}
    assert max(spent.values()) - min(spent.values()) <= 2 * 12.6
    count = {arm: sum(t.arm == arm for t in allotted.trials) for arm in ARMS}
    assert count["b"] > 2 * count["c"]


@pytest.mark.parametrize("pending", [0, 4])
def test_the_baseline_is_never_behind_by_more_than_a_trial(
    allotted: Allotted, pending: int
) -> None:
    seen = 0
    for _ in allotted.run(budget=100, cost=cheap_b, pending=pending):
        if len(allotted.trials) > 5:
            best_served = max(allotted.compute(arm) for arm in ARMS[1:])
            assert allotted.compute("plain") >= best_served - 12.6
            seen += 1
    assert seen == 94


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_better_arms_stay(allotted: Allotted, mode: str) -> None:
    sign = 1 if mode == "max" else -1
    arms = list(allotted.run(budget=200, mode=mode, value=lambda arm: sign * QUALITY[arm]))
    later = [set(arms[start : start + 40]) - {"plain"} for start in (80, 130, 160)]
    assert later[0] >= {"b", "c"}
    assert "e" not in later[0]
    assert later[0] >= later[1] >= later[2]
    assert later[2] == {"b"}
    assert {"d", "e"} <= set(arms[:80])
    assert all({"plain", "b"} <= set(arms[start : start + 10]) for start in range(160, 190, 10))


def test_two_good_values_outweigh_a_lucky_one(allotted: Allotted) -> None:
    lucky = iter([0.95])

    def value(arm: str) -> float:
        return next(lucky, 0.1) if arm == "e" else QUALITY[arm]

    arms = list(allotted.run(budget=200, value=value))
    assert set(arms[190:]) == {"plain", "b"}


def test_an_arm_without_a_value_drops_out_first(allotted: Allotted, make_trial: Any) -> None:
    trials = [make_trial(n, arm, [QUALITY[arm]] * 3) for n, arm in enumerate(ARMS)]
    trials[1] = make_trial(1, "b", [], status="diverged", compute=1.0)
    trials += [make_trial(5 + n, "plain", [0.5] * 3) for n in range(5)]
    assert next_arm(ARMS, "plain", by_arm(trials), 0.1, "max") == "b"
    assert next_arm(ARMS, "plain", by_arm(trials), 0.9, "max") == "c"


def test_running_trials_count_with_what_they_may_spend(make_trial: Any) -> None:
    arms = ["plain", "b", "c"]
    trials = [
        make_trial(0, "plain", [0.5] * 3, compute=20.0),
        make_trial(1, "b", status="running"),
        make_trial(2, "c", [0.5], status="stopped", compute=8.0),
    ]
    assert next_arm(arms, "plain", by_arm(trials), 0.1, "max") == "c"
    trials[2] = make_trial(2, "c", [0.5] * 3, compute=10.0)
    assert next_arm(arms, "plain", by_arm(trials), 0.1, "max") == "b"


def test_the_baseline_alone(allotted: Allotted) -> None:
    assert list(allotted.run(budget=7, arms=["plain"])) == ["plain"] * 7


def test_one_rival_shares_with_the_baseline_to_the_end(allotted: Allotted) -> None:
    arms = list(allotted.run(budget=30, arms=["plain", "b"]))
    for count in range(1, 31):
        assert abs(arms[:count].count("plain") - arms[:count].count("b")) <= 1


def test_the_same_table_gives_the_same_arm(allotted: Allotted) -> None:
    for arm in allotted.run(cost=cheap_b, pending=2):
        told = by_arm(allotted.trials)
        reverse, count = ARMS[::-1], len(allotted.trials)
        waiting = without_a_trial(reverse, "plain", told, 60 - count, seed=0)
        again = next_arm(reverse, "plain", told, count / 60, "max") if not waiting else waiting[0]
        assert again == arm


def test_with_fewer_trials_than_arms_a_draw_decides_and_the_baseline_stays(
    make_trial: Any,
) -> None:
    arms = ["plain", *(f"arm_{n:02}" for n in range(20))]
    tried: dict[int, list[str]] = {}
    for seed in range(40):
        for number in range(12):
            told = by_arm([make_trial(n, arm) for n, arm in enumerate(tried.get(seed, []))])
            first, *_ = without_a_trial(arms, "plain", told, 12 - number, seed)
            tried.setdefault(seed, []).append(first)
    assert all(mine[0] == "plain" and len(set(mine)) == 12 for mine in tried.values())
    counts = {arm: sum(arm in mine for mine in tried.values()) for arm in arms[1:]}
    assert min(counts.values()) > 8, "11 of 20 are tried, 22 of 40 times"
    assert max(counts.values()) < 36
    assert tried[0] != tried[1]
    # Those that it suffices for are the same however often they are asked for.
    assert without_a_trial(arms, "plain", {}, 12, 3)[:12] == tried[3]
    assert without_a_trial(arms, "plain", {}, 21, 3) == arms

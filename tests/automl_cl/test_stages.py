from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from automl_cl.run.trial import Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.strategy import stages
from trainables.foundation.randomness import derive_seed

from .happened import happened

MakeTrial = Callable[..., Trial]
SEED = 11


@pytest.fixture
def run(
    make_trial: MakeTrial, table_of: Callable[[Sequence[Trial]], TrialTable]
) -> Callable[..., TrialTable]:
    """A run after its confirmation.

    `search` has the search values by arm. `confirm` has the confirmation values by search trial;
    None is a training that diverged. Trials not named there are confirmed with their search value.
    """

    def make(
        search: dict[str, list[float]],
        confirm: dict[int, list[float | None]] | None = None,
        mode: str = "max",
    ) -> TrialTable:
        trials: list[Trial] = []
        for arm, values in search.items():
            for value in values:
                trials.append(make_trial(len(trials), arm, [0, 0, value]))
        for repeat in stages.confirmations(table_of(trials), mode, SEED):
            place = sum(t.source == repeat.source.number for t in trials)
            value = repeat.source.value
            if confirm and repeat.source.number in confirm:
                value = confirm[repeat.source.number][place]
            given: dict[str, Any] = {"values": [value], "status": "done"}
            if value is None:
                given = {"status": "diverged"}
            trials.append(
                make_trial(
                    len(trials),
                    repeat.source.arm,
                    levels=[9.0],
                    stage=repeat.stage,
                    source=repeat.source.number,
                    seed=repeat.seed,
                    **given,
                )
            )
        return table_of(trials)

    return make


def numbers(trials: Sequence[Trial]) -> list[int]:
    return [trial.number for trial in trials]


def test_finalists_are_the_top_three_of_each_arm(make_trial: MakeTrial) -> None:
    values = {"b": [1, 5, 3, 4, 2], "a": [7, 6]}
    trials: list[Trial] = []
    for arm, found in values.items():
        trials += [make_trial(len(trials) + n, arm, [9, 9, v]) for n, v in enumerate(found)]
    trials.append(make_trial(7, "b", [9, 9], status="stopped"))
    trials.append(make_trial(8, "b", [9], status="diverged"))
    trials.append(make_trial(9, "c", [9, 9], status="running"))
    trials.append(make_trial(10, "b", [9, 9, 9], stage="confirm", source=0))
    assert numbers(stages.finalists(trials, "max")) == [5, 6, 1, 3, 2]
    assert numbers(stages.finalists(trials, "min")) == [6, 5, 0, 4, 2]


def test_equal_values_go_by_number(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, "a", [0, 0, 0.5]) for n in range(5)]
    assert numbers(stages.finalists(trials[::-1], "max")) == [0, 1, 2]


def test_each_finalist_is_confirmed_with_the_same_three_new_seeds(
    run: Callable[..., TrialTable],
) -> None:
    table = run({"plain": [1, 2], "b": [3, 4, 5, 6]})
    repeats = stages.confirmations(table, "max", SEED)
    seeds_of: dict[int, list[int]] = {}
    for repeat in repeats:
        assert repeat.stage == "confirm"
        seeds_of.setdefault(repeat.source.number, []).append(repeat.seed)
    assert list(seeds_of) == [5, 4, 3, 1, 0]
    first = seeds_of[5]
    assert len(set(first)) == 3
    assert all(seeds == first for seeds in seeds_of.values())
    assert stages.missing(table, repeats) == []


def test_what_is_missing_is_asked_for(run: Callable[..., TrialTable]) -> None:
    table = run({"plain": [1], "b": [2]})
    repeats = stages.confirmations(table, "max", SEED)
    left_out = table.trials.pop(3)
    (missing,) = stages.missing(table, repeats)
    assert (missing.source.number, missing.seed) == (left_out.source, left_out.seed)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_an_arm_keeps_its_best_mean_confirmation(
    run: Callable[..., TrialTable], mode: str
) -> None:
    sign = 1 if mode == "max" else -1
    confirm = {0: [5, 5, 5], 1: [9, 5, 7], 2: [8, 1, 0]}
    table = run(
        {"b": [sign * v for v in (8, 7, 6)]},
        {number: [sign * v for v in values] for number, values in confirm.items()},
        mode,
    )
    (found,) = stages.confirmed(table, mode)
    assert (found.source.number, found.mean) == (1, sign * 7)


def test_the_search_value_is_left_out(run: Callable[..., TrialTable]) -> None:
    table = run({"b": [100, 7]}, {0: [5, 5, 5], 1: [6, 6, 6]})
    assert [found.source.number for found in stages.confirmed(table, "max")] == [1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_diverged_confirmation_disqualifies(run: Callable[..., TrialTable], place: int) -> None:
    values: list[float | None] = [9.0, 9.0, 9.0]
    values[place] = None
    table = run({"b": [2, 1]}, {0: values, 1: [0.5, 0.5, 0.5]})
    assert [found.source.number for found in stages.confirmed(table, "max")] == [1]


def test_a_config_that_is_not_wholly_confirmed_is_not_confirmed(
    run: Callable[..., TrialTable],
) -> None:
    table = run({"b": [2, 1]})
    table.trials.pop()
    assert [found.source.number for found in stages.confirmed(table, "max")] == [0]


def test_the_challenger_is_the_best_arm_but_the_baseline(run: Callable[..., TrialTable]) -> None:
    table = run({"e": [3], "plain": [9, 8], "b": [4], "c": [6], "d": [5], "f": [1]})
    plan = stages.verdict_plan(table, "plain", "max")
    assert plan == {"baseline": 1, "challenger": 4, "secondaries": [5, 3]}
    assert stages.contestants(happened("plan", **plan)) == [1, 4, 5, 3]
    plan = stages.verdict_plan(run({"plain": [3], "b": [4], "c": [2]}, mode="min"), "plain", "min")
    assert plan == {"baseline": 0, "challenger": 2, "secondaries": [1]}


def test_who_is_told_more_is_the_challenger_only_where_there_is_nobody_else(
    run: Callable[..., TrialTable],
) -> None:
    table = run({"plain": [3], "told": [9], "b": [4], "c": [5]})
    plan = stages.verdict_plan(table, "plain", "max", informed=[1])
    assert plan == {"baseline": 0, "challenger": 3, "secondaries": [2, 1]}
    table = run({"plain": [3], "told": [9]})
    assert stages.verdict_plan(table, "plain", "max", informed=[1])["challenger"] == 1


def test_the_challenger_is_chosen_by_confirmation(run: Callable[..., TrialTable]) -> None:
    table = run({"plain": [3], "b": [9], "c": [5]}, {1: [1, 1, 1], 2: [4, 4, 4]})
    assert stages.verdict_plan(table, "plain", "max")["challenger"] == 2


def test_without_another_arm_there_is_no_challenger(run: Callable[..., TrialTable]) -> None:
    table = run({"plain": [3, 2], "b": [9]}, {2: [9, 9, None]})
    plan = stages.verdict_plan(table, "plain", "max")
    assert plan == {"baseline": 0, "challenger": None, "secondaries": []}
    assert stages.contestants(happened("plan", **plan)) == [0]


def test_without_the_baseline_there_is_no_verdict(run: Callable[..., TrialTable]) -> None:
    table = run({"plain": [3], "b": [9]}, {0: [3, None, 3]})
    with pytest.raises(stages.VerdictImpossible, match="no config of the baseline"):
        stages.verdict_plan(table, "plain", "max")


def test_verdict_seeds_are_paired_and_fresh(run: Callable[..., TrialTable]) -> None:
    table = run({"plain": [3], "b": [9], "c": [4], "d": [2]})
    seeds = stages.verdict_seeds(SEED, 1, 10)
    plan = happened("plan", **stages.verdict_plan(table, "plain", "max"), seeds=seeds)
    repeats = stages.verdict_repeats(table, plan)
    assert len(repeats) == 4 * 10
    for number in stages.contestants(plan):
        assert [r.seed for r in repeats if r.source.number == number] == seeds
    seen = {trial.seed for trial in table.of_stage("confirm")}
    seen |= {derive_seed(SEED, "trial", number) % 2**31 for number in range(1000)}
    openings = [stages.verdict_seeds(SEED, opening, 10) for opening in (1, 2, 3)]
    drawn = [seed for opening in openings for seed in opening]
    assert len(set(drawn)) == 30
    assert not seen & set(drawn)
    assert not set(drawn) & set(stages.verdict_seeds(SEED + 1, 1, 10))
    assert stages.verdict_seeds(SEED, 1, 5) == seeds[:5]


def test_verdict_trials_come_in_the_order_of_the_seeds(
    run: Callable[..., TrialTable], make_trial: MakeTrial
) -> None:
    table = run({"plain": [3], "b": [9]})
    plan = happened("plan", seeds=[30, 10, 20])
    for source, seed in [(0, 10), (1, 20), (0, 20), (0, 30), (1, 10), (0, 99)]:
        number = len(table.trials)
        table.add(make_trial(number, stage="verdict", source=source, seed=seed))
    assert [trial.seed for trial in stages.verdict_trials(table, plan, 0)] == [30, 10, 20]

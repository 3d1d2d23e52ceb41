from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.events import Event, plain
from automl_cl.run.trial import Rung, Trial
from automl_cl.run.trial_table import TrialTable

from .happened import VERDICT, happened

SPEC = {"event": "search"}
ASK = {"event": "ask"}
RUNG = {"event": "rung", "checkpoint": "0.pt"}
LAST = {"event": "rung", "rung": 1, "level": 3.0, "value": 0.75, "compute": 3.5}
END = {"event": "end"}


def made(event: dict[str, Any]) -> Event:
    return happened(event["event"], **{k: v for k, v in event.items() if k != "event"})


def table_after(*events: dict[str, Any]) -> TrialTable:
    """The table after some events, a second apart unless they say when."""
    table = TrialTable()
    for second, event in enumerate(events):
        table.apply(made({"time": float(second), **event}))
    return table


def test_a_trial_from_its_question_to_its_end() -> None:
    table = table_after(SPEC, {"event": "start"}, {**ASK, "number": 0}, RUNG)
    (trial,) = table.trials
    assert table.budget == 5
    assert (trial.arm, trial.config, trial.seed) == ("plain", {"optimizer": {"lr": 0.1}}, 3)
    assert (trial.status, trial.value, trial.compute, trial.horizon) == ("running", None, 1.25, 3)
    assert table.running() == [trial]
    table.apply(made({"time": 9.0, **LAST, "decision": "done", "weights": "w"}))
    assert (trial.status, trial.value, trial.compute) == ("done", 0.75, 3.5)
    assert (trial.seconds, trial.weights) == (4.0, "w")
    assert table.running() == []


def test_a_stopped_trial_has_no_value() -> None:
    trial = table_after({**ASK, "number": 0}, {**RUNG, "decision": "stopped"}).trials[0]
    assert (trial.status, trial.value) == ("stopped", None)
    assert trial.value_by(1.0) == 0.5


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_trial_that_came_to_nothing(status: str) -> None:
    trial = table_after({**ASK, "number": 0}, RUNG, {**END, "status": status}).trials[0]
    assert (trial.status, trial.reason, trial.compute) == (status, "boom", 2.0)
    assert trial.value is None


def test_losses_are_counted() -> None:
    lost = {"event": "lost", "number": 0}
    trial = table_after({**ASK, "number": 0}, lost, lost).trials[0]
    assert (trial.lost, trial.status) == (2, "running")


def test_stages_are_told_apart() -> None:
    confirm = {**ASK, "number": 1, "stage": "confirm", "source": 0}
    table = table_after({**ASK, "number": 0}, confirm, {**ASK, "number": 2})
    assert [trial.number for trial in table.of_stage("search")] == [0, 2]
    assert [trial.source for trial in table.of_stage("confirm")] == [0]
    assert table.of_stage("verdict") == []


def test_the_plans_that_were_put_to_the_test_are_known_without_their_verdict() -> None:
    opened = {"event": "open_test", "fingerprint": "f", "opening": 1}
    first, second = ({"event": "plan", "budget": b, "opening": o} for b, o in ((5, 1), (8, 2)))
    extended = {"event": "extend", "trials": 8}
    table = table_after(SPEC, first, opened, extended, second)
    assert [plan.opening for plan in table.opened] == [1]
    assert table.plan is not None
    assert table.verdict_of(table.plan) is None


@pytest.mark.parametrize(
    ("levels", "values", "status", "level", "found"),
    [
        ([1.0, 3.0, 9.0], [0.1, 0.2], "running", 1.0, 0.1),
        ([1.0, 3.0, 9.0], [0.1, 0.2], "running", 3.0, 0.2),
        ([1.0, 3.0, 9.0], [0.1, 0.2], "running", 9.0, None),
        ([1.0, 3.0, 9.0], [0.1, 0.2], "stopped", 9.0, None),
        ([1.0, 3.0, 9.0], [], "running", 1.0, None),
        ([1.0, 2.5], [0.1, 0.2], "done", 3.0, 0.2),
        ([1.0, 2.5], [0.1, 0.2], "done", 1.0, 0.1),
        ([1.0, 2.5], [0.1], "stopped", 3.0, None),
        ([2.5], [0.2], "done", 1.0, None),
    ],
)
def test_the_value_by_a_level(
    make_trial: Any,
    levels: list[float],
    values: list[float],
    status: str,
    level: float,
    found: float | None,
) -> None:
    trial: Trial = make_trial(levels=levels, values=values, status=status)
    assert trial.value_by(level) == found


def test_a_plan_holds_for_its_budget() -> None:
    plan = {"event": "plan", "budget": 5}
    table = table_after(SPEC, plan)
    assert table.plan is not None
    assert table.plan.budget == 5
    table.apply(made({"time": 9.0, "event": "extend", "trials": 8}))
    assert (table.plan, table.budget) == (None, 8)
    table.apply(made({"time": 9.0, "event": "plan", "budget": 8}))
    assert table.plan is not None


FIRST_REPORT = {"event": "end", "compute": 1.0}


def test_time_counts_from_the_first_report_of_each_session() -> None:
    table = table_after(SPEC, {"event": "start", "time": 100.0})
    table.apply(made({**ASK, "number": 0, "time": 105.0}))
    assert table.searched_for(107.0) == 0, "Ray starts"
    table.apply(made({**FIRST_REPORT, "time": 110.0}))
    assert table.searched_for(112.0) == 2
    table.apply(made({**ASK, "number": 1, "time": 113.0}))
    table.apply(made({"event": "start", "time": 500.0}))
    assert table.starts == 2
    assert table.searched_for(503.0) == 3, "nobody searched in between"
    table.apply(made({**FIRST_REPORT, "number": 1, "time": 510.0}))
    assert table.searched_for(514.0) == 7


def test_a_search_that_is_extended_long_after_has_not_searched_in_between() -> None:
    table = table_after(
        SPEC,
        {"event": "start", "time": 100.0},
        {**ASK, "number": 0, "time": 105.0},
        {**FIRST_REPORT, "time": 110.0},
        {**ASK, "number": 1, "time": 112.0},
        {"event": "extend", "trials": 8, "time": 9000.0},
        {"event": "start", "time": 9001.0},
    )
    assert table.searched_for(9003.0) == 2


def test_a_search_that_is_extended_after_its_verdict_has_its_time_anew() -> None:
    table = table_after(
        SPEC,
        {"event": "start", "time": 100.0},
        {**ASK, "number": 0, "time": 105.0},
        {**FIRST_REPORT, "time": 110.0},
        {"event": "verdict", "time": 150.0, "plan": plain(happened("plan")), "verdict": VERDICT},
        {"event": "extend", "trials": 8, "time": 9000.0},
        {"event": "start", "time": 9001.0},
    )
    assert table.searched_for(9003.0) == 0
    assert [verdict.plan for verdict in table.verdicts] == [happened("plan")]


def test_an_arms_trials_are_counted_as_they_change(make_trial: Any) -> None:
    """Whatever becomes of trials, in whatever order, what is kept is what a count would find."""
    rng = random.Random(5)
    told, trials = ArmTrials(), []
    for number in range(60):
        horizon = rng.choice([2.5, 3.0, 9.0])
        levels = [level for level in (1.0, 3.0) if level < horizon] + [horizon]
        trial = make_trial(number, levels=levels, status="running", compute=0.0)
        trial.uncompared = rng.random() < 0.3
        trials.append(trial)
        told.take(trial)
        for _ in range(2):
            _go_on(rng.choice(trials), rng)
            for each in trials:
                told.take(each)
        again = ArmTrials(trials)
        assert told.spent == pytest.approx(sum(t.compute for t in trials))
        assert told.committed == pytest.approx(again.committed)
        assert told.uncompared == pytest.approx(sum(t.horizon for t in trials if t.uncompared))
        assert set(told.paused) == {t.number for t in trials if t.status == "paused"}
        assert told.finished == [t for t in trials if t.value is not None]
        for level in (1.0, 3.0, 5.0):
            found = [(v, t.number) for t in trials if (v := t.value_by(level)) is not None]
            assert told.at(level).values == again.at(level).values == sorted(found)
            for value, number in found[:5]:
                before = [v > value or (v == value and n < number) for v, n in found]
                assert told.at(level).better(value, "max", number) == sum(before)
                assert told.at(level).better(value, "min") == sum(v < value for v, _ in found)
    assert {t.status for t in trials} == {"running", "paused", "stopped", "done", "failed"}


def _go_on(trial: Trial, rng: random.Random) -> None:
    if trial.status == "paused":
        trial.status = rng.choice(["running", "stopped"])
    elif trial.status == "running" and rng.random() < 0.1:
        trial.status = "failed"
    elif trial.status == "running":
        level = trial.levels[len(trial.rungs)]
        last = level == trial.horizon
        decision = "done" if last else rng.choice(["continue", "continue", "paused", "stopped"])
        trial.rungs.append(Rung(level, rng.randrange(4) / 4, level, {}, None, decision))
        trial.compute = level
        trial.status = "running" if decision == "continue" else decision


def test_what_is_worked_out_from_finished_trials_lasts_until_the_next(make_trial: Any) -> None:
    told = ArmTrials([make_trial(0, values=[0.1, 0.2, 0.3])])
    calls: list[int] = []

    def count(trials: Sequence[Trial]) -> int:
        calls.append(len(trials))
        return len(trials)

    assert [told.of_finished("count", count) for _ in range(3)] == [1, 1, 1]
    told.take(make_trial(1, values=[0.1], status="paused"))
    assert told.of_finished("count", count) == 1
    told.take(make_trial(2, values=[0.1, 0.2, 0.3]))
    assert told.of_finished("count", count) == 2
    assert calls == [1, 2]

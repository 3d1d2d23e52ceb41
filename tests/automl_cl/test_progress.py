from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import pytest
from rich.console import Console

from automl_cl import progress
from automl_cl.journal import Event, read_events
from automl_cl.progress import Progress, arms_table
from automl_cl.trials import Trial, TrialTable
from search_spaces import options
from trainables.scenario import load_scenario

SCENARIO = load_scenario("curriculum")
STAGES = ["searching", "confirming", "training for the verdict", "opening the sealed test"]

MakeTrial = Callable[..., Trial]


class Clock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def shown(
    events: Sequence[Event], clock: Clock, seconds: float, limit: float | None = None
) -> list[str]:
    """The lines that a progress view prints of these events, so many seconds apart."""
    out = io.StringIO()
    with Progress(Console(file=out, width=80), SCENARIO, limit) as view:
        table = TrialTable()
        table.apply(events[0])
        view.watch(table)
        for event in events[1:]:
            clock.now += seconds
            table.apply(event)
            view(event)
    return out.getvalue().splitlines()


def printed(table: TrialTable) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80).print(arms_table(table, SCENARIO))
    return [line for line in out.getvalue().splitlines() if line.strip()]


@pytest.fixture
def events(finished_run: Path) -> list[Event]:
    return read_events(finished_run / "journal.jsonl")


def test_without_a_terminal_a_line_for_each_stage(events: list[Event], clock: Clock) -> None:
    lines = shown(events, clock, seconds=0.0)
    assert [line.partition(":")[0] for line in lines] == STAGES


def test_and_a_line_now_and_then_within_a_stage(events: list[Event], clock: Clock) -> None:
    often = shown(events, clock, seconds=6.0)
    assert len(often) == len(events) - 1
    assert [stage for stage, _ in groupby(line.partition(":")[0] for line in often)] == STAGES
    now_and_then = shown(events, clock, seconds=1.0)
    assert len(STAGES) < len(now_and_then) < len(events) / 3


def test_the_counts(events: list[Event], clock: Clock) -> None:
    before_the_verdict = [e for e in events if e["event"] not in ("open_test", "verdict")]
    last = shown(before_the_verdict, clock, seconds=6.0)[-1]
    asked = [event for event in events if event["event"] == "ask"]
    ended = Counter(e["decision"] for e in events if e["event"] == "rung")
    failed = sum(event["event"] == "end" for event in events)
    assert "search trial 7 of 7" in last
    assert f" {ended['done']} done " in last
    assert f" {ended['stopped']} stopped " in last
    assert f" {failed} failed " in last
    assert ended["done"] + ended["stopped"] + failed == len(asked)
    assert " 0 running " in last
    first = shown(events, clock, seconds=6.0)[2]
    assert "search trial 1 of 7" in first
    assert " 1 running " in first


@pytest.mark.parametrize(("limit", "left"), [(None, 90), (150.0, 45), (100.0, 0)])
def test_the_time_that_is_left(
    clock: Clock, events: list[Event], limit: float | None, left: int
) -> None:
    # Eight trials, each begun 15 s after the one before it; six more are wanted.
    ask = next(event for event in events if event["event"] == "ask")
    asks = [{**ask, "number": number} for number in range(8)]
    search = {"event": "search", "spec": {"trials": 14}}
    ended = {"number": 0, "status": "failed", "reason": "any", "compute": 1.0, "weights": None}
    happened = [search, {"event": "start"}, asks[0], {"event": "end", **ended}, *asks[1:]]
    timed = [{**e, "time": clock.now + 15.0 * i} for i, e in enumerate(happened)]
    lines = shown(timed, clock, 15.0, limit)
    # 120 s since the first of eight trials make 15 s each; 105 s of them count, since its report.
    assert f" 150 s, about {left} s of searching left" in lines[-1]


def test_nothing_is_said_of_time_when_too_little_is_known(
    clock: Clock, events: list[Event]
) -> None:
    assert "left" not in shown(events, clock, seconds=6.0)[1]


def test_a_terminal_gets_a_table_that_renews_itself(events: list[Event]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with Progress(console, SCENARIO, None) as view:
        table = TrialTable()
        watch = view.watch(table)
        for event in events:
            table.apply(event)
            watch(event)
    assert "search trial 7 of 7" in out.getvalue()
    assert "anti_curriculum" in out.getvalue()


def test_at_80_columns_every_algorithms_name_is_there_in_full(make_trial: MakeTrial) -> None:
    names = list(options(SCENARIO.algorithm))
    assert len(names) >= 6
    table = TrialTable()
    table.trials = [
        make_trial(number=100 * i + k, arm=name, values=(0.5, 0.5, 0.5 + i / 100), compute=1234.5)
        for i, name in enumerate(names)
        for k in range(100)
    ]
    lines = printed(table)
    assert max(map(len, lines)) <= 80
    first_words = [line.split()[0] for line in lines]
    for name in names:
        assert first_words.count(name) == 1
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["plain"][1:3] == ["*", "100"], "the baseline is marked"
    assert rows["superloss"][1:6] == ["100", "100", "0", "0", "123,450"]


def test_the_best_arm_comes_first(make_trial: MakeTrial) -> None:
    table = TrialTable()
    values = {"plain": 0.7, "superloss": 0.9, "self_paced": 0.8}
    table.trials = [
        make_trial(number=number, arm=arm, values=(0.1, 0.2, value))
        for number, (arm, value) in enumerate(values.items())
    ]
    table.trials.append(make_trial(number=3, arm="random_order", status="failed"))
    # Confirmation outranks the search: three more trainings of trial 0 did best.
    table.trials += [
        make_trial(number=n, arm="plain", values=(0.1, 0.2, 0.95), stage="confirm", source=0)
        for n in (4, 5, 6)
    ]
    first_words = [line.split()[0] for line in printed(table)]
    arms = [word for word in first_words if word in {*values, "random_order"}]
    assert arms == ["plain", "superloss", "self_paced", "random_order"]

from __future__ import annotations

import copy
import io
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from rich.console import Console

from automl_cl.command import progress
from automl_cl.command.progress import Progress, arms_table, failures, front_table
from automl_cl.results.tally import Tally
from automl_cl.run.events import Ask, Event
from automl_cl.run.journal import read_events
from automl_cl.run.trial import Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.terminal import Screen
from search_spaces import options
from trainables.scenarios.scenario import load_scenario

from .happened import happened

SCENARIO = load_scenario("curriculum")
STAGES = ["searching", "confirming", "training for the verdict", "opening the sealed test"]

MakeTrial = Callable[..., Trial]
TableOf = Callable[[Sequence[Trial]], TrialTable]


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


def shown(events: Sequence[Event], clock: Clock, seconds: float) -> list[str]:
    """The lines that a progress view prints of these events, so many seconds apart."""
    out = io.StringIO()
    with Progress(Screen(Console(file=out, width=80)), SCENARIO) as view:
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
    # Six seconds apart there is a line for each, until after five minutes they become rarer.
    assert len(often[:50]) == 50
    assert len(events) / 2 < len(often) < len(events) - 1
    assert [stage for stage, _ in groupby(line.partition(":")[0] for line in often)] == STAGES
    now_and_then = shown(events, clock, seconds=1.0)
    assert len(STAGES) < len(now_and_then) < len(events) / 3


def test_the_counts(events: list[Event], clock: Clock) -> None:
    asked = [e.number for e in events if e.kind == "ask" and e.stage == "search"]
    mine = [e for e in events if getattr(e, "number", None) in asked]
    last = shown([events[0], *mine], clock, seconds=6.0)[-1]
    table = TrialTable()
    for event in [events[0], *mine]:
        table.apply(event)
    ended = Counter(trial.status for trial in table.trials)
    assert "searching: trial 7 of 7" in last
    assert f" {ended['done']} done " in last
    assert f" {ended['stopped']} stopped " in last
    assert f" {ended['failed']} failed " in last
    assert ended.total() == len(asked)
    assert " 0 running " in last
    first = shown(events, clock, seconds=6.0)[2]
    assert "searching: trial 1 of 7" in first
    assert " 1 running " in first


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({}, "about 90 s of searching left"),
        ({"time_limit": 150.0}, "about 45 s of searching left (then the time is spent)"),
        ({"time_limit": 100.0}, "about 0 s of searching left (then the time is spent)"),
        ({"time_limit": 900.0}, "about 90 s of searching left"),
        ({"total_compute": 3.0}, "about 60 s of searching left (then the compute is spent)"),
        ({"total_compute": 2.5, "time_limit": 150.0}, "about 30 s of searching left (then the c"),
    ],
)
def test_the_time_that_is_left_and_what_ends_the_search(
    clock: Clock, events: list[Event], limits: dict[str, float], left: str
) -> None:
    # Eight trials, each begun 15 s after the one before it; six more are wanted.
    ask = next(event for event in events if isinstance(event, Ask))
    asks = [replace(ask, number=number) for number in range(8)]
    search = happened("search", spec={"trials": 14, **limits})
    told = [search, happened("start"), asks[0], happened("end"), *asks[1:]]
    timed = [replace(e, time=clock.now + 15.0 * i) for i, e in enumerate(told)]
    line = shown(timed, clock, 15.0)[-1]
    # 120 s since the first of eight trials make 15 s each, and 60 s for each of two epochs; 105 s
    # of them count, since its report.
    assert f" 150 s, {left}" in line
    assert ("spent" in line) == ("then" in left)


def test_nothing_is_said_of_time_when_too_little_is_known(
    clock: Clock, events: list[Event]
) -> None:
    assert "left" not in shown(events, clock, seconds=6.0)[1]


def test_a_terminal_gets_a_table_that_renews_itself(events: list[Event]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True)
    with Progress(Screen(console), SCENARIO) as view:
        table = TrialTable()
        watch = view.watch(table)
        for event in events:
            table.apply(event)
            watch(event)
    assert "opening the sealed test: 9 models" in out.getvalue()
    assert "anti_curriculum" in out.getvalue()


def test_at_80_columns_every_algorithms_name_is_there_in_full(
    make_trial: MakeTrial, table_of: TableOf
) -> None:
    names = list(options(SCENARIO.algorithm))
    assert len(names) >= 6
    table = table_of(
        [
            make_trial(100 * i + k, name, values=(0.5, 0.5, 0.5 + i / 100), compute=1234.5)
            for i, name in enumerate(names)
            for k in range(100)
        ]
    )
    lines = printed(table)
    assert max(map(len, lines)) <= 80
    first_words = [line.split()[0] for line in lines]
    for name in names:
        assert first_words.count(name) == 1
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["plain"][1:3] == ["*", "100"], "the baseline is marked"
    assert rows["superloss"][1:5] == ["100", "100", "0", "123,450"]


def test_the_best_arm_comes_first(make_trial: MakeTrial, table_of: TableOf) -> None:
    values = {"plain": 0.7, "superloss": 0.9, "self_paced": 0.8}
    trials = [
        make_trial(number=number, arm=arm, values=(0.1, 0.2, value))
        for number, (arm, value) in enumerate(values.items())
    ]
    trials.append(make_trial(number=3, arm="random_order", status="failed"))
    # Confirmation outranks the search: three more trainings of trial 0 did best.
    trials += [
        make_trial(number=n, arm="plain", values=(0.1, 0.2, 0.95), stage="confirm", source=0)
        for n in (4, 5, 6)
    ]
    first_words = [line.split()[0] for line in printed(table_of(trials))]
    arms = [word for word in first_words if word in {*values, "random_order"}]
    assert arms == ["plain", "superloss", "self_paced", "random_order"]


def many(arms: int, trials: int, view: Progress) -> TrialTable:
    """A table of so many trials, told to the view event by event; every tenth has failed."""
    table = TrialTable()
    table.apply(happened("search", spec={"trials": trials}))
    watch = view.watch(table)
    names = ["plain", *(f"an_algorithm_of_some_length_{i}" for i in range(arms - 1))]
    for number in range(trials):
        of = {"number": number, "time": 1.0}
        told = [happened("ask", arm=names[number % arms], levels=[1.0], config={}, **of)]
        if number % 10 == 9:
            told.append(happened("end", compute=1.0, reason="any " * 50, **of))
        elif number < trials - 2:
            value = {"value": number / trials, "compute": 1.0, "decision": "done"}
            told.append(happened("rung", **value, **of))
        for event in told:
            table.apply(event)
            watch(event)
    return table


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (60, 15), (80, 12)])
def test_the_view_fits_its_screen_however_many_arms_there_are(width: int, height: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True)
    view = Progress(Screen(console), SCENARIO)
    many(20, 2000, view)
    view.announce("stopping; Ctrl-C again ends at once")
    plain = Console(file=(text := io.StringIO()), width=width, height=height)
    plain.print(view.screen())
    lines = text.getvalue().splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "trial 2,000 of 2,000" in lines[0]
    assert any(line.startswith("plain *") for line in lines), "the baseline is always there"
    assert lines[-1].startswith("stopping")
    shown_arms = sum(line.startswith("an_algorithm") for line in lines) + 1
    if shown_arms < 20:
        assert any(f"and {20 - shown_arms} more" in line for line in lines)


def test_what_it_costs_to_renew_does_not_grow_with_the_trials() -> None:
    def seconds(trials: int) -> float:
        console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
        view = Progress(Screen(console), SCENARIO)
        many(15, trials, view)
        begun = time.perf_counter()
        for _ in range(20):
            console.print(view.screen())
        return (time.perf_counter() - begun) / 20

    few = min(seconds(50) for _ in range(3))
    lots = min(seconds(2000) for _ in range(3))
    assert lots < 0.01
    assert lots < 3 * few


def test_without_a_terminal_the_lines_of_a_long_search_are_few(clock: Clock) -> None:
    out = io.StringIO()
    view = Progress(Screen(Console(file=out, width=80)), SCENARIO)
    monotonic, clock.monotonic = clock.monotonic, lambda: passing(clock)  # type: ignore[method-assign]

    def passing(clock: Clock) -> float:
        clock.now += 2.0
        return clock.now

    many(15, 2000, view)
    clock.monotonic = monotonic  # type: ignore[method-assign]
    hours = (clock.now - 1000.0) / 3600
    lines = out.getvalue().splitlines()
    assert hours > 2
    assert 20 < len(lines) < 60 * hours + 200


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_tally_of_events_is_that_of_the_table(events: list[Event], mode: str) -> None:
    table = TrialTable()
    table.apply(events[0])
    scenario = copy.copy(SCENARIO)
    scenario.mode = mode
    kept = Tally(table, scenario)
    for event in events[1:]:
        table.apply(event)
        kept.apply(event)
        counted = Tally(table, scenario)
        for one, other in zip(kept.ranked(), counted.ranked(), strict=True):
            assert one.compute == pytest.approx(other.compute)
            assert replace(one, compute=0.0) == replace(other, compute=0.0)
        assert kept.by_stage == counted.by_stage
        assert kept.compute == pytest.approx(counted.compute)
    search = [trial for trial in table.of_stage("search")]
    assert sum(mine.trials for mine in kept.ranked()) == len(search)
    best = max if mode == "max" else min
    leader = kept.leader()
    assert leader is not None
    assert leader.best == best(trial.value for trial in search if trial.value is not None)


def test_the_end_of_a_search_by_the_user_is_told(clock: Clock) -> None:
    out = io.StringIO()
    view = Progress(Screen(Console(file=out, width=80)), SCENARIO)
    table = many(3, 40, view)
    event = happened("close", time=2.0, budget=40, asked=100)
    table.apply(event)
    view(event)
    assert view.tally is not None
    assert view.tally.running == 0, "what was under way is given up"
    assert "trial 40 of 40" in out.getvalue().splitlines()[-1]


def test_what_was_infeasible_has_a_column_where_there_is_any(make_trial: MakeTrial) -> None:
    table = TrialTable()
    table.trials = [make_trial(0, "plain", values=[0.5, 0.6, 0.7])]
    assert "limit" not in printed(table)[0] + printed(table)[1]
    table.trials.append(make_trial(1, "plain", status="infeasible"))
    lines = printed(table)
    assert "limit" in lines[1]
    assert lines[2].split() == ["plain", "*", "2", "1", "0", "1", "9", "0.7000"]


def test_the_front_that_is_printed(make_trial: MakeTrial) -> None:
    table = TrialTable()
    values = [0.9, 0.8, 0.85]
    for number, value in enumerate(values):
        table.add(make_trial(number, "plain", values=[value], levels=[9.0 - number]))
    (line,) = front_table(table, SCENARIO, []).plain.splitlines()
    assert line == "2 trials are on the Pareto front of accuracy, compute"
    lines = front_table(table, SCENARIO, ["compute", "memory"]).plain.splitlines()
    assert "0 trials are" in lines[0], "of what is not known nothing can be said"
    for trial in table.trials:
        trial.memory = 1_500_000
    lines = front_table(table, SCENARIO, ["compute", "memory"]).plain.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["plain", "0", "0.9000", "9", "1.5", "MB"],
        ["plain", "2", "0.8500", "7", "1.5", "MB"],
    ]


def test_the_statuses_of_a_line_add_up_to_the_trials_begun(make_trial: MakeTrial) -> None:
    statuses = ["done", "done", "running", "paused", "stopped", "failed", "diverged", "infeasible"]
    table = TrialTable()
    table.budget = 9
    for number, status in enumerate(statuses):
        table.add(make_trial(number, "plain", [0.5], status=status))
    out = io.StringIO()
    with Progress(Screen(Console(file=out, width=300)), SCENARIO) as view:
        view.watch(table)
        line = view._summary()
    assert line.startswith(
        "searching: trial 8 of 9 · 2 done · 1 running · 1 paused · 1 stopped · "
    )
    assert " · 2 failed · 1 over limit · " in line


def test_what_made_trainings_fail_is_told_once(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, "plain", [0.5], status="failed") for n in range(3)]
    for trial, reason in zip(trials, ["/x.py:7: boom", "/x.py:7: boom", "bang"], strict=True):
        trial.reason = reason
    table = TrialTable()
    assert failures(table, Path("runs/a/failures")) == []
    for trial in trials:
        table.add(trial)
    (line,) = failures(table, Path("runs/a/failures"))
    assert line.startswith("3 trainings failed (2 of them so): /x.py:7: boom; full tracebacks: ")

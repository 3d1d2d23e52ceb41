"""Time limits, and searches that are extended."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl_cl.engine.session import Session
from automl_cl.run.events import Verdict, plain
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy import stages
from trainables.trials.trial_run import TrialRequest

from ..happened import VERDICT

LIMIT = 25.0


class Clock:
    """Stands in for time.time."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def slow(fake: Any, clock: Clock) -> Callable[[TrialRequest, float], float]:
    """A second to each rung."""

    def value(request: TrialRequest, level: float) -> float:
        clock.now += 1
        return float(fake.worth(request, level))

    return value


@pytest.fixture
def limited(fake: Any) -> SearchSpec:
    return replace(fake.SPEC, trials=1000, time_limit=LIMIT)


@pytest.fixture
def judged(fake: Any, undisturbed: Path, tmp_path: Path) -> Path:
    """A run with a verdict."""
    path = tmp_path / "judged"
    path.mkdir()
    shutil.copy(undisturbed / "journal.jsonl", path)
    with fake.session_on(path) as session:
        conclude(session)
    return path


def conclude(session: Session) -> None:
    plan = session.table.plan
    assert plan is not None
    session.record_opening("0123456789abcdef")
    session.write(Verdict(plan=plan, verdict=VERDICT))


def searched(session: Session) -> int:
    return len(session.table.of_stage("search"))


def test_the_time_limit_ends_the_search_and_there_is_a_plan(
    fake: Any, tmp_path: Path, limited: SearchSpec, clock: Clock, slow: Any
) -> None:
    began = clock.now
    with fake.session_on(tmp_path / "run", limited) as session:
        fake.work(session, slow)
        fake.require_whole(session, searched(session))
        asked = [e for e in session.journal.events if e.kind == "ask"]
    assert 5 < searched(session) < LIMIT
    # The limit counts from the first report, which takes a second.
    in_time = [event.time - began <= LIMIT + 1 for event in asked]
    assert in_time == [event.stage == "search" for event in asked]


def test_trials_that_run_when_time_is_up_end_at_their_next_rung(
    fake: Any, tmp_path: Path, limited: SearchSpec, clock: Clock
) -> None:
    with fake.session_on(tmp_path / "run", limited) as session:
        defaults = [fake.Training(session.ask()) for _ in session.arms]
        for training in defaults:
            while session.report(training.report()):
                pass
        running = [fake.Training(session.ask()) for _ in range(4)]
        clock.now += LIMIT + 1
        assert session.ask() is None
        assert not session.finished
        for training in running:
            assert not session.report(training.report())
        statuses = [trial.status for trial in session.table.trials[len(defaults) :]]
    assert set(statuses) <= {"stopped", "failed"}
    assert "stopped" in statuses


def test_every_default_runs_to_its_end_however_little_time_there_is(
    fake: Any, tmp_path: Path, limited: SearchSpec, clock: Clock
) -> None:
    def endless(request: TrialRequest, level: float) -> float:
        clock.now += LIMIT + 1
        return float(fake.worth(request, level))

    with fake.session_on(tmp_path / "run", limited) as session:
        fake.work(session, endless)
        assert {trial.arm for trial in session.table.of_stage("search")} == set(session.arms)
        assert not [t for t in session.table.of_stage("search") if t.status == "stopped"]
        assert session.complete


@pytest.mark.parametrize("extended", [False, True])
def test_time_between_sessions_is_not_searched(
    fake: Any, tmp_path: Path, limited: SearchSpec, clock: Clock, slow: Any, extended: bool
) -> None:
    with fake.session_on(tmp_path / "run", limited) as session:
        for _ in range(4):
            training = fake.Training(session.ask(), slow)
            while session.report(training.report()):
                pass
        assert searched(session) == 4
    clock.now += 1e6
    with fake.session_on(tmp_path / "run", limited, 2000 if extended else None) as session:
        assert not session.out_of_budget()
        fake.work(session, slow)
        first = session.journal.events[0].time
        seconds = session.journal.events[-1].time - first - 1e6
        assert 5 < searched(session) < LIMIT
        assert session.complete
        assert seconds > LIMIT


def test_an_extension_has_the_time_limit_anew(
    fake: Any, tmp_path: Path, limited: SearchSpec, clock: Clock, slow: Any
) -> None:
    with fake.session_on(tmp_path / "run", limited) as session:
        fake.work(session, slow)
        before = searched(session)
        conclude(session)
    clock.now += 1e6
    with fake.session_on(tmp_path / "run", limited, 2000) as session:
        fake.work(session, slow)
        assert before + 5 < searched(session) < before + LIMIT
        assert session.complete


def test_a_judged_run_has_nothing_more_to_do(fake: Any, judged: Path) -> None:
    with fake.session_on(judged) as session:
        assert session.ask() is None
        assert session.finished
        assert session.complete
        assert len(session.table.plans) == 1


def test_an_extension_that_changes_nothing_keeps_its_opening(fake: Any, judged: Path) -> None:
    before = fake.table_at(judged)
    with fake.session_on(judged, trials=fake.SPEC.trials + 9) as session:
        assert not session.complete
        fake.work(session, lambda request, level: fake.worth(request, level) - 1)
        fake.require_whole(session, fake.SPEC.trials + 9)
        table = session.table
    assert len(table.plans) == 2
    first, second = map(plain, table.plans)
    assert {k for k in first if first[k] != second[k]} == {"seq", "time", "budget"}
    assert table.of_stage("verdict") == before.of_stage("verdict")
    assert fake.content(table)[: len(before.trials)] == fake.content(before)


def test_an_extension_with_a_better_config_opens_the_test_anew(fake: Any, judged: Path) -> None:
    before = fake.table_at(judged)

    def value(request: TrialRequest, level: float) -> float:
        better = request.config["algorithm"]["name"] == "superloss"
        return float(fake.worth(request, level) + (0.1 if better else -1))

    with fake.session_on(judged, trials=fake.SPEC.trials + 30) as session:
        fake.work(session, value)
        fake.require_whole(session, fake.SPEC.trials + 30)
        table = session.table
    first, second = table.plans
    assert (first.opening, second.opening) == (1, 2)
    assert second.challenger >= len(before.trials)
    assert table.trials[second.challenger].arm == "superloss"
    assert second.baseline == first.baseline
    assert set(first.seeds).isdisjoint(second.seeds)
    for number in stages.contestants(second):
        mine = stages.verdict_trials(table, second, number)
        assert [trial.seed for trial in mine] == second.seeds


def test_an_extension_before_any_verdict_is_still_the_first_opening(
    fake: Any, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copy(undisturbed / "journal.jsonl", tmp_path)
    with fake.session_on(tmp_path, trials=fake.SPEC.trials + 3) as session:
        fake.work(session)
        assert [plan.opening for plan in session.table.plans] == [1, 1]

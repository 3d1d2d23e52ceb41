from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from automl_cl.engine.execution import _never_tried
from automl_cl.engine.session import Session
from trainables.trials.trial_run import RungReport


def test_no_more_is_asked_for_than_there_is(fake: Any, session: Session) -> None:
    requests = [session.ask() for _ in range(fake.SPEC.trials + 3)]
    assert [request is None for request in requests] == [False] * fake.SPEC.trials + [True] * 3
    assert not session.finished


def test_telling_twice_does_nothing(fake: Any, session: Session) -> None:
    request = session.ask()
    assert request is not None
    training = fake.Training(request)
    first, last = [training.report() for _ in range(3)], training.report()
    assert [report.status for report in [*first, last]] == [*["running"] * 3, "done"]
    for report in first:
        assert session.report(report)
        told = fake.content(session.table)
        assert session.report(report)
        assert fake.content(session.table) == told
    assert session.report(first[0])
    assert not session.report(last)
    told = fake.content(session.table)
    assert not any(session.report(report) for report in [last, *first])
    assert fake.content(session.table) == told
    assert [event.kind for event in session.journal.events].count("rung") == 4


def test_an_earlier_attempt_is_ignored(fake: Any, session: Session) -> None:
    request = session.ask()
    assert request is not None
    ghost = fake.Training(request)
    assert session.report(ghost.report())
    session.lost(0, "its node died")
    told = fake.content(session.table)
    assert not session.report(ghost.report())
    again = session.ask()
    assert again is not None
    assert (again.number, again.from_rung) == (0, 1)
    assert again.attempt != request.attempt
    assert not session.report(fake.Training(replace(again, attempt=request.attempt)).report())
    assert fake.content(session.table) == told
    assert session.report(fake.Training(again).report())


def test_an_earlier_driver_is_ignored(fake: Any, tmp_path: Path) -> None:
    with fake.session_on(tmp_path / "run") as session:
        request = session.ask()
        assert request is not None
        ghost = fake.Training(request)
        assert session.report(ghost.report())
    with fake.session_on(tmp_path / "run") as session:
        again = session.ask()
        assert again is not None
        assert (again.number, again.from_rung, again.config) == (0, 1, request.config)
        assert again.compute == request.levels[0]
        assert not session.report(ghost.report())
        assert len(session.table.trials[0].rungs) == 1


def test_the_third_loss_ends_a_trial(fake: Any, session: Session) -> None:
    for _ in range(3):
        request = session.ask()
        assert request is not None
        assert request.number == 0
        Path(request.folder).mkdir(parents=True, exist_ok=True)
        session.lost(0, "out of memory")
    trial = session.table.trials[0]
    assert trial.status == "failed"
    assert trial.reason is not None
    assert "out of memory" in trial.reason
    assert not Path(request.folder).exists()
    following = session.ask()
    assert following is not None
    assert following.number == 1


def test_a_loss_that_is_told_twice_is_one(fake: Any, session: Session) -> None:
    assert session.ask() is not None
    session.lost(0, "gone")
    session.lost(0, "gone")
    requests = [session.ask(), session.ask()]
    assert [request.number for request in requests if request is not None] == [0, 1]
    assert session.table.trials[0].lost == 1


def test_an_interrupted_trial_is_asked_for_again(fake: Any, session: Session) -> None:
    request = session.ask()
    assert request is not None
    report = RungReport(0, request.attempt, 0, "interrupted", 0.5, 1.0)
    assert not session.report(report)
    assert not session.report(report)
    requests = [session.ask(), session.ask()]
    assert [each.number for each in requests if each is not None] == [0, 1]


def test_a_session_that_is_stopped_begins_nothing_more(fake: Any, session: Session) -> None:
    request = session.ask()
    assert request is not None
    session.stopping = True
    assert session.ask() is None
    assert not session.finished
    session.report(RungReport(0, request.attempt, 0, "interrupted", 0.5, 1.0))
    assert session.finished
    assert not session.complete


def test_with_nothing_left_to_choose_every_arm_is_tried_once(fake: Any, tmp_path: Path) -> None:
    bare = fake.SPACE.with_defaults(lambda path: path != ("algorithm",))
    with fake.session_on(tmp_path / "run", space=bare) as session:
        fake.work(session)
        searched = session.table.of_stage("search")
        assert sorted(trial.arm for trial in searched) == ["plain", "self_paced", "superloss"]
        assert len(searched) < session.table.budget
        assert session.complete


def test_only_the_verdicts_trials_see_all_data(fake: Any, session: Session) -> None:
    seen: dict[str, set[bool]] = {}
    while (request := session.ask()) is not None:
        stage = session.table.trials[request.number].stage
        seen.setdefault(stage, set()).add(request.searching)
        training = fake.Training(request)
        while session.report(training.report()):
            pass
    assert seen == {"search": {True}, "confirm": {True}, "verdict": {False}}


def test_with_fewer_trials_than_arms_it_is_known_who_is_left_out(
    fake: Any, tmp_path: Path
) -> None:
    spec = replace(fake.SPEC, trials=2)
    with fake.session_on(tmp_path / "run", spec) as session:
        (missed,) = session.left_out()
        assert missed in ("superloss", "self_paced")
        fake.work(session)
        assert missed not in session.table.arms
        assert "plain" in session.table.arms
        (said,) = _never_tried(session)
        assert said == f"1 of 3 algorithms had no trial, and nothing is said about them: {missed}."
    with fake.session_on(tmp_path / "run", spec, trials=6) as session:
        assert session.left_out() == []
        fake.work(session)
        assert missed in session.table.arms
        assert _never_tried(session) == []

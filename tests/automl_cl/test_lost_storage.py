"""What happens when the place of a run goes away or is full while a search runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automl_cl.engine import disk_room
from automl_cl.engine.session import Session
from automl_cl.run.journal import Journal, read_events
from automl_cl.spec.search_spec import SearchSpec
from trainables.trials.trial_run import RungReport

from .conftest import NARROW, search_here
from .happened import happened


@pytest.fixture
def spec(write_npz: Callable[..., Path]) -> SearchSpec:
    return SearchSpec("curriculum", str(write_npz()), space=NARROW, trials=7)


def failed(session: Session) -> RungReport:
    request = session.ask()
    assert request is not None
    return RungReport(
        request.number, request.attempt, 0, "failed", 0.0, 0.1, reason="RuntimeError: writing"
    )


def test_a_trial_that_failed_on_a_full_disk_is_not_taken_down(
    spec: SearchSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(disk_usage=lambda path: SimpleNamespace(free=1000))

    def train(session: Session, *others: Any) -> None:
        report = failed(session)
        monkeypatch.setattr(disk_room, "shutil", full)
        session.report(report)

    with pytest.raises(OSError, match=r"make room \(then go on with: automl-cl resume") as raised:
        search_here(spec, tmp_path / "run", train)
    assert raised.value.filename == str(tmp_path / "run")
    kinds = [event.kind for event in read_events(tmp_path / "run" / "journal.jsonl")]
    assert kinds[-1] == "ask" and "end" not in kinds, "it is asked again when the run is resumed"


def test_a_trial_that_failed_for_another_reason_is(spec: SearchSpec, tmp_path: Path) -> None:
    run = search_here(spec, tmp_path / "run", lambda session, *_: session.report(failed(session)))
    last = read_events(run / "journal.jsonl")[-1]
    assert (last.kind, last.status) == ("end", "failed")


def test_a_journal_that_was_deleted_takes_nothing_more(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.jsonl") as journal:
        journal.append(happened("search"))
        (tmp_path / "journal.jsonl").unlink()
        with pytest.raises(FileNotFoundError, match="deleted while in use") as raised:
            journal.append(happened("start"))
    assert raised.value.filename == str(tmp_path / "journal.jsonl")


@pytest.mark.parametrize("told", ["report", "lost", "ask"])
def test_an_error_ends_the_session_and_is_not_raised_inside_of_tune(
    spec: SearchSpec, tmp_path: Path, told: str
) -> None:
    from automl_cl.engine.lost_trials import Losses
    from automl_cl.engine.tune_adapters import SessionScheduler, SessionSearcher

    def train(session: Session, *others: Any) -> None:
        losses = Losses(session, left=lambda request: None)
        searcher = SessionSearcher(session, losses, lambda: 2)
        scheduler = SessionScheduler(session, losses)
        given = searcher.suggest("a")
        assert isinstance(given, dict)
        request = json.loads(given["request"])
        shutil.rmtree(tmp_path / "run")
        if told == "report":
            report = RungReport(request["number"], request["attempt"], 0, "diverged", 0.0, 0.1)
            answer = scheduler.on_trial_result(None, None, {"report": json.dumps(asdict(report))})  # type: ignore[arg-type]
            assert answer == "STOP"
        elif told == "lost":
            trial = SimpleNamespace(config=given, pickled_error_file=None)
            scheduler.on_trial_error(None, trial)  # type: ignore[arg-type]
            searcher.on_trial_complete("a", error=True)
        assert searcher.suggest("b") == "FINISHED" or told == "ask"
        assert isinstance(session.error, FileNotFoundError)
        raise session.error

    with pytest.raises(FileNotFoundError):
        search_here(spec, tmp_path / "run", train)
    assert not (tmp_path / "run").exists(), "nothing is written there again"

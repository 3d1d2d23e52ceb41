"""A search that ends before its budget: what there is goes on to the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from automl_cl.engine import driver
from automl_cl.engine.driver import replayed
from automl_cl.engine.session import Session
from automl_cl.run.journal import read_events
from automl_cl.spec.preparation import Prepared
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError
from trainables.learning.tensors import TensorView
from trainables.trials.trial_run import RungReport, TrialRun

from .conftest import CPU, NARROW, search_here, train_here

WriteNpz = Callable[..., Path]


def interrupted_after(reports: int, verdict_now: bool) -> Callable[..., None]:
    """Trains like `train_here`, with an interruption after so many reports."""

    def train(session: Session, prepared: Prepared, slots: int) -> None:
        data, count = TensorView.of(prepared.view, CPU), 0
        session.verdict_now = verdict_now
        while (request := session.ask()) is not None:
            stop_file = session.folder.stop_file
            trial = TrialRun(request, data, CPU, stop_file.exists)
            goes_on = True
            while goes_on:
                goes_on = session.report(trial.next_rung())
                count += 1
                if count == reports:
                    session.interrupt()

    return train


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in a trial actor; many threads on tiny tensors only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def spec(write_npz: WriteNpz) -> SearchSpec:
    return SearchSpec(
        "curriculum", str(write_npz()), space=NARROW, trials=12, max_epochs=2.0, seeds=3
    )


def resumed(run: Path, **more: Any) -> driver.SearchResult:
    with pytest.MonkeyPatch.context() as patch:
        from contextlib import nullcontext

        from automl_cl.engine import execution

        from .conftest import score_here

        patch.setattr(driver, "connect", lambda *args, **kwargs: nullcontext())
        patch.setattr(driver, "concurrency", lambda trial: 1)
        patch.setattr(driver, "watched_head", lambda *args: nullcontext())
        patch.setattr(driver, "train", train_here)
        patch.setattr(execution, "_scored", score_here)
        return driver.resume(run, **more)


def searched(run: Path) -> list[str]:
    table = replayed(read_events(run / "journal.jsonl"))
    return [trial.status for trial in table.of_stage("search")]


def test_an_interruption_ends_the_search_and_the_verdict_follows(
    spec: SearchSpec, tmp_path: Path
) -> None:
    run = search_here(spec, tmp_path / "run", interrupted_after(8, verdict_now=True))
    verdict = json.loads((run / "verdict.json").read_text())
    statuses = searched(run)
    assert len(statuses) < 12
    done = statuses.count("done")
    said = (
        f"The user ended the search after {len(statuses)} of 12 trials, {done} of them finished."
    )
    assert said in verdict["notes"]
    assert (run / "tuned.yaml").exists()
    assert not (run / ".stop").exists()


def test_without_it_an_interruption_stops(spec: SearchSpec, tmp_path: Path) -> None:
    run = search_here(spec, tmp_path / "run", interrupted_after(8, verdict_now=False))
    assert not (run / "verdict.json").exists()
    assert not any(event.kind == "close" for event in read_events(run / "journal.jsonl"))


def test_a_stopped_search_is_ended_when_it_is_resumed(spec: SearchSpec, tmp_path: Path) -> None:
    run = search_here(spec, tmp_path / "run", interrupted_after(8, verdict_now=False))
    before = len(searched(run))
    result = resumed(run, verdict_now=True)
    assert result.verdict is not None
    assert len(searched(run)) == before
    assert "running" not in searched(run)


def test_after_a_kill_the_decision_stands(spec: SearchSpec, tmp_path: Path) -> None:
    run = search_here(spec, tmp_path / "run", interrupted_after(8, verdict_now=True))
    whole = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    close = next(i for i, line in enumerate(whole) if b'"close"' in line)
    searched_then = sum(b'"stage": "search"' in line for line in whole[:close])
    (run / "journal.jsonl").write_bytes(b"".join(whole[: close + 1]))
    assert resumed(run).verdict is not None
    assert len(searched(run)) == searched_then


def test_an_ended_search_can_be_extended(spec: SearchSpec, tmp_path: Path) -> None:
    run = search_here(spec, tmp_path / "run", interrupted_after(8, verdict_now=True))
    result = resumed(run, trials=12)
    assert len(searched(run)) == 12
    assert result.verdict is not None
    assert not any("ended the search" in note for note in result.verdict["notes"])


def test_too_little_for_a_verdict_stops_and_says_what_is_lacking(
    spec: SearchSpec, tmp_path: Path
) -> None:
    run = search_here(spec, tmp_path / "run", interrupted_after(1, verdict_now=True))
    assert not any(event.kind == "close" for event in read_events(run / "journal.jsonl"))
    before = (run / "journal.jsonl").read_bytes()
    with pytest.raises(InputError, match="no trial of the baseline 'plain' has finished"):
        resumed(run, verdict_now=True)
    assert (run / "journal.jsonl").read_bytes() == before


def test_what_comes_in_after_the_end_of_the_search(spec: SearchSpec, tmp_path: Path) -> None:
    """Two trials are under way at the end: one is broken off, the other was just done."""
    outcome: dict[str, Any] = {}

    def train(session: Session, prepared: Prepared, slots: int) -> None:
        data = TensorView.of(prepared.view, CPU)

        def finish(request: Any) -> None:
            trial = TrialRun(request, data, CPU)
            while session.report(trial.next_rung()):
                pass

        for _ in range(4):
            request = session.ask()
            assert request is not None
            finish(request)
        first, second = session.ask(), session.ask()
        assert first is not None and second is not None
        session.verdict_now = True
        session.interrupt()
        assert session.ask() is None, "the trials under way are waited for"
        session.report(
            RungReport(first.number, first.attempt, 0, "interrupted", compute=0.4, seconds=0.1)
        )
        assert session.ask() is None
        finish(second)
        outcome["table"] = session.table
        outcome["trials"] = [session.table.trials[each.number] for each in (first, second)]
        request = session.ask()
        assert request is not None
        assert session.table.trials[request.number].stage == "confirm"

    search_here(spec, tmp_path / "run", train)
    broken, done = outcome["trials"]
    assert (broken.status, broken.compute) == ("stopped", 0.4)
    assert broken.reason == "the user ended the search"
    assert done.status in ("done", "stopped")
    assert outcome["table"].budget == 6

"""Trials that were refused memory: once more from their last rung in parts, then given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl_cl.engine.session import Session
from automl_cl.run import events
from automl_cl.run.journal import read_events
from automl_cl.run.trial import Trial
from automl_cl.strategy.retries import PARTS
from search_spaces import Config, Space, narrowed
from trainables.learning.memory import OutOfMemory
from trainables.parts.sections.computing import Computing
from trainables.scenarios.scenario import load_scenario
from trainables.trials.trial_run import RungReport, TrialRequest

LARGE = 100


def refused(request: TrialRequest, rung: int) -> RungReport:
    """The report of a trial that was refused a gigabyte."""
    size = request.config["training"]["batch_size"]
    parts = Computing.of(request.config).micro_batches
    whole = load_scenario("curriculum").indivisible(request.config)
    error = OutOfMemory(5 * 2**20, 2**30, size, parts, whole)
    return replace(RungReport.of_error(request, error), rung=rung)


def fits(config: Config, most: int) -> bool:
    return config["training"]["batch_size"] / Computing.of(config).micro_batches <= most


def work(
    fake: Any, session: Session, most: int, from_rung: int = 0, verdict_only: bool = False
) -> list[TrialRequest]:
    """Trials hold `most` examples at once; what does not fit is refused at a rung."""
    asked = []
    while (request := session.ask()) is not None:
        asked.append(request)
        training = fake.Training(request, fake.worth)
        while True:
            counts = training.rung >= from_rung and request.keep_weights >= verdict_only
            if counts and not fits(request.config, most):
                report = refused(request, training.rung)
                training._file("inside", training.rung)
            else:
                report = training.report()
            if not session.report(report):
                break
    return asked


@contextmanager
def session_with(fake: Any, path: Path, batch: int, space: Space | None = None) -> Iterator[Any]:
    cut = narrowed(space or fake.SPACE, {"training.batch_size": batch})
    with fake.session_on(path, replace(fake.SPEC, trials=12), space=cut) as session:
        yield session


def large(session: Session) -> list[Trial]:
    """All that got so far as to be refused."""
    return [trial for trial in session.table.trials if trial.out_of_memory]


def test_a_trial_without_memory_begins_again_once_in_parts(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        asked = work(fake, session, LARGE)
        assert session.complete
        trials = large(session)
        assert trials
        for trial in trials:
            assert Computing.of(trial.config) == Computing(micro_batches=PARTS)
            assert trial.out_of_memory == 1
            assert trial.memory == 5 * 2**20
            assert trial.status in ("done", "stopped", "failed", "diverged")
            mine = [each for each in asked if each.number == trial.number]
            assert [Computing.of(each.config).micro_batches for each in mine][:2] == [1, PARTS]
    happened = read_events(tmp_path / "run/journal.jsonl")
    (told, *_) = [each for each in happened if isinstance(each, events.OutOfMemory)]
    assert (told.memory, told.asked, told.batch_size) == (5 * 2**20, 2**30, 512)
    assert told.reason is not None and "out of memory" in told.reason
    assert fake.content(fake.table_at(tmp_path / "run")) == fake.content(session.table)


def test_repeats_of_a_divided_trial_are_divided_from_the_start(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        work(fake, session, LARGE)
        repeats = session.table.of_stage("verdict")
        assert repeats
        for trial in repeats:
            assert Computing.of(trial.config).micro_batches == PARTS
            assert trial.out_of_memory == 0


def test_verdict_trainings_begin_again_as_well(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        work(fake, session, LARGE, verdict_only=True)
        assert session.complete
        assert {trial.stage for trial in large(session)} == {"verdict"}
        for trial in session.table.of_stage("verdict"):
            assert (trial.status, trial.out_of_memory) == ("done", 1)
            assert trial.weights is not None


def test_it_goes_on_from_its_last_rung_whatever_it_saved_since(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        asked = work(fake, session, LARGE, from_rung=1)
        again = [r for r in asked if Computing.of(r.config).micro_batches > 1 and r.from_rung]
        assert again
        first = next(r for r in again if len(r.levels) > 1)
        assert first.from_rung == 1
        assert first.checkpoint is not None
        assert not list(Path(first.folder).glob("*-inside-1.pt"))


def test_a_driver_killed_after_the_refusal_asks_for_the_same(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        request = session.ask()
        assert not session.report(refused(request, 0))
    with session_with(fake, tmp_path / "run", 512) as session:
        again = session.ask()
        assert again.number == request.number
        assert Computing.of(again.config).micro_batches == PARTS
        rest = {k: v for k, v in again.config.items() if k != "computing"}
        assert rest == request.config


def test_refused_twice_it_is_infeasible_with_the_reason(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        request = session.ask()
        assert not session.report(refused(request, 0))
        again = session.ask()
        assert again.number == request.number
        assert not session.report(refused(again, 0))
        trial = session.table.trials[request.number]
        assert trial.status == "infeasible"
        assert trial.out_of_memory == 2
        for words in ("512 in 8 parts", "5,242,880", "1,073,741,824", "second time"):
            assert words in trial.reason
        nxt = session.ask()
        assert nxt.number != trial.number


@pytest.mark.parametrize(("algorithm", "batch", "why"), [("dds", 512, "torch.func")])
def test_what_cannot_be_divided_is_infeasible_at_once(
    fake: Any, tmp_path: Path, algorithm: str, batch: int, why: str
) -> None:
    whole = Space.of(load_scenario("curriculum").recipe)
    space = narrowed(whole, {"model": "mlp", "algorithm": ["plain", algorithm]})
    with session_with(fake, tmp_path / "run", batch, space) as session:
        while (request := session.ask()).config["algorithm"]["name"] != algorithm:
            pass
        assert not session.report(refused(request, 0))
        trial = session.table.trials[request.number]
        assert trial.status == "infeasible"
        assert why in trial.reason
        assert Computing.of(trial.config).micro_batches == 1


def test_one_that_was_given_up_meanwhile_stays_so(fake: Any, tmp_path: Path) -> None:
    with session_with(fake, tmp_path / "run", 512) as session:
        request = session.ask()
        session.close_search()
        assert not session.report(refused(request, 0))
        assert session.table.trials[request.number].status == "stopped"
        assert session.table.trials[request.number].out_of_memory == 0

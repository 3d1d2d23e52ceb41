"""Trainings for the verdict that come to nothing, with each role; everything but Ray is real."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from automl_cl.engine import driver
from automl_cl.engine.session import Session
from automl_cl.results.report.findings import gather
from automl_cl.run.events import Plan
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.run.trial import VERDICT
from automl_cl.run.trial_table import replayed
from automl_cl.spec.preparation import Prepared
from automl_cl.strategy.stages import VerdictImpossible
from automl_cl.verdict.judge import words
from trainables.learning.tensors import TensorView
from trainables.trials.trial_run import RungReport, TrialRequest, TrialRun

from .conftest import CPU, without_ray

REASON = "the loss was no longer a finite number"
Doomed = Callable[[TrialRequest, int], bool]


def training(doomed: Doomed, status: str = "diverged") -> Callable[..., None]:
    """Trains in this process; a doomed training for the verdict ends with a status instead."""

    def train(session: Session, prepared: Prepared, slots: int) -> None:
        data = TensorView.of(prepared.view, CPU)
        while (request := session.ask()) is not None:
            source = session.table.trials[request.number].source
            if request.keep_weights and source is not None and doomed(request, source):
                session.report(RungReport.without_work(request, status, REASON))
                continue
            trial = TrialRun(request, data, CPU)
            while session.report(trial.next_rung()):
                pass
        if session.error is not None:
            raise session.error

    return train


@pytest.fixture
def confirmed_run(run_folder: Path) -> Path:
    """A copy of the finished run, from before its plan was made."""
    lines = (run_folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"event": "plan"' in line)
    (run_folder / "journal.jsonl").write_bytes(b"".join(lines[:at]))
    for name in ("verdict.json", "tuned.yaml", "report.html", "trials.parquet"):
        (run_folder / name).unlink()
    return run_folder


@pytest.fixture
def first_plan(finished_run: Path) -> Plan:
    """The plan of the finished run, which the confirmed one begins with."""
    (plan,) = (e for e in read_events(finished_run / "journal.jsonl") if isinstance(e, Plan))
    return plan


def conclude(run: Path, doomed: Doomed, status: str = "diverged") -> dict[str, Any]:
    """The verdict of a resumed run."""
    with without_ray(training(doomed, status)):
        verdict = driver.resume(run).verdict
    assert verdict is not None
    assert verdict == json.loads((run / "verdict.json").read_text())
    assert (run / "tuned.yaml").exists()
    return verdict


@pytest.mark.parametrize("status", ["diverged", "failed", "infeasible"])
def test_a_broken_secondary_is_left_out_and_costs_nothing_else(
    confirmed_run: Path, finished_run: Path, first_plan: Plan, status: str
) -> None:
    (secondary,) = first_plan.secondaries
    last = first_plan.seeds[-1]
    verdict = conclude(
        confirmed_run, lambda r, source: (source, r.seed) == (secondary, last), status
    )
    before = json.loads((finished_run / "verdict.json").read_text())
    assert verdict["secondaries"] == []
    for key in ("baseline", "challenger", "recommended", "reason", "openings", "level"):
        assert verdict[key] == before[key]
    (left_out,) = verdict["left_out"]
    assert (left_out["role"], left_out["trial"]) == ("secondary", secondary)
    (said,) = (line for line in words(verdict) if "is left out" in line)
    ended = "were infeasible" if status == "infeasible" else status
    name = left_out["algorithm"]
    assert f"1 of 3 verdict trainings of {name} {ended}: {REASON}" in said
    events = read_events(confirmed_run / "journal.jsonl")
    assert [e.kind for e in events].count("plan") == 1
    assert said in (confirmed_run / "report.html").read_text()


@pytest.mark.parametrize("role", ["challenger", "baseline"])
def test_the_next_best_takes_a_broken_ones_place_before_the_test_is_opened(
    confirmed_run: Path, first_plan: Plan, role: str
) -> None:
    number, seed = getattr(first_plan, role), first_plan.seeds[1]
    verdict = conclude(confirmed_run, lambda r, source: (source, r.seed) == (number, seed))
    assert verdict[role]["trial"] != number
    assert len(verdict[role]["values"]) == 3
    assert (verdict["openings"], verdict["exploratory"]) == (1, False)
    assert verdict["seeds"] == first_plan.seeds
    events = read_events(confirmed_run / "journal.jsonl")
    kinds = [event.kind for event in events]
    assert kinds.count("plan") == 2 and kinds.count("open_test") == 1
    assert kinds.index("open_test") > max(i for i, k in enumerate(kinds) if k in ("plan", "ask"))
    (said,) = (line for line in words(verdict) if "was to be the" in line)
    assert f"was to be the {role}" in said and REASON in said
    instead = verdict[role]
    assert f"{instead['algorithm']} (trial {instead['trial']}) took its place" in said
    # The same again: nothing is trained or opened.
    conclude(confirmed_run, lambda r, source: True)
    again = [event.kind for event in read_events(confirmed_run / "journal.jsonl")]
    assert [kind for kind in again if kind != "start"] == [k for k in kinds if k != "start"]


def test_a_broken_one_asks_for_no_more_of_its_trainings(
    confirmed_run: Path, first_plan: Plan
) -> None:
    number = first_plan.challenger
    conclude(confirmed_run, lambda r, source: source == number)
    table = replayed(read_events(confirmed_run / "journal.jsonl"))
    assert len([t for t in table.of_stage(VERDICT) if t.source == number]) == 1


def test_a_broken_secondary_asks_for_no_more_of_its_trainings(
    confirmed_run: Path, first_plan: Plan
) -> None:
    (number,) = first_plan.secondaries
    verdict = conclude(confirmed_run, lambda r, source: source == number)
    (left_out,) = verdict["left_out"]
    assert "1 of 1 verdict trainings" in left_out["reason"]


def test_with_no_challenger_left_the_baseline_stands(
    confirmed_run: Path, first_plan: Plan
) -> None:
    verdict = conclude(confirmed_run, lambda r, source: source != first_plan.baseline)
    assert (verdict["challenger"], verdict["secondaries"]) == (None, [])
    assert verdict["recommended"] == "baseline"
    assert (
        "No other algorithm came through confirmation and the trainings for" in verdict["reason"]
    )
    said = [line for line in words(verdict) if "is left out" in line]
    assert said and all(REASON in line for line in said)


def test_with_no_baseline_left_it_is_said_what_became_of_it_and_the_test_stays_sealed(
    confirmed_run: Path,
) -> None:
    with without_ray(training(lambda r, source: True)), pytest.raises(VerdictImpossible) as told:
        driver.resume(confirmed_run)
    assert "verdict trainings of plain diverged: " + REASON in str(told.value)
    events = read_events(confirmed_run / "journal.jsonl")
    assert "open_test" not in [event.kind for event in events]
    assert not (confirmed_run / "verdict.json").exists()
    assert (confirmed_run / "trials.parquet").exists()
    found = gather(RunFolder(confirmed_run), events)
    assert "verdict trainings of plain diverged" in str(found.state)


def test_a_driver_that_dies_with_a_broken_challenger_plans_alike_when_it_comes_back(
    confirmed_run: Path, first_plan: Plan
) -> None:
    def doomed(request: TrialRequest, source: int) -> bool:
        return source == first_plan.challenger

    def die(session: Session, prepared: Prepared, slots: int) -> None:
        trained: dict[str, int] = {"left": 2}

        def once(request: TrialRequest, source: int) -> bool:
            trained["left"] -= 1
            session.stopping = trained["left"] <= 0
            return doomed(request, source)

        training(once)(session, prepared, slots)

    with without_ray(die), suppress(VerdictImpossible):
        assert driver.resume(confirmed_run).verdict is None
    verdict = conclude(confirmed_run, doomed)
    assert verdict["challenger"]["trial"] != first_plan.challenger
    assert math.isfinite(verdict["challenger"]["p_value"])

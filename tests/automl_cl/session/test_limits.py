"""Trials that cost more than they may, trade-offs that are sought, and budgets made longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl_cl.engine.session import Session
from automl_cl.strategy import stages
from trainables.trials.trial_run import RungReport, TrialRequest

from ..happened import happened


def work_within(fake: Any, session: Session) -> None:
    """Wide batches take more memory than they may; the session is told of it."""
    while (request := session.ask()) is not None:
        training = fake.Training(request, fake.worth)
        while session.report(limited(request, training.report())):
            pass


def limited(request: TrialRequest, report: RungReport) -> RungReport:
    report.memory = 1000 * request.config["training"]["batch_size"]
    report.model_size = 7
    if report.status in ("running", "done") and report.memory > (request.max_memory or 10**9):
        report.status, report.reason, report.metrics = "infeasible", f"{report.memory} bytes", {}
    return report


def test_what_is_infeasible_is_told_with_its_number_and_never_put_to_the_test(
    fake: Any, tmp_path: Path
) -> None:
    spec = replace(fake.SPEC, trials=40, max_memory=100_000)
    with fake.session_on(tmp_path / "run", spec) as session:
        work_within(fake, session)
        table = session.table
        assert session.complete
    searched = table.of_stage("search")
    beyond = [t for t in searched if t.config["training"]["batch_size"] > 100]
    assert beyond
    for trial in beyond:
        assert trial.status in ("infeasible", "failed"), trial
        if trial.status == "infeasible":
            assert trial.memory == 1000 * trial.config["training"]["batch_size"]
            assert trial.reason == f"{trial.memory} bytes"
            assert trial.value is None
    assert not any(t.status == "infeasible" for t in searched if t not in beyond)
    assert not {t.number for t in beyond} & {t.source for t in table.trials}
    within = [t for t in searched if t.status == "done"]
    assert all((t.memory, t.model_size) != (None, None) for t in within)
    assert fake.content(fake.table_at(tmp_path / "run")) == fake.content(table)


def test_the_search_learns_what_is_infeasible(fake: Any, tmp_path: Path) -> None:
    def share(limit: int | None) -> float:
        """Of the model's proposals, how many take more than 100 kB."""
        spec = replace(fake.SPEC, trials=120, max_memory=limit, scheduler="none")
        with fake.session_on(tmp_path / str(limit), spec) as session:
            work_within(fake, session)
            found = [t for t in session.table.of_stage("search") if t.origin == "model"]
        return sum(t.config["training"]["batch_size"] > 100 for t in found) / len(found)

    assert share(100_000) < 0.6 * share(None)


def test_a_verdict_training_has_no_limits(fake: Any, tmp_path: Path) -> None:
    spec = replace(fake.SPEC, max_memory=10**8, max_compute=9.5, objectives=())
    limits = {}
    with fake.session_on(tmp_path / "run", spec) as session:
        while (request := session.ask()) is not None:
            stage = session.table.trials[request.number].stage
            limits.setdefault(stage, set()).add((request.max_compute, request.max_memory))
            training = fake.Training(request, fake.worth)
            while session.report(training.report()):
                pass
    kept = {(9.5, 10**8)}
    assert limits == {"search": kept, "confirm": kept, "verdict": {(None, None)}}


def test_every_other_model_proposal_is_for_a_trade_off(fake: Any, tmp_path: Path) -> None:
    compute = {}
    for name in ("plain", "trade-offs"):
        wanted = ("compute",) if name == "trade-offs" else ()
        spec = replace(fake.SPEC, trials=100, objectives=wanted, scheduler="none")
        with fake.session_on(tmp_path / name, spec) as session:
            fake.work(session)
            table = session.table
        searched = table.of_stage("search")
        origins = [t.origin for t in searched]
        assert ("trade-off" in origins) == bool(wanted)
        mine = [t.horizon for t in searched if t.origin in ("model", "trade-off")]
        compute[name] = sum(mine) / len(mine)
        if wanted:
            assert origins.count("trade-off") == pytest.approx(origins.count("model"), rel=0.5)
            # The verdict is about the metric: its candidates are the best three by that alone.
            assert {t.source for t in table.of_stage("confirm")} == {
                t.number for t in stages.finalists(table.trials, "max")
            }
    assert compute["trade-offs"] < compute["plain"]


def test_the_same_trade_offs_are_sought_across_a_resumption(fake: Any, tmp_path: Path) -> None:
    spec = replace(fake.SPEC, trials=40, objectives=("compute", "loss"))
    tables = []
    for cut in (None, 25):
        path = tmp_path / str(cut)
        with fake.session_on(path, spec) as session:
            while len(session.table.trials) < (cut or 10**9):
                if (request := session.ask()) is None:
                    break
                training = fake.Training(request, fake.worth)
                while session.report(training.report()):
                    pass
        with fake.session_on(path, spec) as session:
            fake.work(session)
            tables.append(fake.content(session.table))
    assert tables[0] == tables[1]


@pytest.fixture
def spent(fake: Any, tmp_path: Path) -> Callable[..., Session]:
    spec = replace(fake.SPEC, trials=500, total_compute=60.0)

    def run(**more: float) -> Any:
        path = tmp_path / "run"
        if more:
            with fake.session_on(path, spec) as session:
                session.write(happened("extend", **more))
        with fake.session_on(path, spec) as session:
            fake.work(session)
            return session.table

    return run


def test_a_search_that_has_spent_its_compute_can_be_given_more(spent: Any) -> None:
    table = spent()
    before = sum(trial.compute for trial in table.of_stage("search"))
    count = len(table.of_stage("search"))
    assert 60 < before < 80
    table = spent(total_compute=120.0)
    after = sum(trial.compute for trial in table.of_stage("search"))
    assert 120 < after < 140
    assert len(table.of_stage("search")) > count
    assert len(table.plans) == 2
    assert table.plans[-1].budget == table.budget == 500

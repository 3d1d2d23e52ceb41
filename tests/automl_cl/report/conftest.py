"""Runs written through the real journal and session, without training anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution

from automl_cl.engine.session import Session
from automl_cl.run import journal_file
from automl_cl.run.events import Ask, Decision, Rung, Verdict
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal
from automl_cl.run.problem_event import problem_of
from automl_cl.run.trial import SEARCH
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.stages import contestants
from automl_cl.verdict.judge import judge
from search_spaces import coordinates, decode
from trainables.trials.trial_run import RungReport

from ..happened import happened

WriteRun = Callable[..., Path]
ITEMS = 40


class Writer:
    """Writes a run as if its trials had been trained.

    Args:
        session: on the run's journal.
        prepared: what is searched.
        seed: decides configs, values and fates.
    """

    def __init__(self, session: Session, prepared: Prepared, seed: int = 0) -> None:
        self.session, self.prepared, self.random = session, prepared, Random(seed)
        self.sign = 1.0 if prepared.scenario.mode == "max" else -1.0

    def search(self, reason: str = "boom") -> None:
        """All search trials; every thirtieth fails, and of every third some are stopped."""
        for number in range(self.prepared.spec.trials):
            self._ask(number)
            self._train(number, reason)

    def conclude(self) -> None:
        """Confirmation, the verdict's trainings, and the verdict on invented scores."""
        session, scenario = self.session, self.prepared.scenario
        while (request := session.ask()) is not None:
            level, value = request.levels[-1], self._value(request.config, request.levels[-1], 1)
            report = RungReport(request.number, request.attempt, 0, "done", level, 1.5)
            report.metrics, report.weights = {scenario.metric: value}, "weights.pt"
            session.report(report)
        plan = session.table.plan
        assert plan is not None
        session.record_opening(self.prepared.view.fingerprint)
        shape, rng = (len(plan.seeds), ITEMS), np.random.default_rng(0)
        scores = {
            number: rng.normal(1.0 + self.sign * 0.1 * place, 0.05, shape)
            for place, number in enumerate(contestants(plan))
        }
        verdict = judge(plan, scores, session.table, scenario)
        verdict["notes"] = scenario.notes(self.prepared.view, self.prepared.model)
        session.write(Verdict(plan=plan, verdict=verdict))

    def _ask(self, number: int) -> None:
        arms = list(self.session.arms)
        arm = arms[number] if number < len(arms) else self.random.choice(arms)
        point = {name: self._draw(r) for name, r in coordinates(self.session.arms[arm]).items()}
        config = decode(self.session.arms[arm], point)
        cap = self.prepared.spec.max_epochs
        levels = self.session.strategy.scheduler.levels(config["training"]["epochs"], cap, number)
        self.session.write(
            Ask(
                number=number,
                stage=SEARCH,
                arm=arm,
                config=config,
                point=point,
                origin="random",
                source=None,
                seed=number,
                levels=levels,
                uncompared=number % 3 == 0,
            )
        )

    def _train(self, number: int, reason: str) -> None:
        trial = self.session.table.trials[number]
        for rung, level in enumerate(trial.levels):
            if number % 30 == 17:
                self.session.write(happened("end", number=number, reason=reason, compute=0.1))
                return
            value = self._value(trial.config, level, number)
            last = rung == len(trial.levels) - 1
            stopped = not last and not trial.uncompared and self.random.random() < 0.3
            self.session.write(
                Rung(
                    number=number,
                    rung=rung,
                    level=level,
                    value=value,
                    metrics={self.prepared.scenario.metric: value},
                    compute=1.1 * level,
                    seconds=1.5,
                    checkpoint=None,
                    weights=None,
                    decision=Decision("done" if last else "stopped" if stopped else "continue"),
                )
            )
            if stopped:
                return

    def _value(self, config: dict[str, Any], level: float, number: int) -> float:
        off = math.log10(config["optimizer"]["lr"] / 3e-3) ** 2
        luck = self.random.gauss(0.0, 0.03)
        worth = 0.9 - 0.1 * off - 0.3 / (1.0 + level) + luck
        if self.sign > 0:
            return min(1.0, max(0.0, worth))
        # Errors blow up now and then, among them one of a trial that is not stopped.
        return 1e6 if number % 40 == 6 else 1.5 - worth

    def _draw(self, allowed: Any) -> Any:
        if isinstance(allowed, CategoricalDistribution):
            return self.random.choice(allowed.choices)
        if isinstance(allowed, IntDistribution):
            return self.random.randint(allowed.low, allowed.high)
        low, high = allowed.low, allowed.high
        if allowed.log:
            return min(high, max(low, low * (high / low) ** self.random.random()))
        return self.random.uniform(low, high)


def write_run_at(
    path: Path, spec: SearchSpec, until: str = "verdict", reason: str = "boom"
) -> Path:
    """Writes a run: `until` is `begun`, `search` or `verdict`."""
    prepared = prepare(spec)
    folder = RunFolder.create(path, "run")
    spec.write(folder.spec)
    with Journal.create(folder.journal) as journal:
        versions = {"automl-cl": "0.1.0", "torch": "2.13.0"}
        fingerprint = prepared.view.fingerprint
        journal.append(
            happened("search", spec=spec.to_dict(), data=fingerprint, versions=versions)
        )
        session = Session(spec, folder, journal, prepared.scenario, prepared.space)
        about = prepared.scenario, prepared.view, prepared.space, prepared.model
        session.write(problem_of(*about))
        writer = Writer(session, prepared)
        if until != "begun":
            writer.search(reason)
        if until == "verdict":
            writer.conclude()
    return folder.path


@pytest.fixture(scope="session")
def big_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 2,000 trials, with its verdict."""
    spec = SearchSpec("curriculum", "digits", trials=2000, max_epochs=30.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_file.os, "fsync", lambda descriptor: None)
        return write_run_at(tmp_path_factory.mktemp("big") / "run", spec)


@pytest.fixture
def write_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteRun:
    """Writes a run into the test's folder; settings of the spec by keyword."""

    # Nothing here has to outlive a power cut, and thousands of events take minutes to sync.
    monkeypatch.setattr(journal_file.os, "fsync", lambda descriptor: None)

    def write(
        scenario: str = "curriculum",
        data: str = "digits",
        until: str = "verdict",
        reason: str = "boom",
        **settings: Any,
    ) -> Path:
        given = {"trials": 36, "seeds": 3, "max_epochs": 9.0} | settings
        spec = SearchSpec(scenario, data, **given)
        return write_run_at(tmp_path / "written", spec, until, reason)

    return write

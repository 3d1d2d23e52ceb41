"""Sessions with a fake in-process trainer in place of Ray: a pure function gives each value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automl_cl.engine.session import Session
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy import stages
from search_spaces import Space, narrowed
from trainables.foundation.randomness import derive_seed
from trainables.scenarios.scenario import load_scenario
from trainables.trials.trial_run import RungReport, TrialRequest

from ..happened import happened

Value = Callable[[TrialRequest, float], float]
SCENARIO = load_scenario("curriculum")
SPACE = narrowed(
    Space.of(SCENARIO.recipe),
    {
        "model": "mlp",
        "algorithm": ["plain", "superloss", "self_paced"],
        "training.epochs": {"low": 2, "high": 9, "default": 9},
    },
)
SPEC = SearchSpec("curriculum", "digits", trials=36, max_epochs=9.0, seeds=3, seed=5)
WORTH = {"plain": 0.8, "superloss": 0.85, "self_paced": 0.75}


def worth(request: TrialRequest, level: float) -> float:
    """What a training is worth at a level: config and a little luck, ever more of it."""
    optimizer, algorithm = request.config["optimizer"], request.config["algorithm"]
    off = math.log10(optimizer["lr"] / 3e-3) ** 2
    luck = derive_seed(request.seed, "luck") % 1000 / 1e5
    return float(WORTH[algorithm["name"]] - 0.02 * off + luck - 0.1 / level)


class Training:
    """One request on its way, which leaves files behind.

    Of those that no weights are kept of some fail and some diverge.
    """

    def __init__(self, request: TrialRequest, value: Value = worth) -> None:
        self.request, self.value, self.rung = request, value, request.from_rung
        assert request.checkpoint is None or Path(request.checkpoint).exists()

    def report(self) -> RungReport:
        """What it says at its next rung."""
        request, level = self.request, self.request.levels[self.rung]
        report = RungReport(request.number, request.attempt, self.rung, "running", level, 1.5)
        fate = 2 if request.keep_weights else derive_seed(request.seed, "fate") % 16
        if fate == 0 and self.rung == 0:
            report.status, report.reason = "failed", "boom"
        elif fate == 1 and level >= 1:
            report.status, report.reason = "diverged", "the loss was no longer a finite number"
        else:
            report.metrics = {"accuracy": self.value(request, level), "loss": 1 / level}
            self.rung += 1
            self._file("inside", self.rung - 1)
            if self.rung == len(request.levels):
                report.status = "done"
                if request.keep_weights:
                    report.weights = self._file("weights", self.rung)
            else:
                report.checkpoint = self._file("rung", self.rung)
        return report

    def _file(self, kind: str, rung: int) -> str:
        folder = Path(self.request.folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.request.attempt:07d}-{kind}-{rung}.pt"
        path.touch()
        return str(path)


@contextmanager
def session_on(
    path: Path, spec: SearchSpec = SPEC, trials: int | None = None, space: Space = SPACE
) -> Iterator[Session]:
    """A driver's life on a run folder; `trials` extends the run first."""
    folder = RunFolder(path)
    if folder.journal.exists():
        journal = Journal.open(folder.journal)
    else:
        path.mkdir(exist_ok=True)
        journal = Journal.create(folder.journal)
        journal.append(happened("search", spec=spec.to_dict()))
    with journal:
        if trials is not None:
            journal.append(happened("extend", trials=trials))
        yield Session(spec, folder, journal, SCENARIO, space)


def work(session: Session, value: Value = worth) -> None:
    """Does all there is to do, one training at a time."""
    while (request := session.ask()) is not None:
        training = Training(request, value)
        while session.report(training.report()):
            pass
    assert session.finished


def content(table: TrialTable) -> list[dict[str, Any]]:
    """All that a resumed run has to have in common with an undisturbed one."""
    found = []
    for trial in table.trials:
        plain = {k: v for k, v in vars(trial).items() if k not in ("rungs", "weights", "losses")}
        rungs = [(r.level, r.value, r.compute, r.decision) for r in trial.rungs]
        found.append({**plain, "rungs": rungs})
    return found


def require_whole(session: Session, budget: int) -> None:
    """Every stage is complete, and the journal says the same as the table."""
    table, mode = session.table, SCENARIO.mode
    assert session.complete
    assert table.running() == []
    assert len(table.of_stage("search")) == budget
    plan = table.plan
    assert plan is not None
    repeats = stages.confirmations(table, mode, SPEC.seed) + stages.verdict_repeats(table, plan)
    asked = Counter((t.stage, t.source, t.seed) for t in table.trials if t.source is not None)
    assert set(asked) >= {(r.stage, r.source.number, r.seed) for r in repeats}
    assert set(asked.values()) == {1}
    events = read_events(session.folder.journal)
    told = Counter((e.number, e.rung) for e in events if e.kind == "rung")
    assert set(told.values()) == {1}
    replayed = TrialTable()
    for event in events:
        if event.kind == "plan" or getattr(event, "stage", None) in ("confirm", "verdict"):
            over = {"verdict": {"search", "confirm"}, "confirm": {"search"}}
            before = over.get(getattr(event, "stage", None), {"search", "confirm", "verdict"})
            assert not any(trial.stage in before for trial in replayed.running())
        replayed.apply(event)
    assert content(replayed) == content(table)


def table_at(path: Path) -> TrialTable:
    """The table of a run folder's journal."""
    table = TrialTable()
    for event in read_events(path / "journal.jsonl"):
        table.apply(event)
    return table


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with one slot, up to the end of its verdict trainings."""
    path = tmp_path_factory.mktemp("undisturbed") / "run"
    with session_on(path) as session:
        work(session)
        require_whole(session, SPEC.trials)
    return path


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session at the beginning of a run."""
    with session_on(tmp_path / "run") as session:
        yield session


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """The fake trainer and its tools."""
    return SimpleNamespace(
        SPEC=SPEC,
        SPACE=SPACE,
        Training=Training,
        worth=worth,
        session_on=session_on,
        work=work,
        content=content,
        table_at=table_at,
        require_whole=require_whole,
    )

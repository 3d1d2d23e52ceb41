from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from automl_cl.run.trial import Rung, Trial
from automl_cl.run.trial_table import TrialTable

# A machine that does other work at the same time must not fail a test.
settings.register_profile("repository", deadline=None)
settings.load_profile("repository")

ROOT = Path(__file__).parents[1]
FILES_BEFORE = pytest.StashKey[set[str] | None]()


def stray_files() -> set[str] | None:
    """Files of the working tree that git neither tracks nor ignores; None outside of git."""
    command = ["git", "ls-files", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return set(found.stdout.splitlines()) if found.returncode == 0 else None


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        session.config.stash[FILES_BEFORE] = stray_files()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run that leaves files behind in the working tree."""
    before = session.config.stash.get(FILES_BEFORE, None)
    after = stray_files() if before is not None else None
    left = sorted(after - before) if after is not None and before is not None else []
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nThe tests left files in the working tree: {', '.join(left)}")


MakeTrial = Callable[..., Trial]
LEVELS = (1.0, 3.0, 9.0)


@pytest.fixture(scope="session")
def make_trial() -> MakeTrial:
    """Makes a trial from its values at the rungs."""

    def make(
        number: int = 0,
        arm: str = "a",
        values: Sequence[float] = (),
        status: str | None = None,
        stage: str = "search",
        levels: Sequence[float] = LEVELS,
        compute: float | None = None,
        **fields: Any,
    ) -> Trial:
        if status is None:
            status = "done" if len(values) == len(levels) else "running"
        given: dict[str, Any] = {"config": {}, "point": {}, "source": None, "seed": 0}
        trial = Trial(
            number=number,
            stage=stage,
            arm=arm,
            origin="random",
            levels=list(levels),
            status=status,
            **{**given, **fields},
        )
        for level, value in zip(levels, values, strict=False):
            trial.rungs.append(Rung(level, value, level, {}, None, "continue"))
        trial.compute = sum(levels[len(values) - 1 : len(values)]) if compute is None else compute
        return trial

    return make


@pytest.fixture
def table_of() -> Callable[[Sequence[Trial]], TrialTable]:
    """A table of these trials, in the order of their numbers."""

    def make(trials: Sequence[Trial]) -> TrialTable:
        assert [trial.number for trial in trials] == list(range(len(trials)))
        table = TrialTable()
        table.budget = len(trials)
        for trial in trials:
            table.add(trial)
        return table

    return make

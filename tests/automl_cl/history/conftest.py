"""A finished run's journal, and others like it, without training anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl_cl.history.writing import add_to_history
from automl_cl.run.events import Event
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import spec_of

Remember = Callable[..., Path | None]


@pytest.fixture(scope="session")
def events(finished_run: Path) -> list[Event]:
    """The journal of the finished run."""
    return read_events(finished_run / "journal.jsonl")


@pytest.fixture(scope="session")
def prepared(finished_run: Path, events: list[Event]) -> Prepared:
    """What it searched."""
    return prepare(spec_of(events, RunFolder(finished_run)))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The folder of a history to be written."""
    return tmp_path / "history"


@pytest.fixture
def remember(history: Path, prepared: Prepared, events: list[Event]) -> Remember:
    """Adds the run's first `until` events to the history, or those of another search like it."""

    def add(until: int | None = None, search: int = 0, **view: Any) -> Path | None:
        first = replace(events[0], time=events[0].time + search)
        mine = replace(prepared, view=replace(prepared.view, **view)) if view else prepared
        return add_to_history(history, mine, [first, *events[1:until]], {"torch": "2.13.0"})

    return add

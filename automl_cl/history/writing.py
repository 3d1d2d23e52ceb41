"""Adding a run's finished trials to a history: each exactly once, whole files only."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from automl_cl.history.meta_features import meta_features
from automl_cl.history.reading import numbers_of
from automl_cl.history.record import FINISHED, Record, space_hash
from automl_cl.history.schema import arrow_schema
from automl_cl.run.events import End, Event, Rung, beginning, plain
from automl_cl.run.problem_event import coordinates_of
from automl_cl.run.trial import CONFIRM, SEARCH, Trial
from automl_cl.run.trial_table import replayed
from automl_cl.spec.preparation import Prepared
from search_spaces import InputError
from trainables.foundation.storage import Place, RemotePath, place, require_writable, writing

HISTORY = "history"
SAMPLE = 128
STALE = 3600.0
_KEPT = (SEARCH, CONFIRM)
"""Trainings for the verdict are left out whole: nothing that touches the test belongs here."""


def history_folder(prepared: Prepared, run: Place) -> Place | None:
    """The history that a run's trials go to; None for none."""
    spec = prepared.spec
    if spec.no_history:
        return None
    return run.parent / HISTORY if spec.history is None else place(spec.history)


def require_history_folder(folder: Place | None) -> None:
    """Refuses a folder that cannot be written to, before time is spent on what would go there.

    Raises:
        InputError: if it is a file, or cannot be made or written to.
    """
    if folder is None:
        return
    if isinstance(folder, RemotePath):
        require_writable(folder, "--history")
        return
    advice = "name another with --history, or give --no-history"
    try:
        above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    except OSError as error:
        raise InputError(f"--history: cannot make {folder}: {error.strerror}.") from error
    if not above.is_dir():
        raise InputError(f"--history: {above} is a file and no folder; {advice}.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"--history: {above} cannot be written to; {advice}.")


def add_to_history(
    folder: Place, prepared: Prepared, events: Sequence[Event], versions: Mapping[str, str]
) -> Place | None:
    """Adds the finished trials of a run that the history does not have yet.

    What the folder holds decides what is new, so that a run that was killed after writing writes
    nothing twice. The caller holds the run's lock; other runs write other files.

    Args:
        folder: the history, made if need be.
        prepared: what was searched.
        events: the run's journal.
        versions: of the software.

    Returns:
        The file written, or None if there was nothing new.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    search, table = search_id(events), replayed(events)
    known = numbers_of(folder, search)
    new = [
        trial
        for trial in table.trials
        if trial.stage in _KEPT
        and trial.status in FINISHED
        and trial.forked is None  # the search that it comes from has written it
        and trial.number not in known
    ]
    if not new:
        return None
    records = _records(prepared, search, events, new, versions)
    if isinstance(folder, Path):
        _clear_left_overs(folder)
    path = folder / f"{search}-{new[0].number:06d}-{new[-1].number:06d}.parquet"
    rows = pa.Table.from_pylist([each.row() for each in records], schema=arrow_schema())
    with writing(path, parents=True) as file:
        pq.write_table(rows, file, write_page_checksum=True)
    return path


def _clear_left_overs(folder: Path) -> None:
    """Removes what writers left that were killed; those at work need a second."""
    for left_over in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - left_over.stat().st_mtime > STALE:
                left_over.unlink()


def search_id(events: Sequence[Event]) -> str:
    """16 hex digits that tell a search from all others, also from the same begun again."""
    first = json.dumps(plain(beginning(events)), sort_keys=True)
    return hashlib.sha256(first.encode()).hexdigest()[:16]


def _records(
    prepared: Prepared,
    search: str,
    events: Sequence[Event],
    trials: Sequence[Trial],
    versions: Mapping[str, str],
) -> list[Record]:
    scenario, view, spec = prepared.scenario, prepared.view, prepared.spec
    coordinates = {
        name: coordinates_of(prepared.space.only("algorithm", name))
        for name in {trial.arm for trial in trials}
    }
    numbers = scenario.examples_of(prepared.data, prepared.settings, sealed=False)
    ended, latest = _ended(events), events[-1].time
    return [
        Record(
            search=search,
            number=trial.number,
            stage=trial.stage,
            scenario=scenario.name,
            settings=asdict(prepared.settings),
            metric=scenario.metric,
            mode=scenario.mode,
            data=view.name,
            fingerprint=view.fingerprint,
            features=meta_features(view),
            sample=tuple(int(number) for number in numbers[:SAMPLE]),
            algorithm=trial.arm,
            space=space_hash(coordinates[trial.arm]),
            coordinates=coordinates[trial.arm],
            config=trial.config,
            point=trial.point,
            rungs=tuple((rung.level, rung.value, rung.compute) for rung in trial.rungs),
            value=trial.value,
            compute=trial.compute,
            cap=float(spec.max_epochs),
            fidelity=spec.fidelity,
            seed=trial.seed,
            status=trial.status,
            origin=trial.origin,
            source=trial.source,
            versions=versions,
            ended=datetime.fromtimestamp(ended.get(trial.number, latest), UTC),
        )
        for trial in trials
    ]


def _ended(events: Sequence[Event]) -> dict[int, float]:
    """The time of each trial's last event."""
    return {each.number: each.time for each in events if isinstance(each, Rung | End)}

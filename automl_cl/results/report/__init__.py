"""The report of a run: one HTML file, from the journal alone. Needs neither torch nor Ray."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from automl_cl.run.events import Event
from automl_cl.run.folder import RunFolder, write_whole
from automl_cl.run.journal import read_events
from search_spaces import InputError
from trainables.foundation.storage import Place

__all__ = ["report_run", "write_report"]


def write_report(folder: RunFolder, events: Sequence[Event], to: Path | None = None) -> Path:
    """Writes the report that a journal's events make, whole or not at all.

    Args:
        folder: the run folder.
        events: of its journal.
        to: the file; None for the run's own `report.html`.

    Raises:
        InputError: if the journal does not say what was searched.
    """
    # Plotly takes a while to import, and a search is to start at once.
    from automl_cl.results.report.figures import figures_of
    from automl_cl.results.report.findings import gather
    from automl_cl.results.report.page import page

    found = gather(folder, events)
    path = folder.report if to is None else to
    write_whole(path, page(found, figures_of(found)))
    return path


def report_run(run: str | Place, to: Path | None, force: bool) -> Place:
    """Writes the report of a run, also of one that goes on.

    The run's own report is made anew; another file is written over only by force.

    Returns:
        The file written.

    Raises:
        InputError: if it is no run folder, its journal is damaged or says too little, or the file
            is there already.
    """
    folder = RunFolder.existing(run)
    if to is not None:
        if os.path.lexists(to):
            if to.is_dir():
                raise InputError(f"--to: {to} is a folder; name another file.")
            if to.is_symlink() or not to.is_file():
                raise InputError(
                    f"--to: {to} is no regular file, and only such are written over; name another."
                )
            if not force:
                raise InputError(
                    f"--to: {to} is there already; name another file, or say --force."
                )
        if (
            folder.path.resolve() in to.resolve().parents
        ):  # by whatever links or `..` either is named
            raise InputError(f"--to: {to} is inside the run folder; its report is report.html.")
        if not to.parent.is_dir():
            raise InputError(f"--to: there is no folder {to.parent}.")
    elif force:
        raise InputError("--force is for --to FILE; the run's own report is made anew anyway.")
    written = write_report(folder, read_events(folder.journal), to)
    folder.publish()
    return folder.shown(written)

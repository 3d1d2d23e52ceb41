"""Reading a history: what can be read is, and of what cannot one line says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from automl_cl.history.record import Record
from automl_cl.history.schema import SCHEMA_VERSION, VERSION_KEY
from search_spaces import InputError
from trainables.foundation.storage import Place, names, reading

Warn = Callable[[str], None]


def read_history(folder: Place, warn: Warn, flag: str = "history") -> list[Record]:
    """Every trial of a history once, in order of search and number.

    Args:
        folder: the history.
        warn: called with one line for each file that is left out.
        flag: what the folder was given as, for messages.

    Raises:
        InputError: if there is no such folder, or no history in it.
    """
    if isinstance(folder, Path) and not folder.is_dir():
        what = "is a file and no folder" if folder.exists() else "there is no such folder"
        raise InputError(f"{flag} {folder}: {what}.")
    inside = names(folder)
    if "search.yaml" in inside and {"journal.jsonl", "journal"} & set(inside):
        raise InputError(
            f"{flag} {folder}: this is a run folder; the history with its trials is in "
            f"{folder.parent / 'history'}, unless its search has named another by --history."
        )
    if not any(_files(folder)):
        raise InputError(
            f"{flag} {folder}: there is no history in it; a search adds its finished trials to "
            "the folder 'history' beside its run folder, or to --history DIR."
        )
    found: dict[tuple[str, int], Record] = {}
    for path in _files(folder):
        for record in _records(path, warn):
            found.setdefault((record.search, record.number), record)
    return [found[key] for key in sorted(found)]


def numbers_of(folder: Place, search: str) -> set[int]:
    """The trials of one search that a history holds, in files that can be read."""
    files = _files(folder, f"{search}-")
    return {each.number for path in files for each in _records(path, lambda line: None)}


def _files(folder: Place, beginning: str = "") -> Sequence[Place]:
    found = [name for name in names(folder) if name.endswith(".parquet") and name[0] != "."]
    return [folder / name for name in found if name.startswith(beginning)]


def _records(path: Place, warn: Warn) -> list[Record]:
    try:
        return [Record.of_row(row) for row in _rows(path, warn)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warn(f"left out {path}: a row of it is damaged ({type(error).__name__}).")
        return []


def _rows(path: Place, warn: Warn) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            reading(path) as opened,
            pq.ParquetFile(opened, page_checksum_verification=True) as file,
        ):
            version = _version((file.schema_arrow.metadata or {}).get(VERSION_KEY))
            if version is None:
                warn(f"left out {path}: it is a Parquet file, but no history.")
            elif version != SCHEMA_VERSION:
                age = "newer" if version > SCHEMA_VERSION else "older"
                warn(
                    f"left out {path}: it was written by {age} software (schema {version}; this "
                    f"reads schema {SCHEMA_VERSION})."
                )
            else:
                rows: list[dict[str, Any]] = file.read().to_pylist()
                return rows
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:80]
        warn(f"left out {path}: it is damaged or half written ({reason}).")
    return []


def _version(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None

"""The journal: JSON events in the order in which they happened, the truth of a run.

On a disk it is one file that is appended to, on an object store a folder of immutable segments.

Each line is one strict JSON object,

    {"seq": n, "time": seconds, "event": kind, ..., "sum": crc}

where ``sum`` is the CRC-32 of the line's bytes without the ``sum`` member. An event counts once
its line, newline included, is there for good; bytes after the last newline are a write cut short.
"""

from __future__ import annotations

import json
import math
import threading
import time
import zlib
from pathlib import Path
from typing import Any, NoReturn

from automl_cl.journal_file import JournalFile
from automl_cl.journal_medium import Medium
from automl_cl.journal_segments import JournalSegments, read_segments
from search_spaces.errors import InputError
from trainables.storage import Place, RemotePath, place

Event = dict[str, Any]

_OWN_FIELDS = ("seq", "time", "event", "sum")


class Journal:
    """A journal open for appending, by this process alone.

    Made by `Journal.create` or `Journal.open`. The events in memory are the parsed lines without
    their checksum, so what a caller sees before a crash is exactly what it reads after one. Ray
    Tune copies the searcher that holds a journal: a deep copy is the journal itself, and a pickled
    copy can be read but not appended to.
    """

    def __init__(self, path: Place, events: list[Event], medium: Medium | None = None) -> None:
        self.path = path
        self._events = events
        self._medium = medium
        # Two appends that interleave would leave a gap in `seq`, and an unreadable run.
        self._mutex = threading.RLock()

    @classmethod
    def create(cls, path: str | Place) -> Journal:
        """A new, empty journal at `path`, in a folder that exists; refused if there is one."""
        path = place(path)
        if isinstance(path, Path):
            return cls(path, [], JournalFile.create(path))
        segments = JournalSegments(path)
        if path.exists():
            segments.close()
            raise InputError(f"{path} already exists; a new run needs a new folder")
        return cls(path, [], segments)

    @classmethod
    def open(cls, path: str | Place) -> Journal:
        """The journal of an earlier run, verified, its torn last line cut off, ready to go on."""
        path = place(path)
        _require_journal(path)
        medium = JournalFile.open(path) if isinstance(path, Path) else JournalSegments(path)
        try:
            content = medium.read()
            events, length = _verify(path, content)
            if length < len(content):
                medium.cut(length)
        except BaseException:
            medium.close()
            raise
        return cls(path, events, medium)

    @property
    def events(self) -> list[Event]:
        """All events so far, in order."""
        return list(self._events)

    def append(self, kind: str, /, **fields: Any) -> Event:
        """Write one event and return it once it is there for good.

        Raises:
            ValueError: a reserved field name, a non-finite number, a key that is no string.
            TypeError: a field holds something that JSON has no form for.
            OSError: it could not be written; the file is as it was, the next append may succeed.
            RuntimeError: this journal is closed, is an unpickled copy, or could not undo a failed
                write, so that only opening it anew repairs it.
        """
        _check_fields(kind, fields)
        with self._mutex:
            event = {"seq": len(self._events), "time": time.time(), "event": kind, **fields}
            body = json.dumps(event, allow_nan=False).encode()
            if self._medium is None:
                raise RuntimeError(f"this Journal of {self.path} cannot append; open it anew")
            self._medium.append(len(self._events), _seal(body) + b"\n")
            parsed: Event = json.loads(body)
            self._events.append(parsed)
            return parsed

    def record_opening(self, fingerprint: str) -> int:
        """Note that the sealed test of one split is being opened.

        Args:
            fingerprint: identifies the split.

        Returns:
            How many times this split's test has been opened in this journal, this time included,
            and in those that its search was forked from.
        """
        with self._mutex:
            earlier = sum(
                event["fork"]["openings"]
                for event in self._events[:1]
                if event.get("fork") and event["data"] == fingerprint
            )
            earlier += sum(
                event["event"] == "open_test" and event["fingerprint"] == fingerprint
                for event in self._events
            )
            self.append("open_test", fingerprint=fingerprint, opening=earlier + 1)
            return earlier + 1

    def close(self) -> None:
        """Close it and give up the lock; closing twice does nothing."""
        with self._mutex:
            if self._medium is not None:
                self._medium.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> Journal:
        return self

    def __reduce__(self) -> tuple[type[Journal], tuple[Place, list[Event]]]:
        return Journal, (self.path, self.events)


def read_events(path: str | Place) -> list[Event]:
    """The verified events of a journal, also of a running one; takes no lock, writes nothing."""
    path = place(path)
    _require_journal(path)
    content = path.read_bytes() if isinstance(path, Path) else read_segments(path)
    return _verify(path, content)[0]


def _seal(body: bytes) -> bytes:
    """A JSON object's bytes with its checksum as the last member."""
    return body[:-1] + b', "sum": "%08x"}' % zlib.crc32(body)


_SEAL_LENGTH = len(_seal(b"{}")) - len(b"{")


def _verify(path: Place, content: bytes) -> tuple[list[Event], int]:
    """The events of the complete lines, and how many bytes those lines take."""
    *lines, torn = content.split(b"\n")
    events: list[Event] = []
    for expected, line in enumerate(lines):
        body = line[:-_SEAL_LENGTH] + b"}"
        if _seal(body) != line:
            _refuse(path, expected, "is damaged: its checksum does not match")
        try:
            event = json.loads(body)
        except ValueError:
            _refuse(path, expected, "is damaged: it is not JSON")
        if event.get("seq") != expected:
            _refuse(path, expected, f"has seq {event.get('seq')} where {expected} is due")
        events.append(event)
    if not events:
        raise InputError(f"{path} is not a journal: it holds no complete event")
    return events, len(content) - len(torn)


def _refuse(path: Place, index: int, what: str) -> NoReturn:
    raise InputError(f"line {index + 1} of {path} {what}; nothing was changed")


def _require_journal(path: Place) -> None:
    if not (path.exists() if isinstance(path, RemotePath) else path.is_file()):
        raise InputError(f"there is no journal at {path}")


def _check_fields(kind: str, fields: Event) -> None:
    for name, value in fields.items():
        if name in _OWN_FIELDS:
            raise ValueError(f"event '{kind}': the field name '{name}' is the journal's own")
        _check_value(kind, name, value)


def _check_value(kind: str, where: str, value: object) -> None:
    """Refuse what would not come back from the file as it went in, naming its place."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise ValueError(f"event '{kind}': {where} has the key {key!r}, not a string")
            _check_value(kind, f"{where}.{key}", member)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            _check_value(kind, f"{where}[{index}]", member)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"event '{kind}': {where} is {float(value)}; pass None instead")
    elif not isinstance(value, str | int | None):
        raise TypeError(f"event '{kind}': {where} is a {type(value).__name__}, which is not JSON")

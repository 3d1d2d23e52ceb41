"""The journal: JSON events in the order in which they happened, the truth of a run.

On a disk it is one file that is appended to, on an object store a folder of immutable segments.

Each line is one strict JSON object,

    {"seq": n, "time": seconds, "event": kind, ..., "sum": checksum}

where ``sum`` covers the line and all lines before it (`journal_seal`), and the rest is one of the
kinds in `events`. An event counts once its line, newline included, is there for good; bytes after
the last newline are a write cut short. Reading refuses what is no event, or cannot follow on the
events before it.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from automl_cl.run.codec import Misfit
from automl_cl.run.events import Event, OpenTest, Plan, Search, from_json, to_json
from automl_cl.run.journal_file import JournalFile
from automl_cl.run.journal_medium import Medium
from automl_cl.run.journal_seal import Chain
from automl_cl.run.journal_segments import JournalSegments, read_segments
from automl_cl.run.trial_table import TrialTable
from search_spaces.errors import InputError
from trainables.foundation.storage import Place, RemotePath, place

E = TypeVar("E", bound=Event)


class Journal:
    """A journal open for appending, by this process alone.

    Made by `Journal.create` or `Journal.open`. The events in memory are read from their lines, so
    what a caller sees before a crash is exactly what it reads after one. Ray Tune copies the
    searcher that holds a journal: a deep copy is the journal itself, and a pickled copy can be
    read but not appended to.
    """

    def __init__(
        self, path: Place, events: list[Event], chain: Chain, medium: Medium | None = None
    ) -> None:
        self.path = path
        self._events, self._chain = events, chain
        self._medium = medium
        # Two appends that interleave would leave a gap in `seq`, and an unreadable run.
        self._mutex = threading.RLock()

    @classmethod
    def create(cls, path: str | Place) -> Journal:
        """A new, empty journal at `path`, in a folder that exists; refused if there is one."""
        path = place(path)
        if isinstance(path, Path):
            return cls(path, [], Chain(), JournalFile.create(path))
        segments = JournalSegments(path)
        if path.exists():
            segments.close()
            raise InputError(f"{path} already exists; a new run needs a new folder")
        return cls(path, [], Chain(), segments)

    @classmethod
    def open(cls, path: str | Place) -> Journal:
        """The journal of an earlier run, verified, its torn last line cut off, ready to go on."""
        path = place(path)
        _require_journal(path)
        medium = JournalFile.open(path) if isinstance(path, Path) else JournalSegments(path)
        try:
            content = medium.read()
            events, chain, length = _verify(path, content)
            if length < len(content):
                medium.cut(length)
        except BaseException:
            medium.close()
            raise
        return cls(path, events, chain, medium)

    @property
    def run(self) -> str:
        """What tells this run from all others; empty before the first event."""
        return self._chain.run

    @property
    def events(self) -> list[Event]:
        """All events so far, in order."""
        return list(self._events)

    def append(self, event: E) -> E:
        """Writes one event and returns it, with place and time, once it is there for good.

        Raises:
            ValueError: a field is not of its type, a number is not finite, a key is no text.
            TypeError: a field holds something that JSON has no form for.
            OSError: it could not be written; the file is as it was, the next append may succeed.
            RuntimeError: this journal is closed, is an unpickled copy, or could not undo a failed
                write, so that only opening it anew repairs it.
        """
        with self._mutex:
            seq = len(self._events)
            body = to_json(dataclasses.replace(event, seq=seq, time=time.time()))
            written = from_json(body)
            assert isinstance(written, type(event))
            if self._medium is None:
                raise RuntimeError(f"this Journal of {self.path} cannot append; open it anew")
            line, chain = self._chain.sealed(body)
            self._medium.append(seq, line + b"\n")
            self._events.append(written)
            self._chain = chain
            return written

    def record_opening(self, fingerprint: str) -> tuple[int, OpenTest | None]:
        """Notes that the sealed test of one split is being opened, once for each plan.

        Whoever judges a plan again, after a crash or since weights were lost, opens nothing anew.

        Args:
            fingerprint: identifies the split.

        Returns:
            How many times this split's test has been opened in this journal, this time included,
            and in those that its search was forked from; and the event, if it is a new one.
        """
        with self._mutex:
            plans = [each for each in self._events if isinstance(each, Plan)]
            opened = [
                each.opening
                for each in self._events
                if isinstance(each, OpenTest) and each.fingerprint == fingerprint
            ]
            if plans and plans[-1].opening in opened:
                return plans[-1].opening, None
            opening = self._openings_before(fingerprint) + len(opened) + 1
            return opening, self.append(OpenTest(fingerprint=fingerprint, opening=opening))

    def _openings_before(self, fingerprint: str) -> int:
        """How often those that this search was forked from have opened the test."""
        first = self._events[0] if self._events else None
        if not isinstance(first, Search) or first.fork is None or first.data != fingerprint:
            return 0
        before: int = first.fork["openings"]
        return before

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

    def __reduce__(self) -> tuple[type[Journal], tuple[Place, list[Event], Chain]]:
        return Journal, (self.path, self.events, self._chain)


def read_events(path: str | Place) -> list[Event]:
    """The verified events of a journal, also of a running one; takes no lock, writes nothing."""
    path = place(path)
    _require_journal(path)
    content = path.read_bytes() if isinstance(path, Path) else read_segments(path)
    return _verify(path, content)[0]


def _verify(path: Place, content: bytes) -> tuple[list[Event], Chain, int]:
    """The events of the complete lines, their chain, and how many bytes those lines take."""
    *lines, torn = content.split(b"\n")
    events: list[Event] = []
    chain, table = Chain(), TrialTable()
    for expected, line in enumerate(lines):
        opened = chain.opened(line)
        if opened is None:
            _refuse(path, expected, "is damaged, or of another run: its checksum does not match")
        body, chain = opened
        try:
            event = from_json(body)
            if event.seq != expected:
                _refuse(path, expected, f"has seq {event.seq} where {expected} is due")
            table.check(event)
        except Misfit as misfit:
            _refuse(path, expected, f"makes no sense: {misfit}")
        table.apply(event)
        events.append(event)
    if not events:
        raise InputError(f"{path} is not a journal: it holds no complete event")
    return events, chain, len(content) - len(torn)


def _refuse(path: Place, index: int, what: str) -> NoReturn:
    raise InputError(f"line {index + 1} of {path} {what}; nothing was changed")


def _require_journal(path: Place) -> None:
    if not (path.exists() if isinstance(path, RemotePath) else path.is_file()):
        raise InputError(f"there is no journal at {path}")

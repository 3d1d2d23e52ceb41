"""The journal: one append-only file of JSON events, the truth of a run.

Each line is one strict JSON object,

    {"seq": n, "time": seconds, "event": kind, ..., "sum": crc}

where ``sum`` is the CRC-32 of the line's bytes without the ``sum`` member. An event counts once
its line, newline included, is on disk; bytes after the last newline are a write cut short.
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import socket
import threading
import time
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NoReturn

from search_spaces.errors import InputError

Event = dict[str, Any]

_OWN_FIELDS = ("seq", "time", "event", "sum")


class Journal:
    """A journal open for appending, by this process alone.

    Made by `Journal.create` or `Journal.open`. The events in memory are the parsed lines without
    their checksum, so what a caller sees before a crash is exactly what it reads after one. Ray
    Tune copies the searcher that holds a journal: a deep copy is the journal itself, and a pickled
    copy can be read but not appended to.
    """

    def __init__(
        self,
        path: Path,
        events: list[Event],
        descriptor: int | None = None,
        resources: ExitStack | None = None,
    ) -> None:
        self.path = path
        self._events = events
        self._descriptor = descriptor
        self._resources = resources if resources is not None else ExitStack()
        # Two appends that interleave would leave a gap in `seq`, and an unreadable run.
        self._mutex = threading.RLock()

    @classmethod
    def create(cls, path: str | Path) -> Journal:
        """A new, empty journal at `path`, whose folder exists; refused if the file exists."""
        path = Path(path)
        with ExitStack() as resources:
            _take_lock(path, resources)
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                raise InputError(f"{path} already exists; a new run needs a new folder") from None
            _sync_folder(path.parent)
            file = resources.enter_context(path.open("ab", buffering=0))
            return cls(path, [], file.fileno(), resources.pop_all())

    @classmethod
    def open(cls, path: str | Path) -> Journal:
        """The journal of an earlier run, verified, its torn last line cut off, ready to go on."""
        path = Path(path)
        _require_file(path)
        with ExitStack() as resources:
            _take_lock(path, resources)
            content = path.read_bytes()
            events, length = _verify(path, content)
            file = resources.enter_context(path.open("ab", buffering=0))
            if length < len(content):
                os.ftruncate(file.fileno(), length)
                os.fsync(file.fileno())
            return cls(path, events, file.fileno(), resources.pop_all())

    @property
    def events(self) -> list[Event]:
        """All events so far, in order."""
        return list(self._events)

    def append(self, kind: str, /, **fields: Any) -> Event:
        """Write one event and return it once it is on disk.

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
            self._write(_seal(body) + b"\n")
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
        """Close the file and give up the lock; closing twice does nothing."""
        with self._mutex:
            self._descriptor = None
            self._resources.close()

    def _write(self, line: bytes) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            raise RuntimeError(f"this Journal of {self.path} cannot append; open it anew")
        state = os.fstat(descriptor)
        if state.st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was deleted while in use", str(self.path))
        length = state.st_size
        try:
            written = os.write(descriptor, line)
            while written < len(line):  # a full disk takes a part; asking again tells the reason
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        except BaseException as error:
            # A partial line must not stay: the next append would make it damage in the middle.
            self._descriptor = None
            os.ftruncate(descriptor, length)
            self._descriptor = descriptor
            if isinstance(error, OSError):
                error.filename = str(self.path)
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __deepcopy__(self, memo: dict[int, Any]) -> Journal:
        return self

    def __reduce__(self) -> tuple[type[Journal], tuple[Path, list[Event]]]:
        return Journal, (self.path, self.events)


def read_events(path: str | Path) -> list[Event]:
    """The verified events of a journal, also of a running one; takes no lock, writes nothing."""
    path = Path(path)
    _require_file(path)
    return _verify(path, path.read_bytes())[0]


def _seal(body: bytes) -> bytes:
    """A JSON object's bytes with its checksum as the last member."""
    return body[:-1] + b', "sum": "%08x"}' % zlib.crc32(body)


_SEAL_LENGTH = len(_seal(b"{}")) - len(b"{")


def _verify(path: Path, content: bytes) -> tuple[list[Event], int]:
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


def _refuse(path: Path, index: int, what: str) -> NoReturn:
    raise InputError(f"line {index + 1} of {path} {what}; nothing was changed")


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"there is no journal at {path}")


def _take_lock(path: Path, resources: ExitStack) -> None:
    """Hold the run's lock until `resources` is closed; the kernel frees it if we are killed."""
    lock: IO[str] = resources.enter_context(path.with_name(path.name + ".lock").open("a+"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        raise InputError(f"the run of {path} is in use by process {holder}") from None
    lock.truncate(0)
    # The host as well: on a shared file system the number alone points at the wrong process.
    lock.write(f"{os.getpid()} on {socket.gethostname()}\n")
    lock.flush()


def _sync_folder(folder: Path) -> None:
    """Put the folder's own entry for a new file on disk (fsync of the file does not)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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

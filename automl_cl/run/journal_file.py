"""A journal on a local disk or NFS: one file, appended to and fsynced, under the kernel's lock.

The lock is on the file itself, so that it lasts as long as the file does: deleting what lies
beside it frees nothing. Where a lock fails all the same, as on some network file systems, another
driver is seen by what it wrote: nothing is appended to a file that is not as it was left.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import final

from automl_cl.run.journal_medium import Medium, Overtaken
from search_spaces.errors import InputError
from trainables.foundation.storage import sync_folder

REMEMBERED = 64
"""Bytes at the end of a file by which it is known again: the last line's checksum among them."""


@final
class JournalFile(Medium):
    """An open file of lines; made by `create` or `open`, which take the lock."""

    def __init__(self, path: Path, descriptor: int, resources: ExitStack) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._resources = resources
        self._remember(descriptor)

    @classmethod
    def create(cls, path: Path) -> JournalFile:
        """A new, empty file; refused if there is one."""
        return cls._opened(path, os.O_CREAT | os.O_EXCL)

    @classmethod
    def open(cls, path: Path) -> JournalFile:
        """The file of an earlier run."""
        return cls._opened(path, 0)

    @classmethod
    def _opened(cls, path: Path, how: int) -> JournalFile:
        with ExitStack() as resources:
            note = resources.enter_context(path.with_name(path.name + ".lock").open("a+"))
            # Drivers of earlier versions lock the note alone.
            _lock(note.fileno(), path)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | how, 0o666)
            except FileExistsError:
                raise InputError(f"{path} already exists; a new run needs a new folder") from None
            resources.callback(os.close, descriptor)
            _lock(descriptor, path)
            _require_same_file(descriptor, path)
            if how:
                sync_folder(path.parent)
            note.truncate(0)
            # The host as well: on a shared file system the number alone misleads.
            note.write(f"{os.getpid()} on {socket.gethostname()}\n")
            note.flush()
            return cls(path, descriptor, resources.pop_all())

    def read(self) -> bytes:
        assert self._descriptor is not None
        self._remember(self._descriptor)
        return os.pread(self._descriptor, self._length, 0)

    def cut(self, length: int) -> None:
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, length)
        os.fsync(self._descriptor)
        self._remember(self._descriptor)

    def append(self, seq: int, line: bytes) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            raise RuntimeError(f"this Journal of {self.path} cannot append; open it anew")
        self._require_untouched(descriptor)
        length = self._length
        self._descriptor = None  # until it is known what became of it
        try:
            written = os.write(descriptor, line)
            while written < len(line):  # a full disk takes a part; asking again tells the reason
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        except BaseException as error:
            # A partial line must not stay: the next append would make it damage in the middle.
            os.ftruncate(descriptor, length)
            self._descriptor = descriptor
            if isinstance(error, OSError):
                error.filename = str(self.path)
            raise
        self._require_alone(descriptor, line)
        self._descriptor = descriptor

    def _remember(self, descriptor: int) -> None:
        """Takes down how long the file is and how it ends."""
        self._length = os.fstat(descriptor).st_size
        first = max(0, self._length - REMEMBERED)
        self._end = os.pread(descriptor, self._length - first, first)

    def _require_untouched(self, descriptor: int) -> None:
        """Refuses to append to what is not the file that was left after the last event.

        Raises:
            FileNotFoundError: if it was deleted.
            Overtaken: if it was replaced, or somebody else has written to it.
        """
        _require_same_file(descriptor, self.path)
        size, start = os.fstat(descriptor).st_size, self._length - len(self._end)
        if size != self._length or os.pread(descriptor, len(self._end), start) != self._end:
            self._descriptor = None
            raise _written_by_another(self.path)

    def _require_alone(self, descriptor: int, line: bytes) -> None:
        """Takes a line back if another driver has written in the same moment."""
        start, size = self._length, os.fstat(descriptor).st_size
        if size != start + len(line):
            if os.pread(descriptor, len(line), size - len(line)) == line:
                os.ftruncate(descriptor, size - len(line))
            raise _written_by_another(self.path)
        self._length, self._end = size, (self._end + line)[-REMEMBERED:]

    def close(self) -> None:
        self._descriptor = None
        self._resources.close()


def _lock(descriptor: int, path: Path) -> None:
    """Holds a file until its descriptor is closed; the kernel frees it if we are killed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _noted(path) or _holder(descriptor) or "unknown"
        raise InputError(f"the run of {path} is in use by process {holder}") from None


def _noted(path: Path) -> str:
    """Who says to hold the lock; nothing if the note was deleted."""
    with suppress(OSError):
        return path.with_name(path.name + ".lock").read_text().strip()
    return ""


def _holder(descriptor: int) -> str:
    """The process of this machine that has locked a file, as Linux tells it."""
    inode = f":{os.fstat(descriptor).st_ino}"
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, file, *_ = line.split()
            if kind == "FLOCK" and file.endswith(inode):
                return process
    return ""


def _require_same_file(descriptor: int, path: Path) -> None:
    """Refuses a file that is no longer the one under its name."""
    mine = os.fstat(descriptor)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "it was deleted while in use", str(path)) from None
    if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):
        raise Overtaken(
            errno.ESTALE,
            "it was replaced by another file while in use; this driver stops",
            str(path),
        )


def _written_by_another(path: Path) -> Overtaken:
    return Overtaken(
        errno.EBUSY, "another process has written to this run too; this driver stops", str(path)
    )

"""A journal on a local disk or NFS: one file, appended to and fsynced, under the kernel's lock."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import IO, final

from automl_cl.journal_medium import Medium
from search_spaces.errors import InputError
from trainables.storage import sync_folder


@final
class JournalFile(Medium):
    """An open file of lines; made by `create` or `open`, which take the lock."""

    def __init__(self, path: Path, descriptor: int, resources: ExitStack) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._resources = resources

    @classmethod
    def create(cls, path: Path) -> JournalFile:
        """A new, empty file; refused if there is one."""
        with ExitStack() as resources:
            _take_lock(path, resources)
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                raise InputError(f"{path} already exists; a new run needs a new folder") from None
            sync_folder(path.parent)
            return cls._opened(path, resources)

    @classmethod
    def open(cls, path: Path) -> JournalFile:
        """The file of an earlier run."""
        with ExitStack() as resources:
            _take_lock(path, resources)
            return cls._opened(path, resources)

    @classmethod
    def _opened(cls, path: Path, resources: ExitStack) -> JournalFile:
        file = resources.enter_context(path.open("ab", buffering=0))
        return cls(path, file.fileno(), resources.pop_all())

    def read(self) -> bytes:
        return self.path.read_bytes()

    def cut(self, length: int) -> None:
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, length)
        os.fsync(self._descriptor)

    def append(self, seq: int, line: bytes) -> None:
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

    def close(self) -> None:
        self._descriptor = None
        self._resources.close()


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

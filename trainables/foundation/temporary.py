"""Temporary folders that do not outlive their makers for long, however these end.

Each holds a file that its maker keeps locked; the kernel gives the lock back when the maker ends,
even by SIGKILL, whatever becomes of its number. Whoever starts next clears what is not locked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "automl_cl-"
OWNER = ".owner"


def make_folder(kind: str) -> Path:
    """A new folder, kept until `remove_folder` or the end of this process and a later start."""
    draft = Path(tempfile.mkdtemp(prefix=f".{PREFIX}{kind}-"))
    # Held open for the process's life: the lock is what tells that it lives.
    owner = os.open(draft / OWNER, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(owner, fcntl.LOCK_EX)
    # Only now under the name by which others find it.
    folder = draft.rename(draft.with_name(draft.name[1:]))
    _owned[folder] = owner
    return folder


_owned: dict[Path, int] = {}


def remove_folder(folder: Path) -> None:
    """Removes a folder that `make_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError, KeyError):
        os.close(_owned.pop(folder))


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """A folder that is there while it is entered."""
    folder = make_folder(kind)
    try:
        yield folder
    finally:
        remove_folder(folder)


def clear_left_over() -> None:
    """Removes such folders of this user whose makers are no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                _clear(folder)


def _clear(folder: Path) -> None:
    owner = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(owner)

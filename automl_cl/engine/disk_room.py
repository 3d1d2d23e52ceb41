"""Room on the disk of a run."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from automl_cl.run.folder import RunFolder
from trainables.foundation.storage import StorageError

LEAST_FREE = 2**25
"""Bytes: with fewer, a trial that fails does so for want of room."""


def require_room(folder: RunFolder, reason: str) -> None:
    """Takes no failure down that a full disk explains: every further trial would fail too.

    Args:
        folder: the run folder.
        reason: why a trial failed.

    Raises:
        OSError: if there is no room.
    """
    if not isinstance(folder.place, Path):
        if StorageError.__name__ in reason:
            raise StorageError(errno.EIO, f"a trial says: {reason}", str(folder))
        return
    free = shutil.disk_usage(folder.path).free
    if free < LEAST_FREE or os.strerror(errno.ENOSPC) in reason:
        words = f"{os.strerror(errno.ENOSPC)}; make room"
        raise OSError(errno.ENOSPC, words, str(folder.path))

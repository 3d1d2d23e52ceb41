"""Files that can be read to an end."""

from __future__ import annotations

import stat
from pathlib import Path

from search_spaces.errors import InputError

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_regular(path: Path, name: str) -> None:
    """Refuses what would not end when it is read.

    Raises:
        InputError: a pipe, a socket, a device, or a link that leads nowhere.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{name}: cannot be read ({reason}); mend or remove it.") from error
    if not stat.S_ISREG(mode):
        kind = next((words for is_one, words in _KINDS if is_one(mode)), "no file")
        raise InputError(f"{name}: is {kind}, no regular file; remove it.")

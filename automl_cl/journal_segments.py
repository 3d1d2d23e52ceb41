"""A journal on an object store, which cannot append: one object a line, never written over.

The object of line n is `journal/0000000n/OWNER.jsonl`, OWNER being the driver that wrote it. Two
drivers that write the same line therefore write two objects, each sees the other's when it looks
afterwards, and gives way: nothing is lost even where a lock failed.
"""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import final

from automl_cl.journal_medium import Medium
from automl_cl.remote_lock import RemoteLock
from search_spaces.errors import InputError
from trainables.storage import RemotePath, StorageError, names

AT_ONCE = 16


@final
class JournalSegments(Medium):
    """A folder of segments, locked.

    Args:
        folder: the folder.

    Raises:
        InputError: if another driver works on the run.
    """

    def __init__(self, folder: RemotePath) -> None:
        self.folder = folder
        self._lock = RemoteLock(folder.parent / f"{folder.name}.lock", str(folder.parent))
        self._usable = True

    def read(self) -> bytes:
        return read_segments(self.folder)

    def cut(self, length: int) -> None:
        """Refused: segments are whole, or damaged by something else than a kill."""
        raise InputError(f"the last segment of {self.folder} is damaged; nothing was changed.")

    def append(self, seq: int, line: bytes) -> None:
        if not self._usable:
            raise RuntimeError(f"this Journal of {self.folder} cannot append; open it anew")
        self._lock.require()
        segment = self.folder / f"{seq:08d}"
        mine = segment / f"{self._lock.owner}.jsonl"
        self._usable = False  # a write that failed may have been done all the same
        mine.write_bytes(line)
        if names(segment) != [mine.name]:
            mine.unlink(missing_ok=True)
            raise StorageError(
                errno.EBUSY, "another driver writes to this run too; this one stops", str(segment)
            )
        self._usable = True

    def close(self) -> None:
        self._usable = False
        self._lock.close()


def read_segments(folder: RemotePath) -> bytes:
    """All lines, in order.

    Raises:
        InputError: if there are none, or two of one number.
    """
    found = [each for each in folder.entries(recursive=True) if each.is_file]
    paths = sorted(each.path.rsplit("/", 2)[1:] for each in found)
    for (number, one), (following, other) in pairwise(paths):
        if number == following:
            raise InputError(
                f"{folder}: two drivers have written segment {number}, {one} and {other}: "
                "remove that of the driver which was stopped; nothing was changed."
            )
    places = [folder / number / name for number, name in paths]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return b"".join(pool.map(RemotePath.read_bytes, places))

"""A journal on an object store, which cannot append: one object a line, never written over.

The object of line n is `journal/0000000n/OWNER.jsonl`, OWNER being the driver that wrote it. Two
drivers that write the same line therefore write two objects, each sees the other's when it looks
afterwards, and gives way: nothing is lost even where a lock failed. Where one was killed before it
could give way, the line that the following one is chained to is the journal's; of two last ones
it is the older.
"""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import final

from automl_cl.run.journal_medium import Medium, Overtaken
from automl_cl.run.journal_seal import Chain
from automl_cl.run.remote_lock import RemoteLock
from search_spaces.errors import InputError
from trainables.foundation.storage import RemotePath, names

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
        self._newest: RemotePath | None = None

    def read(self) -> bytes:
        found = _segments(self.folder)
        self._newest = found[-1][0] if found else None
        return b"".join(line for _, line in found)

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
            raise Overtaken(
                errno.EBUSY, "another driver writes to this run too; this one stops", str(segment)
            )
        if self._newest is not None and not self._newest.is_file():
            mine.unlink(missing_ok=True)
            raise FileNotFoundError(errno.ENOENT, "it was deleted while in use", str(self.folder))
        self._usable, self._newest = True, mine

    def close(self) -> None:
        self._usable = False
        self._lock.close()


def read_segments(folder: RemotePath) -> bytes:
    """All lines, in order.

    Raises:
        InputError: if there are two of one number, and nothing says which is the journal's.
    """
    return b"".join(line for _, line in _segments(folder))


def _segments(folder: RemotePath) -> list[tuple[RemotePath, bytes]]:
    """The objects of the lines, in order, with what is in them."""
    found = [each for each in folder.entries(recursive=True) if each.is_file]
    # Of one number the older is first, by the store's clock.
    found.sort(key=lambda each: (each.path.rsplit("/", 2)[1], each.mtime, each.path))
    places = [folder / each.path.rsplit("/", 2)[1] / each.base_name for each in found]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        lines = list(pool.map(RemotePath.read_bytes, places))
    pairs = zip(places, lines, strict=True)
    groups = [list(group) for _, group in groupby(pairs, lambda pair: pair[0].parent.name)]
    chain, chosen = Chain(), []
    for index, group in enumerate(groups):
        following = groups[index + 1] if index + 1 < len(groups) else []
        place, line = group[0] if len(group) == 1 else _chosen(folder, chain, group, following)
        opened = chain.opened(line.removesuffix(b"\n"))
        chain = chain if opened is None else opened[1]
        chosen.append((place, line))
    return chosen


def _chosen(
    folder: RemotePath,
    chain: Chain,
    group: list[tuple[RemotePath, bytes]],
    following: list[tuple[RemotePath, bytes]],
) -> tuple[RemotePath, bytes]:
    """That of several objects of one number to which what follows is chained.

    Raises:
        InputError: if that cannot be told.
    """
    fitting = []
    for place, line in group:
        opened = chain.opened(line.removesuffix(b"\n"))
        if opened is None:
            continue
        after = [opened[1].opened(other.removesuffix(b"\n")) for _, other in following]
        if not following or any(each is not None for each in after):
            fitting.append((place, line))
    if len(fitting) == 1 or (fitting and not following):
        return fitting[0]
    owners = " and ".join(place.name for place, _ in group)
    raise InputError(
        f"{folder}: two drivers have written segment {group[0][0].parent.name}, {owners}: "
        "remove that of the driver which was stopped; nothing was changed."
    )

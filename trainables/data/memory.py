"""How much memory there is to load data into."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def memory_there_is(root: Path | None = None) -> int:
    """Bytes of this machine's memory, or what a container's control group allows of them.

    Args:
        root: where control groups are found; by itself where Linux has them.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(root or ROOT)])


def _limits(root: Path) -> list[int]:
    """The limits of version 2 and version 1; within a container its own group is the root."""
    found = []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = (root / name).read_text().strip()
        except OSError:
            continue
        if limit.isdigit() and int(limit) > 0:
            found.append(int(limit))
    return found

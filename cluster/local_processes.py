"""The processes of Ray on this machine without which its driver cannot go on."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

RAYLET, HEAD = "raylet", "head"


def local_processes() -> dict[str, int]:
    """The process ids of the raylet here and, of a Ray of our own, of its head.

    Empty where they are not known, such as for a driver that is a client of a Ray elsewhere.
    """
    from ray._private import ray_constants
    from ray._private.worker import _global_node as node

    found: dict[str, int] = {}
    if node is None:
        return found
    for name, kind in (
        (RAYLET, ray_constants.PROCESS_TYPE_RAYLET),
        (HEAD, ray_constants.PROCESS_TYPE_GCS_SERVER),
    ):
        if begun := node.all_processes.get(kind):
            found[name] = begun[0].process.pid
    if RAYLET not in found:
        with suppress(OSError):
            found[RAYLET] = _listening_on(node.raylet_socket_name)
    return found


def logs_folder() -> str:
    """The folder of the connected Ray's logs on this machine; empty if there is none."""
    from ray._private.worker import _global_node as node

    return "" if node is None else str(node.get_logs_dir_path())


def _listening_on(path: str) -> int:
    """The process that listens on a socket of this machine."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(1.0)
        asked.connect(path)
        credentials = asked.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
        )
    process, _, _ = struct.unpack("3i", credentials)
    return int(process)


class Deaths:
    """Tells which of some processes has ended, the moment it does."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._names: dict[int, str] = {}
        for name, process in processes.items():
            try:
                descriptor = os.pidfd_open(process)
            except (AttributeError, OSError):  # not of this system; or it has ended already
                continue
            self._names[descriptor] = name

    def first(self, seconds: float) -> str | None:
        """The name of one that has ended, if it does so in time. Several threads may ask."""
        poll = select.poll()  # which may not be shared
        for descriptor in self._names:
            poll.register(descriptor, select.POLLIN)
        ended = poll.poll(1000 * seconds)
        return self._names[ended[0][0]] if ended else None

    def close(self) -> None:
        """Gives the descriptors back."""
        for descriptor in self._names:
            os.close(descriptor)


@contextmanager
def deaths_of(processes: Mapping[str, int]) -> Iterator[Deaths]:
    """Watches for the end of processes, as long as it is entered."""
    deaths = Deaths(processes)
    try:
        yield deaths
    finally:
        deaths.close()

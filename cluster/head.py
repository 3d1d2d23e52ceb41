"""Notice the end of the Ray that a driver is connected to: its head, and the raylet here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cluster.connection import require_reachable
from cluster.errors import ClusterError
from cluster.local_processes import RAYLET, Deaths, deaths_of, local_processes, logs_folder

GONE_SECONDS = 30.0
"""A head that does not answer for so long counts as gone. Ray ends its drivers after 60."""
POLL_SECONDS = 3.0
LOOK_SECONDS = 0.25
LATE_SECONDS = 1.0
"""Seconds after an error in which the end of the process that caused it becomes known."""


@dataclass(frozen=True)
class Gone:
    """The part of Ray that has ended.

    Attributes:
        words: what happened.
        logs: the folder of Ray's logs on this machine; nothing if there is none.
        raylet: the process id that the raylet here has or had; 0 if it is not known.
    """

    words: str
    logs: str
    raylet: int


@contextmanager
def watched_head(given: str | None, on_gone: Callable[[Gone], object]) -> Iterator[None]:
    """Looks from threads whether the connected Ray's head answers and its processes here live.

    What calls Ray meanwhile can hang, errors that come of a Ray that is gone say little, and Ray
    itself may end the driver: errors wait here for the threads.

    Args:
        given: the address that was connected to; None for a Ray of our own.
        on_gone: called once, in a thread, with what happened; ends the process.
    """
    import ray

    # Where Ray Client leads to cannot be reached from here, but only the client's server.
    by_client = given is not None and given.startswith("ray://")
    address = str(given if by_client else ray.get_runtime_context().gcs_address)
    processes = {} if by_client else local_processes()
    where = "" if by_client else logs_folder()
    left, told = threading.Event(), threading.Lock()

    def tell(words: str) -> None:
        if told.acquire(blocking=False) and not left.is_set():
            on_gone(Gone(words, where, processes.get(RAYLET, 0)))

    with deaths_of(processes) as deaths:
        watching = [
            threading.Thread(target=_watch, args=(address, left, tell), daemon=True),
            threading.Thread(target=_wait, args=(deaths, processes, left, tell), daemon=True),
        ]
        for each in watching:
            each.start()
        try:
            yield
        except Exception:
            if deaths.first(LATE_SECONDS) is not None or not _answers(address):
                watching[0].join(GONE_SECONDS + 2 * POLL_SECONDS)
            raise
        finally:
            left.set()
            watching[1].join()


def _watch(address: str, left: threading.Event, tell: Callable[[str], None]) -> None:
    heard = time.monotonic()
    while not left.wait(POLL_SECONDS):
        if _answers(address):
            heard = time.monotonic()
        elif time.monotonic() - heard > GONE_SECONDS and not left.is_set():
            tell(f"Ray's head at {address} has not answered for {GONE_SECONDS:.0f} s")
            return


def _wait(
    deaths: Deaths, processes: dict[str, int], left: threading.Event, tell: Callable[[str], None]
) -> None:
    while not left.is_set():
        ended = deaths.first(LOOK_SECONDS)
        if ended is not None:
            tell(f"Ray's {ended} on this machine has ended (process {processes[ended]})")
            return


def _answers(address: str) -> bool:
    try:
        require_reachable(address, POLL_SECONDS)
    except ClusterError:
        return False
    return True

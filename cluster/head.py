"""Whether the head of the connected Ray is still there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.connection import require_reachable
from cluster.errors import ClusterError

GONE_SECONDS = 30.0
"""A head that does not answer for so long counts as gone. Ray ends its drivers after 60."""
POLL_SECONDS = 3.0


@contextmanager
def watched_head(given: str | None, on_gone: Callable[[str], object]) -> Iterator[None]:
    """Looks from a thread whether the connected Ray's head answers.

    What calls Ray meanwhile can hang, and errors that come of a head that is gone say little: they
    wait here for the thread.

    Args:
        given: the address that was connected to; None for a Ray of our own.
        on_gone: called once, in the thread, with what happened in words; ends the process.
    """
    import ray

    # Where Ray Client leads to cannot be reached from here, but only the client's server.
    by_client = given is not None and given.startswith("ray://")
    address = str(given if by_client else ray.get_runtime_context().gcs_address)
    left = threading.Event()
    watching = threading.Thread(target=_watch, args=(address, left, on_gone), daemon=True)
    watching.start()
    try:
        yield
    except Exception:
        if not _answers(address):
            watching.join(GONE_SECONDS + 2 * POLL_SECONDS)
        raise
    finally:
        left.set()


def _watch(address: str, left: threading.Event, on_gone: Callable[[str], object]) -> None:
    heard = time.monotonic()
    while not left.wait(POLL_SECONDS):
        if _answers(address):
            heard = time.monotonic()
        elif time.monotonic() - heard > GONE_SECONDS and not left.is_set():
            on_gone(f"Ray's head at {address} has not answered for {GONE_SECONDS:.0f} s")
            return


def _answers(address: str) -> bool:
    try:
        require_reachable(address, POLL_SECONDS)
    except ClusterError:
        return False
    return True

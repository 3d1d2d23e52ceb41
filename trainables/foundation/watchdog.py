"""Ends a process in which a trial hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_progress = time.monotonic()


def note_progress() -> None:
    """To be called with each step, and with each operation of other work."""
    global _progress
    _progress = time.monotonic()


class Watchdog:
    """Watches from a thread whether there is progress, for one trial after another.

    Native code that hangs cannot be interrupted: it is for the one who is told to end the process.

    Args:
        poll: seconds between two looks.
    """

    def __init__(self, poll: float = 1.0) -> None:
        self._poll = poll
        self._watched: tuple[float, Callable[[str], object]] | None = None
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def over(self, seconds: float | None, on_hang: Callable[[str], object]) -> Iterator[None]:
        """Watches what runs inside.

        Args:
            seconds: without progress after which it hangs; None for however many.
            on_hang: told so in words, in another thread.
        """
        note_progress()
        self._watched = None if seconds is None else (seconds, on_hang)
        try:
            yield
        finally:
            self._watched = None

    def _watch(self) -> None:
        while True:
            time.sleep(self._poll)
            watched = self._watched
            if watched is not None and time.monotonic() - _progress > watched[0]:
                watched[1](f"no progress for {watched[0]:g} s")

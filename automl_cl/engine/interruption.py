"""Ctrl-C and SIGTERM: once asks a run to stop in order, twice ends the process at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

from automl_cl.terminal import say_error, say_last_words

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STATUS = 130
TOGETHER = 0.2
"""Seconds within which signals count as one: `timeout` and other launchers send it twice."""


class Interruption:
    """Takes SIGINT and SIGTERM while it is entered.

    The first one raises `KeyboardInterrupt`, or is put off or answered otherwise where that would
    leave something half done. The second ends the process with status 130, whatever the main
    thread hangs in: the journal holds what was reported, and Ray's processes end with their
    driver. Outside the main thread, where Python has no signals, it does nothing.

    Args:
        announce: told, in another thread, what the first signal leads to.

    Attributes:
        requested: whether a signal has come.
    """

    def __init__(self, announce: Callable[[str], None] = say_error) -> None:
        self.announce = announce
        self.requested = False
        self._respond: Callable[[], None] = _raise
        self._notice: Callable[[], str] = lambda: "stopping"
        self._before: dict[signal.Signals, Any] = {}
        self._active = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interruption:
        if not self._active:
            return self
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno())
        self._before = {each: signal.getsignal(each) for each in SIGNALS}
        self._install()
        threading.Thread(target=self._count, name="signals", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._active:
            return
        for each, handler in self._before.items():
            signal.signal(each, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._writer.close()

    def _install(self) -> None:
        for each in SIGNALS:
            signal.signal(each, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._respond()

    def _count(self) -> None:
        """Sees the signals as they arrive, also while the main thread is busy in foreign code."""
        first: float | None = None
        with self._reader:
            while received := self._reader.recv(16):
                for number in received:
                    if number not in SIGNALS:
                        continue
                    if first is None:
                        first, self.requested = time.monotonic(), True
                        self.announce(f"{self._notice()}; Ctrl-C again ends at once")
                    elif time.monotonic() - first > TOGETHER:
                        end_at_once("ended at once", STATUS)

    @contextmanager
    def answered_by(
        self, respond: Callable[[], None], notice: Callable[[], str]
    ) -> Iterator[None]:
        """Has a signal call something instead of raising `KeyboardInterrupt`.

        Args:
            respond: called in the main thread, in between any two instructions.
            notice: says what comes of it.
        """
        before = self._respond, self._notice
        self._respond, self._notice = respond, notice
        try:
            yield
        finally:
            self._respond, self._notice = before

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Raises `KeyboardInterrupt` only at the end of this, for a signal that came within.

        What runs in it may put a signal handler of its own; it is replaced.
        """
        with self.answered_by(lambda: None, lambda: "stopping as soon as Ray has started"):
            try:
                yield
            finally:
                if self._active:
                    self._install()
                if self.requested:
                    raise KeyboardInterrupt


def _raise() -> NoReturn:
    raise KeyboardInterrupt


def end_at_once(words: str, status: int) -> NoReturn:
    """Ends this process and all that it began, whatever they hang in.

    Args:
        words: why, for standard error.
        status: the process's exit code.
    """
    say_last_words(words)
    for process in descendants(os.getpid()):  # some of Ray's would run on for seconds
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(status)


def descendants(ancestor: int) -> set[int]:
    """The processes begun by a process, directly or not."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # After the name, which may hold anything, come state and parent.
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found: set[int] = set()
    grown = {ancestor}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown}
        found |= grown
    return found

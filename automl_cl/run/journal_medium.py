"""What the lines of a journal are kept on."""

from __future__ import annotations

from abc import ABC, abstractmethod

from trainables.foundation.storage import StorageError


class Overtaken(StorageError):
    """A journal that is not as its driver left it: the run is another's now."""


class Medium(ABC):
    """Keeps lines in order, for one process at a time."""

    @abstractmethod
    def read(self) -> bytes:
        """All that is kept: lines, and perhaps the beginning of one more."""

    @abstractmethod
    def cut(self, length: int) -> None:
        """Keeps the first bytes only: the lines without what comes after them."""

    @abstractmethod
    def append(self, seq: int, line: bytes) -> None:
        """Keeps one more line, newline included, for good once this returns.

        Args:
            seq: how many lines there are before it.
            line: the line.

        Raises:
            Overtaken: somebody else has written to it, or put another in its place.
            OSError: it could not be kept; what is there is as it was.
            RuntimeError: the medium is closed, or a failure before left it in doubt.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets others have it; closing twice does nothing."""

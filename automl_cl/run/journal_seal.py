"""What makes lines a chain: each line's checksum covers the line and all lines before it.

A line of another run, or of another place in the same run, therefore does not fit. Journals of
earlier versions have a CRC-32 of each line alone; what is appended to one is chained to the whole
of it.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass

_SEALED = re.compile(rb'(.*), "sum": "([0-9a-f]{16}|[0-9a-f]{8})"\}')


@dataclass(frozen=True)
class Chain:
    """What the lines so far come to.

    Attributes:
        state: 16 hex digits of a hash of them all; empty before the first.
        chained: whether any of them was chained to those before.
        run: what the first line came to, which is like no other run's.
    """

    state: str = ""
    chained: bool = False
    run: str = ""

    def sealed(self, body: bytes) -> tuple[bytes, Chain]:
        """A JSON object as the next line, and the chain with it."""
        following = self._with(self._after(body), True)
        return body[:-1] + f', "sum": "{following.state}"}}'.encode(), following

    def opened(self, line: bytes) -> tuple[bytes, Chain] | None:
        """The JSON object of the next line, and the chain with it; None if it does not fit."""
        found = _SEALED.fullmatch(line)
        if found is None:
            return None
        body, checksum = found[1] + b"}", found[2].decode()
        state = self._after(body)
        if len(checksum) == 8:  # of an earlier version, and so before all that are chained
            fits = not self.chained and checksum == f"{zlib.crc32(body):08x}"
        else:
            fits = checksum == state
        return (body, self._with(state, len(checksum) > 8)) if fits else None

    def _with(self, state: str, chained: bool) -> Chain:
        return Chain(state, chained, self.run or state)

    def _after(self, body: bytes) -> str:
        return hashlib.sha256(self.state.encode() + body).hexdigest()[:16]

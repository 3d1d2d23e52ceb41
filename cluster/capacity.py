"""The number of trials that fit the cluster now, while nodes join and leave."""

from __future__ import annotations

import time
from collections.abc import Callable

from cluster.resources import TrialResources, refusal, slots, usable_nodes

ASK_SECONDS = 3.0


class Capacity:
    """The number of trials that can run at once, asked anew every few seconds.

    Where none fits it is still 1: the trial that waits is what an autoscaler sees.

    Args:
        trial: what one trial asks for.
        first: how many there are now.
        say: told when there is no room any more, and when there is again.
    """

    def __init__(self, trial: TrialResources, first: int, say: Callable[[str], object]) -> None:
        self.trial, self._room, self._say = trial, first, say
        self._asked = time.monotonic()

    def __call__(self) -> int:
        if time.monotonic() - self._asked > ASK_SECONDS:
            nodes = usable_nodes()
            before, self._room = self._room, slots(nodes, self.trial)
            self._asked = time.monotonic()
            if before and not self._room:
                self._say(f"waiting for a node: {refusal(nodes, self.trial)}")
            if self._room and not before:
                self._say(f"there is room again, for {self._room} at a time")
        return max(1, self._room)

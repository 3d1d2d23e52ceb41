"""Trials whose process died, until it is known what of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ray.exceptions import RayActorError

from automl_cl.engine.session import Session
from automl_cl.run.events import Cause
from automl_cl.run.trial import CRASHED, NODE_LOST, PREEMPTED
from cluster import Death, death_of
from trainables.trials.last_words import last_words
from trainables.trials.trial_run import TrialRequest

PATIENCE = 30.0
"""Seconds: Ray itself finds out in about 15 whether a node is lost."""

LastWords = Callable[[TrialRequest], tuple[str, str] | None]


@dataclass(frozen=True)
class _Lost:
    """A trial without a process, what its driver was told, and when."""

    request: TrialRequest
    error: BaseException | None
    since: float


class Losses:
    """Tells the session of lost trials, each with what became of its process.

    Args:
        session: to be told.
        left: with which words a process has ended itself.
        death: what an actor died of.
    """

    def __init__(
        self,
        session: Session,
        left: LastWords = last_words,
        death: Callable[[RayActorError], Death | None] = death_of,
    ) -> None:
        self._session, self._left, self._death = session, left, death
        self._unclear: list[_Lost] = []

    @property
    def unclear(self) -> int:
        """How many losses the session has not been told of yet."""
        return len(self._unclear)

    def note(self, request: TrialRequest, error: BaseException | None) -> None:
        """Takes a loss down, and tells the session if all is known already."""
        self._unclear.append(_Lost(request, error, time.monotonic()))
        self.settle()

    def settle(self) -> None:
        """Tells the session of those losses whose cause is known by now."""
        waiting, self._unclear = self._unclear, []
        for lost in waiting:
            found = self._cause(lost)
            if found is None:
                self._unclear.append(lost)
            else:
                cause, reason = found
                details = None if lost.error is None else str(lost.error)
                self._session.lost(lost.request.number, reason, cause, details)

    def _cause(self, lost: _Lost) -> tuple[Cause, str] | None:
        left = self._left(lost.request)
        if left is not None:
            return Cause(left[0]), left[1]
        if not isinstance(lost.error, RayActorError):
            return CRASHED, _in_a_line(lost.error)
        death = self._death(lost.error)
        if death is not None and death.of_node:
            return PREEMPTED if death.announced else NODE_LOST, death.words
        if death is not None or time.monotonic() - lost.since > PATIENCE:
            return CRASHED, _in_a_line(lost.error) if death is None else death.words
        return None


def _in_a_line(error: BaseException | None) -> str:
    """The end of what an error says: Ray's begin with a traceback of theirs."""
    lines = [line for line in str(error or "").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "its process died"

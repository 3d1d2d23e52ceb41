"""The learning rate as it is."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.parts.schedule import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """A learning rate that does not move."""

    def factor(self, progress: float) -> float:
        return 1.0

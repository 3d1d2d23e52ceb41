"""The plain baseline: all examples, in random order, weighted alike."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.scenarios.curriculum.curriculum import Curriculum


@dataclass(frozen=True)
class Plain(Curriculum):
    """No curriculum: empirical risk minimisation (Vapnik, NIPS 1991), the baseline to beat."""

"""The tiny problems of every scenario's contracts, with a few labels only."""

from __future__ import annotations

from typing import Any

from trainables.data import DataView
from trainables.semi_supervised._view import PartlyLabelled

LABELS = 60
CHANGES: dict[str, dict[str, Any]] = {
    "supervised": {},
    # The published weight is for a ramp of 40,000 steps; a few dozen never get away from it.
    "mean_teacher": {"ratio": 1, "weight": 5.0},
}


def view(view: DataView) -> PartlyLabelled:
    return PartlyLabelled.of(view, LABELS, seed=0)


def changes(algorithm: str) -> dict[str, Any]:
    # With seven unlabelled examples to a labelled one, a step is longer than an epoch here.
    changed = CHANGES.get(algorithm, {"ratio": 1})
    return {f"algorithm.{algorithm}.{name}": value for name, value in changed.items()}

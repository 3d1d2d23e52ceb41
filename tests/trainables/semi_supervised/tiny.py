"""The tiny problems of every scenario's contracts, with a few labels only."""

from __future__ import annotations

from typing import Any

from trainables.data import DataView
from trainables.semi_supervised._view import PartlyLabelled

LABELS = 60
CHANGES: dict[str, dict[str, Any]] = {
    "supervised": {},
    # Published weights are for 10^5 steps and more: a few dozen do not get away from their own
    # first answers, of which Mean Teacher's weigh 100 and FlexMatch's count however unsure.
    "flexmatch": {"ratio": 1, "weight": 0.3},
    "mean_teacher": {"ratio": 1, "weight": 5.0},
}


def view(view: DataView) -> PartlyLabelled:
    return PartlyLabelled.of(view, LABELS, seed=0)


def changes(algorithm: str) -> dict[str, Any]:
    # With seven unlabelled examples to a labelled one, a step is longer than an epoch here.
    changed = CHANGES.get(algorithm, {"ratio": 1})
    return {f"algorithm.{algorithm}.{name}": value for name, value in changed.items()}

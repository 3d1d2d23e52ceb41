"""Whether a run is long enough for the teacher or scorer that comes before its first step."""

from __future__ import annotations

from search_spaces import InputError
from trainables.short_training import RunUp

MOST = 0.5
"""The share of a run's compute that may be spent before its first step."""


def least_horizon(needed: RunUp, unit: float, forward: float) -> float:
    """The epochs of compute that a run must have to be let to pay for what it needs.

    Args:
        needed: before its first step.
        unit: FLOPs of an epoch of the plain baseline.
        forward: FLOPs of a forward pass over all examples.
    """
    return needed.compute(unit, forward) / unit / MOST


def require_room(name: str, least: float, horizon: float) -> None:
    """Refuses a horizon that is too short for an algorithm.

    Raises:
        InputError: if it is less than the least that is needed.
    """
    # What is asked for is rounded to whole FLOPs on its way here.
    if least > horizon * (1.0 + 1e-6):
        raise InputError(
            f"algorithm: '{name}' spends {least * MOST:.4g} epochs of compute on a teacher or "
            f"scorer before its first step, and there are {horizon:.4g}; it needs at least "
            f"{least:.4g}, so that half is left for training, or a cheaper teacher or scorer."
        )

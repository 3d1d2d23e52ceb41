"""Check that a run is long enough for the teacher or scorer before its first step."""

from __future__ import annotations

import torch
from torch import nn

from trainables.learning.flops import FlopCounter
from trainables.learning.learner import HorizonTooShort
from trainables.learning.scoring import evaluating
from trainables.learning.short_training import RunUp

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
        HorizonTooShort: if it is less than the least that is needed.
    """
    # What is asked for is rounded to whole FLOPs on its way here.
    if least > horizon * (1.0 + 1e-6):
        raise HorizonTooShort(f"algorithm: '{name}' {why_not(least, horizon)}.")


def why_not(least: float, horizon: float) -> str:
    """Return the reason that a horizon is too short, as the rest of a sentence."""
    return (
        f"spends {least * MOST:.4g} epochs of compute on a teacher or scorer before its first "
        f"step, and there are {horizon:.4g}; it needs at least {least:.4g}, so that half is left "
        "for training, or a cheaper teacher or scorer"
    )


def forward_share(model: nn.Module, input_shape: tuple[int, ...]) -> float:
    """The FLOPs of a forward pass over those of a forward and a backward pass."""
    inputs = torch.zeros(2, *input_shape)
    with evaluating(model), FlopCounter() as forward:
        model(inputs)
    with FlopCounter() as both:
        model.train()(inputs).sum().backward()
    return forward.total / both.total

"""Drawing examples by weight, and what is remembered of each, without leaving the device."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.foundation.randomness import keyed_uniform


def drawn(log_weights: Tensor, count: int, seed: int) -> Tensor:
    """Draws without replacement, each next one in proportion to its weight among those left.

    The `count` largest of log w - log(-log u), u uniform (Gumbel top-k; Efraimidis and Spirakis,
    2006). The same on every device and rank.

    Args:
        log_weights: [n], up to a constant; -inf is drawn last.
        count: how many to draw.
        seed: decides the draw.

    Returns:
        Indices, int64 [count].
    """
    places = torch.arange(len(log_weights), device=log_weights.device)
    # Draws are multiples of 2^-24; the middle of such a cell is neither 0 nor 1.
    uniform = keyed_uniform(places, seed, 1).squeeze(1).double() + 2.0**-25
    keys = log_weights.double() - torch.log(-torch.log(uniform))
    return keys.topk(count).indices


def remember(memory: Tensor, indices: Tensor, values: Tensor) -> None:
    """Writes the values of a batch's examples into what is kept of all.

    An example may be in a batch twice. Then the greater value counts, so that what is remembered
    does not depend on the order in which a device writes.
    """
    memory.scatter_reduce_(0, indices, values.to(memory.dtype), "amax", include_self=False)

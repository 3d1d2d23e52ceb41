"""Dropout over the batch of all ranks."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from trainables.ranks.ranks import ALONE, Ranks


class SharedMask(_DropoutNd):
    """Draws the mask of a dropout layer for the whole batch, of which each rank takes its part.

    So it is the mask that one rank alone would draw. Under `torch.func.vmap`, where a layer sees
    one task and knows of no others, and of less than this rank's part, each rank draws its own.
    """

    ranks: Ranks = ALONE

    def forward(self, inputs: Tensor) -> Tensor:
        """Drops of [batch, ...], or of [batch x k, ...] where an item has k rows."""
        own, total = self.ranks.part or (slice(0, 0), 0)
        rows, rest = divmod(len(inputs), max(1, own.stop - own.start))
        vmapped = torch._C._functorch.peek_interpreter_stack() is not None
        if vmapped or rest or rows * total == 0 or not self.training:
            dropped: Tensor = super().forward(inputs)
            return dropped
        whole: Tensor = super().forward(inputs.new_ones(rows * total, *inputs.shape[1:]))
        mask = whole[rows * own.start : rows * own.stop]
        return inputs * mask.clone()  # the clone lets the rest of the mask go


@final
class SharedDropout(SharedMask, nn.Dropout):
    """Of single values."""


@final
class SharedDropout1d(SharedMask, nn.Dropout1d):
    """Of channels of sequences."""


@final
class SharedDropout2d(SharedMask, nn.Dropout2d):
    """Of channels of images."""


@final
class SharedDropout3d(SharedMask, nn.Dropout3d):
    """Of channels of volumes."""


_SHARED: dict[type[nn.Module], type[SharedMask]] = {
    nn.Dropout: SharedDropout,
    nn.Dropout1d: SharedDropout1d,
    nn.Dropout2d: SharedDropout2d,
    nn.Dropout3d: SharedDropout3d,
}


def shared_dropout(layer: nn.Module, ranks: Ranks) -> nn.Module:
    """A dropout layer as one with a shared mask; any other module as it is."""
    kind = _SHARED.get(type(layer))
    if kind is None:
        return layer
    assert isinstance(layer, _DropoutNd)
    shared = kind(layer.p, layer.inplace)
    shared.ranks = ranks
    return shared.train(layer.training)

"""Dropout over the batch of all ranks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.ranks import Ranks

MULTIPLYING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class SharedDropout(nn.Module):
    """A dropout layer whose mask is drawn for the whole batch, of which each rank takes its part.

    So it is the mask that one rank alone would draw. Under `torch.func.vmap`, where a layer sees
    one task and knows of no others, each rank draws masks of its own.
    """

    def __init__(self, replaced: nn.Module, ranks: Ranks) -> None:
        super().__init__()
        self.ranks, self.replaced = ranks, replaced

    def forward(self, inputs: Tensor) -> Tensor:
        """Drops of [batch, ...], or of [batch x k, ...] where an item has k rows."""
        part = self.ranks.part
        alone = part is None or torch._C._functorch.peek_interpreter_stack() is not None
        if alone or not self.training or not len(inputs):
            dropped: Tensor = self.replaced(inputs)
            return dropped
        assert part is not None
        own, total = part
        rows = len(inputs) // (own.stop - own.start)
        whole = inputs.new_ones(rows * total, *inputs.shape[1:])
        mask: Tensor = self.replaced(whole)[rows * own.start : rows * own.stop]
        return inputs * mask.clone()  # the clone lets the rest of the mask go

"""Layers that look at the batch as a whole, for models whose batches are divided among ranks."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.ranks.batch_norm import SharedBatchNorm
from trainables.ranks.dropout import shared_dropout
from trainables.ranks.ranks import Ranks


def share_layers(model: nn.Module, ranks: Ranks) -> nn.Module:
    """The model with such layers taken over all ranks' batch; as it is for one rank."""
    if ranks.size == 1:
        return model
    if isinstance(model, _BatchNorm):
        return SharedBatchNorm(model, ranks)
    for name, child in model.named_children():
        setattr(model, name, share_layers(child, ranks))
    return shared_dropout(model, ranks)

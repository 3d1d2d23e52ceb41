"""Batch normalisation over the batch of all ranks, on any device."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.ranks.ranks import Ranks


class SharedBatchNorm(nn.Module):
    """A batch normalisation layer whose mean and variance are those of all ranks together.

    torch's own SyncBatchNorm (Ioffe and Szegedy, ICML 2015, over a process group) needs a GPU.
    State has the names that the replaced layer had.
    """

    def __init__(self, replaced: _BatchNorm, ranks: Ranks) -> None:
        super().__init__()
        self.ranks, self.eps, self.momentum = ranks, replaced.eps, replaced.momentum
        self.weight, self.bias = replaced.weight, replaced.bias
        self.register_buffer("running_mean", replaced.running_mean)
        self.register_buffer("running_var", replaced.running_var)
        self.register_buffer("num_batches_tracked", replaced.num_batches_tracked)

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalises [batch, channels, ...]; statistics are float32 whatever the inputs are."""
        given, inputs = inputs.dtype, inputs.float()
        if not self.training:
            mean, variance = self.running_mean, self.running_var
        else:
            mean, variance, count = self._moments(inputs)
            self._track(mean.detach(), variance.detach() * count / (count - 1))
        shape = (1, -1, *[1] * (inputs.dim() - 2))
        scaled = (inputs - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        return (scaled * self.weight.view(shape) + self.bias.view(shape)).to(given)

    def _moments(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dims = [0, *range(2, inputs.dim())]
        own = torch.tensor(float(inputs.numel() // inputs.shape[1]), device=inputs.device)
        count = self.ranks.sum(own)
        mean = self.ranks.sum(inputs.sum(dims)) / count
        deviations = inputs - mean.view(1, -1, *[1] * (inputs.dim() - 2))
        return mean, self.ranks.sum(deviations.square().sum(dims)) / count, count

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        # Without a momentum torch keeps the plain average over all batches.
        share = 1.0 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean += share * (mean - self.running_mean)
        self.running_var += share * (variance - self.running_var)

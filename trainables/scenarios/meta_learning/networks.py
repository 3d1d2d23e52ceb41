"""Operations of several algorithms on a network's features."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


def features(network: nn.Module, inputs: Tensor) -> Tensor:
    """Inputs of a network's last layer, [..., features], for inputs [..., *shape].

    Raises:
        TypeError: if the network is no sequence of layers with a linear one at its end.
    """
    if not isinstance(network, nn.Sequential) or not isinstance(network[-1], nn.Linear):
        raise TypeError("features need a network that ends in a linear layer")
    return over_examples(network[:-1], inputs)


def over_examples(network: nn.Module, inputs: Tensor) -> Tensor:
    """A network's outputs [tasks, examples, outputs] for inputs [tasks, examples, ...]."""
    tasks = inputs.shape[:2]
    return network(inputs.flatten(0, 1)).unflatten(0, tasks)


def centroids(features: Tensor, members: Tensor) -> Tensor:
    """The mean feature of each class.

    Args:
        features: [tasks, examples, features].
        members: one-hot classes [tasks, examples, ways].

    Returns:
        [tasks, ways, features].
    """
    sums = members.transpose(1, 2) @ features
    return sums / members.sum(1)[..., None]


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Squared Euclidean distances [tasks, points, centres], as matrix products."""
    products = points @ centres.transpose(1, 2)
    norms = points.square().sum(2)[..., None] + centres.square().sum(2)[:, None]
    return norms - 2.0 * products


@final
class SupportNorm(nn.Module):
    """Batch normalisation by the statistics of a task's support, for inputs of one task.

    Statistics of queries would tell what the other queries are, and those of all tasks, which
    running averages are, do not fit one task.

    Attributes:
        support: how many of the inputs, from the first, are the support; None for all.
    """

    def __init__(self, replaced: _BatchNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = replaced.weight, replaced.bias, replaced.eps
        self.support: int | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise [examples, channels, ...]; statistics are float32 at least."""
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        known, axes = values[: self.support], (0, *range(2, inputs.dim()))
        mean = known.mean(axes, keepdim=True)
        variance = known.var(axes, correction=0, keepdim=True)
        found = (values - mean) * (variance + self.eps).rsqrt()
        if self.weight is not None:
            shape = (-1, *[1] * (inputs.dim() - 2))
            found = found * self.weight.view(shape) + self.bias.view(shape)
        return found.to(inputs.dtype)


def normalised_by_support(network: nn.Module) -> nn.Module:
    """The network with the support's statistics in place of every batch's."""
    for name, layer in network.named_children():
        if isinstance(layer, _BatchNorm):
            setattr(network, name, SupportNorm(layer))
        else:
            normalised_by_support(layer)
    return network


def answers(
    network: nn.Module, parameters: dict[str, Tensor], support: Tensor, inputs: Tensor
) -> Tensor:
    """Outputs [queries, outputs] of a network with these parameters, for one task.

    Each depends on its own input [queries, ...] and the support's [shots, ...] alone.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, SupportNorm)]
    if not layers:
        alone: Tensor = functional_call(network, parameters, (inputs,))
        return alone
    for layer in layers:
        layer.support = len(support)
    try:
        outputs: Tensor = functional_call(network, parameters, (torch.cat([support, inputs]),))
    finally:
        for layer in layers:
            layer.support = None
    return outputs[len(support) :]

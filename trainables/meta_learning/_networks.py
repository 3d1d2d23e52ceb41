"""What several algorithms do with a network's features."""

from __future__ import annotations

from torch import Tensor, nn


def features(network: nn.Module, inputs: Tensor) -> Tensor:
    """What the last layer of a network gets to see, [..., features], for inputs [..., *shape].

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


def normalised_alone(network: nn.Module) -> nn.Module:
    """The network with layer normalisation over each image in place of batch normalisation."""
    for name, layer in network.named_children():
        if isinstance(layer, nn.BatchNorm2d):
            setattr(network, name, nn.GroupNorm(1, layer.num_features))
        else:
            normalised_alone(layer)
    return network

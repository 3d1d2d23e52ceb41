"""Networks beside the model that look at inputs and give each one a number."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.foundation.randomness import drawing_from
from trainables.learning.tensors import TensorExamples

Network = TypeVar("Network", bound=nn.Module)


class WeightNetwork(nn.Module):
    """A network like the model, and a linear layer from its logits to one number.

    Args:
        body: the network.
        classes: how many logits it gives.
        sees_labels: whether the layer is also given the label, and the logit of the label alone.
    """

    def __init__(self, body: nn.Module, classes: int, sees_labels: bool = False) -> None:
        super().__init__()
        self.classes, self.sees_labels = classes, sees_labels
        self.body, self.head = body, nn.Linear(classes * (3 if sees_labels else 1), 1)

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
        """A number for each input, [batch]."""
        features: Tensor = self.body(inputs)
        if self.sees_labels and labels is not None:
            label = F.one_hot(labels, self.classes).to(features.dtype)
            features = torch.cat([features, label, features * label], 1)
        numbers: Tensor = self.head(features).squeeze(1)
        return numbers


def weight_network(
    model: nn.Module, examples: TensorExamples, seed: int, sees_labels: bool = False
) -> WeightNetwork:
    """A copy of the model drawn anew, with one output, on its device and in its precision.

    Layers that cannot be drawn anew keep the model's weights.
    """
    body = copy.deepcopy(model)
    with drawing_from(seed):
        for module in body.modules():
            draw = getattr(module, "reset_parameters", None)
            if draw is not None:
                draw()
        outputs = _outputs(body, int(examples.labels.max()) + 1)
        network = WeightNetwork(body, outputs, sees_labels)
    return like(model, network)


def like(model: nn.Module, network: Network) -> Network:
    """A network on the device and in the precision of a model's parameters."""
    first = next(each for each in model.parameters() if each.is_floating_point())
    return network.to(first.device, first.dtype)


def _outputs(model: nn.Module, labels: int) -> int:
    """Number of logits of a model; a class may have no example."""
    sizes = [module.out_features for module in model.modules() if isinstance(module, nn.Linear)]
    return max(sizes[-1] if sizes else 0, labels)

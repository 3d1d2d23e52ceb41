"""Networks beside the model that look at inputs and give each one a number."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

from trainables.randomness import drawing_from
from trainables.tensors import TensorExamples

Network = TypeVar("Network", bound=nn.Module)


class WeightNetwork(nn.Module):
    """A network like the model, and a linear layer from its logits to one number."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(classes, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """A number for each input, [batch]."""
        numbers: Tensor = self.head(self.body(inputs)).squeeze(1)
        return numbers


def weight_network(model: nn.Module, examples: TensorExamples, seed: int) -> WeightNetwork:
    """A copy of the model drawn anew, with one output, on its device and in its precision.

    Layers that cannot be drawn anew keep the model's weights.
    """
    body = copy.deepcopy(model)
    with drawing_from(seed):
        for module in body.modules():
            draw = getattr(module, "reset_parameters", None)
            if draw is not None:
                draw()
        network = WeightNetwork(body, _outputs(body, int(examples.labels.max()) + 1))
    return like(model, network)


def like(model: nn.Module, network: Network) -> Network:
    """A network on the device and in the precision of a model's parameters."""
    first = next(each for each in model.parameters() if each.is_floating_point())
    return network.to(first.device, first.dtype)


def _outputs(model: nn.Module, labels: int) -> int:
    """How many logits a model gives: some class may have no example."""
    sizes = [module.out_features for module in model.modules() if isinstance(module, nn.Linear)]
    return max(sizes[-1] if sizes else 0, labels)

"""Multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from trainables.models._model import Model


@dataclass(frozen=True)
class MLP(Model):
    """Multilayer perceptron with ReLU; takes vectors, and images flattened."""

    width: int = 128
    depth: int = 2
    dropout: float = 0.0

    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        features = math.prod(input_shape)
        for _ in range(self.depth):
            layers += [nn.Linear(features, self.width), nn.ReLU()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            features = self.width
        return nn.Sequential(*layers, nn.Linear(features, num_classes))

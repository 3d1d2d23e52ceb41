"""Multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import nn

from search_spaces import Float, Int, Within
from trainables.parts.model import Model


@dataclass(frozen=True)
class MLP(Model):
    """Multilayer perceptron with ReLU; takes vectors, and images flattened."""

    knows_places: ClassVar[bool] = False

    width: Annotated[int, Within(Int(1, 65_536))] = 128
    depth: Annotated[int, Within(Int(0, 64))] = 2
    dropout: Annotated[float, Within(Float(0.0, 0.9))] = 0.0

    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        features = math.prod(input_shape)
        for _ in range(self.depth):
            layers += [nn.Linear(features, self.width), nn.ReLU()]
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            features = self.width
        return nn.Sequential(*layers, nn.Linear(features, num_classes))

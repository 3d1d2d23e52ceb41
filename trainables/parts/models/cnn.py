"""Small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import nn

from search_spaces import Int, Within
from trainables.parts.model import Model


@dataclass(frozen=True)
class CNN(Model):
    """Convolution blocks (3x3, batch normalisation, ReLU, 2x2 pooling), then one linear layer."""

    width: Annotated[int, Within(Int(1, 4_096))] = 32
    blocks: Annotated[int, Within(Int(1, 8))] = 2

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3

    def build(self, input_shape: Sequence[int], num_classes: int) -> nn.Module:
        layers: list[nn.Module] = []
        channels = input_shape[0]
        for block in range(self.blocks):
            width = self.width * 2**block
            layers += [
                nn.Conv2d(channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
            channels = width
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, num_classes)
        )

"""A network whose classifier grows with the stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainables.models import Model
from trainables.randomness import derive_seed, seed_cpu


class GrowingNetwork(nn.Module):
    """A backbone and one linear head for each task so far; logits are those of all heads.

    Args:
        backbone: from inputs to features [batch, features].
        features: how many.
        seed: decides the heads' first weights.
    """

    def __init__(self, backbone: nn.Module, features: int, seed: int) -> None:
        super().__init__()
        self.backbone, self.features, self.seed = backbone, features, seed
        self.heads = nn.ModuleList()

    @classmethod
    def of(cls, model: Model, input_shape: tuple[int, ...], seed: int) -> GrowingNetwork:
        """A model as a network without heads, its weights decided by a seed."""
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(seed, "initialisation"))
            backbone, features = model.build_backbone(input_shape)
        return cls(backbone, features, seed)

    def grow(self, classes: int) -> None:
        """Adds a head for the classes of a new task."""
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(self.seed, "head", len(self.heads)))
            self.heads.append(nn.Linear(self.features, classes))

    @property
    def sizes(self) -> list[int]:
        """The number of classes of each head."""
        return [head.out_features for head in self.heads if isinstance(head, nn.Linear)]

    @property
    def known(self) -> int:
        """The number of classes that were there before the newest task."""
        return sum(self.sizes[:-1])

    def classify(self, features: Tensor) -> Tensor:
        """Logits [batch, classes so far] of features."""
        return torch.cat([head(features) for head in self.heads], dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, classes so far]."""
        return self.classify(self.backbone(inputs))

    def newest(self, inputs: Tensor) -> Tensor:
        """Logits [batch, classes of the newest task]; no other head takes part."""
        logits: Tensor = self.heads[-1](self.backbone(inputs))
        return logits

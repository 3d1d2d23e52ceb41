"""A network whose classifier grows with the stream."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from trainables.foundation.randomness import derive_seed, seed_cpu
from trainables.parts.model import Model
from trainables.ranks.ranks import ALONE, Ranks
from trainables.ranks.shared_layers import share_layers


class GrowingNetwork(nn.Module):
    """A backbone and one linear head for each task so far; logits are those of all heads.

    Inputs come as they were stored. They are standardised here, so that the statistics, which
    must not know of later tasks, are saved and exported with the weights.

    Args:
        backbone: from inputs to features [batch, features].
        features: how many.
        seed: decides the heads' first weights.
        ranks: among which batches are divided.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, backbone: nn.Module, features: int, seed: int, ranks: Ranks = ALONE
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.backbone = share_layers(backbone, ranks)
        self.features, self.seed, self.ranks = features, seed, ranks
        self.heads = nn.ModuleList()
        self._held: list[nn.Module] = []

    @classmethod
    def of(
        cls, model: Model, input_shape: tuple[int, ...], seed: int, ranks: Ranks = ALONE
    ) -> GrowingNetwork:
        """A model as a network without heads, its weights decided by a seed."""
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(seed, "initialisation"))
            backbone, features = model.build_backbone(input_shape)
        return cls(backbone, features, seed, ranks)

    def standardise(self, mean: Tensor, scale: Tensor) -> None:
        """Takes `mean` off every input and divides by `scale`, of one input's shape or less."""
        self.mean, self.scale = mean.float(), scale.float()

    def standardise_like(self, inputs: Tensor, kept: Tensor | None = None) -> None:
        """Standardises by the statistics of each feature, or channel, of inputs [n, ...].

        Args:
            inputs: the inputs.
            kept: bool [features], which features stay as they are.
        """
        axes, values = (0, *range(2, inputs.dim())), inputs.double()
        mean = values.mean(axes, keepdim=True)[0]
        deviation = (values - mean).square().mean(axes, keepdim=True)[0].sqrt()
        varies = deviation > 1e-9 * mean.abs()
        scale = torch.where(varies, deviation, 1.0)
        if kept is not None:
            mean, scale = torch.where(kept, 0.0, mean), torch.where(kept, 1.0, scale)
        self.standardise(mean, scale)

    def hold_statistics(self) -> None:
        """Let normalisation layers keep the statistics that they have, and normalise by them.

        In the first task a layer that has seen no batch yet still learns its statistics.
        """
        tracked = [m for m in self.backbone.modules() if hasattr(m, "num_batches_tracked")]
        self._held = [m for m in tracked if self.known or m.num_batches_tracked]

    def train(self, mode: bool = True) -> Self:
        """Enter training or evaluation mode; layers that keep their statistics never train."""
        super().train(mode)
        for layer in self._held:
            layer.train(False)
        return self

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

    def embed(self, inputs: Tensor) -> Tensor:
        """Features [batch, features]."""
        features: Tensor = self.backbone((inputs - self.mean) / self.scale)
        return features

    def classify(self, features: Tensor) -> Tensor:
        """Logits [batch, classes so far] of features."""
        return torch.cat([head(features) for head in self.heads], dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [batch, classes so far], computed here; `logits` divides them among ranks."""
        return self.classify(self.embed(inputs))

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits [batch, classes so far] of a whole batch."""
        return self.ranks.divided(self, inputs)

    def newest(self, inputs: Tensor) -> Tensor:
        """Logits [batch, classes of the newest task] of a whole batch, of its head alone."""
        return self.ranks.divided(lambda own: self.heads[-1](self.embed(own)), inputs)

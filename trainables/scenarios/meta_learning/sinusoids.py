"""Sinusoid regression, the few-shot problem of MAML (Finn et al., ICML 2017)."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from trainables.foundation.randomness import keyed_uniform
from trainables.ranks.ranks import ALONE, Ranks
from trainables.scenarios.meta_learning.episodes import Episodes, EpisodeShape, Labelled, Tasks
from trainables.scenarios.meta_learning.problems import Regression

# There is no end of sinusoids. What is called a pass over all points, and so the unit of compute,
# is a pass over so many.
POINTS_IN_A_PASS = 50_000


@final
class SinusoidTasks(Tasks):
    """y = a sin(x - b) with a in [0.1, 5], b in [0, pi] and x in [-5, 5], all uniform."""

    def __init__(self, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.problem = Regression()
        self.device, self.ranks = device, ranks
        self.input_shape = (1,)
        self.examples, self.columns = POINTS_IN_A_PASS, {}
        self.classes = 1

    def episodes(self, indices: Tensor, shape: EpisodeShape, seed: int) -> Episodes:
        points = self._points(indices, shape.examples, seed)
        shots = shape.ways * shape.shots
        return Episodes(
            Labelled(*(each[:, :shots] for each in points)),
            Labelled(*(each[:, shots:] for each in points)),
        )

    def batch(self, indices: Tensor, seed: int) -> Labelled:
        """One point each of as many sinusoids."""
        return Labelled(*(each[:, 0] for each in self._points(indices, 1, seed)))

    def _points(self, indices: Tensor, count: int, seed: int) -> Labelled:
        draws = keyed_uniform(indices, seed, 2 + count)
        amplitudes, phases = 0.1 + 4.9 * draws[:, :1], math.pi * draws[:, 1:2]
        x = 10.0 * draws[:, 2:] - 5.0
        return Labelled(x[..., None], (amplitudes * torch.sin(x - phases))[..., None])

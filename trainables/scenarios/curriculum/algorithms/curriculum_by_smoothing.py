"""Curriculum by smoothing (Sinha, Garg and Larochelle, NeurIPS 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces import POSITIVE, POSITIVE_SHARE, Float
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Curriculum

INTERVAL = 0.025
"""Their 5 of 200 epochs."""
SIGMA = "smoothing_sigma"


def sigma_at(start: float, decay: float, progress: float) -> float:
    """The kernel's standard deviation in pixels at a share of the training."""
    # 3 x 0.025 / 0.025 is a little less than 3.
    return start * decay ** math.floor(progress / INTERVAL + 1e-9)


def gaussian(sigma: Tensor) -> Tensor:
    """A Gaussian kernel, [3, 3], that sums to 1; `sigma` a scalar."""
    place = torch.arange(-1.0, 2.0, device=sigma.device, dtype=sigma.dtype)
    row = torch.softmax(-(place**2) / (2.0 * sigma**2), 0)
    return torch.outer(row, row)


def smooth(convolution: nn.Module, inputs: Any, maps: Tensor) -> Tensor:
    """A forward hook: each of a convolution's feature maps is smoothed by itself."""
    channels = maps.shape[-3]
    sigma = convolution.get_buffer(SIGMA)
    kernel = gaussian(sigma).to(maps.dtype).expand(channels, 1, 3, 3)
    return F.conv2d(maps, kernel, padding=1, groups=channels)


def convolutions(model: nn.Module) -> list[nn.Module]:
    """All two-dimensional convolutions, however deep in the model."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d)]


@dataclass(frozen=True)
class CurriculumBySmoothing(Curriculum):
    """Convolution outputs are smoothed, less and less, so that fine detail comes late.

    Sinha, Garg and Larochelle, "Curriculum By Smoothing", NeurIPS 2020: a 3 x 3 Gaussian kernel
    whose standard deviation begins at 1 and is multiplied by 0.9 every 5 of 200 epochs, here every
    0.025 of the training. The width is a buffer of each convolution and so part of the weights:
    a model from the middle of the training is evaluated as it was trained.
    """

    start: Annotated[float, Float(0.3, 3.0, log=True), POSITIVE] = 1.0
    decay: Annotated[float, Float(0.7, 0.97), POSITIVE_SHARE] = 0.9

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3

    @classmethod
    def unsuited(cls, model: nn.Module, input_shape: Sequence[int]) -> str | None:
        return None if convolutions(model) else "it has no torch.nn.Conv2d to smooth"

    def model_prepare(self, model: nn.Module, examples: TensorExamples, seed: int) -> None:
        self.refuse(self.unsuited(model, ()))
        for convolution in convolutions(model):
            if not hasattr(convolution, SIGMA):
                sigma = torch.tensor(self.start, device=examples.labels.device)
                convolution.register_buffer(SIGMA, sigma)
                convolution.register_forward_hook(smooth)

    def next_choice(self, progress: float) -> float:
        return (math.floor(progress / INTERVAL + 1e-9) + 1) * INTERVAL

    def model_curriculum(self, model: nn.Module, progress: float) -> nn.Module:
        for convolution in convolutions(model):
            convolution.get_buffer(SIGMA).fill_(sigma_at(self.start, self.decay, progress))
        return model

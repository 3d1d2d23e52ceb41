"""Views of images: shift and mirror, and a batched RandAugment with Cutout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces import BELOW_ONE, SHARE, Categorical, Float, Int, Within
from trainables.foundation.randomness import derive_seed, keyed_uniform
from trainables.parts.augmentations.shift import shifted
from trainables.parts.view import Views

# Operations and what they do at full magnitude; geometry in shares of half the image's side.
OPERATIONS = (
    "identity",
    "brightness",
    "contrast",
    "posterize",
    "rotate",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
FAR, NEAR = 0.125, 0.04
"""Shares of the side: FixMatch's shift, and a pixel of 28 for a model that knows no places."""
BRIGHTNESS, CONTRAST, COARSEST, DEGREES, SHEAR, TRANSLATION = 1.0, 0.9, 3.0, 30.0, 0.3, 0.6


@dataclass(frozen=True)
class ImageViews(Views):
    """Shift and mirror; RandAugment and Cutout on top of them for the strong view.

    As in FixMatch (Sohn et al., NeurIPS 2020): weak is a translation
    by up to 12.5 % and mirroring where classes allow it, strong adds operations drawn uniformly
    with random magnitudes (RandAugment, Cubuk et al., NeurIPS 2020) and a square hole of a side
    of up to half the image's (Cutout, DeVries and Taylor, arXiv 1708.04552). The operations are
    those that a whole batch can do at once, each sample its own.
    """

    of_strong_alone: ClassVar[tuple[str, ...]] = ("operations", "magnitude", "cutout")

    translation: Annotated[float, Float(0.0, 0.25), BELOW_ONE] = FAR
    mirror: Annotated[bool, Categorical([False, True])] = False
    operations: Annotated[int, Int(1, 3), Within(Int(0, 100))] = 2
    magnitude: Annotated[float, Float(0.1, 1.0), SHARE] = 1.0
    cutout: Annotated[float, Float(0.0, 0.5), SHARE] = 0.5

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        return len(input_shape) == 3

    def weak(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        pixels = round(self.translation * max(inputs.shape[2:]))
        return shifted(inputs, indices, key, pixels, self.mirror)

    def strong(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        images = self.weak(inputs, indices, derive_seed(key, "weak"))
        for number in range(self.operations):
            drawn = keyed_uniform(indices, derive_seed(key, "operation", number), 2)
            operation = (drawn[:, 0] * len(OPERATIONS)).long()
            images = operate(images, operation, self.magnitude * (2.0 * drawn[:, 1] - 1.0))
        drawn = keyed_uniform(indices, derive_seed(key, "cutout"), 3)
        return cut_out(images, drawn[:, :2], self.cutout * drawn[:, 2])


def operate(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
    """Does one of `OPERATIONS` to each image.

    Args:
        images: [batch, channels, height, width].
        operation: the number of each image's operation, int64 [batch].
        magnitude: in [-1, 1], [batch].
    """
    size = {name: magnitude * (operation == n) for n, name in enumerate(OPERATIONS)}
    return _recoloured(_warped(images, size), size)


def _warped(images: Tensor, size: dict[str, Tensor]) -> Tensor:
    """The images turned, sheared and moved; what comes in from outside repeats the border."""
    batch, _, height, width = images.shape
    # Pixel centres in [-1, 1], as grid_sample has them.
    y = ((2.0 * torch.arange(height, device=images.device) + 1.0) / height - 1.0)[None, :, None]
    x = ((2.0 * torch.arange(width, device=images.device) + 1.0) / width - 1.0)[None, None, :]
    angle = _spread(math.radians(DEGREES) * size["rotate"])
    shear_x, shear_y = (_spread(SHEAR * size[name]) for name in ("shear_x", "shear_y"))
    right, down = (_spread(TRANSLATION * size[name]) for name in ("translate_x", "translate_y"))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    # Sums of a row and a column, written where they belong: each pass over all pixels counts.
    grid = torch.empty(batch, height, width, 2, dtype=images.dtype, device=images.device)
    grid[..., 0] = (cosine * x + right) + (shear_x - sine) * y
    grid[..., 1] = (cosine * y + down) + (shear_y + sine) * x
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    turned_not = angle + shear_x + shear_y + right + down == 0.0
    return torch.where(turned_not[..., None], images, moved).view(batch, -1, height, width)


def _recoloured(images: Tensor, size: dict[str, Tensor]) -> Tensor:
    """The images brighter or darker, with another contrast, or with fewer levels."""
    brightness, contrast, posterize = (
        _spread(size[name])[..., None] for name in ("brightness", "contrast", "posterize")
    )
    middle = images.mean((1, 2, 3), keepdim=True)
    images = middle + (images - middle) * (1.0 + CONTRAST * contrast) + BRIGHTNESS * brightness
    low = images.amin((1, 2, 3), keepdim=True)
    extent = (images.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
    # From 16 levels down to COARSEST; a sign means nothing here.
    levels = 16.0 + (COARSEST - 16.0) * posterize.abs()
    coarse = low + ((images - low) / extent * (levels - 1.0)).round() / (levels - 1.0) * extent
    return torch.where(posterize == 0.0, images, coarse)


def cut_out(images: Tensor, centre: Tensor, side: Tensor) -> Tensor:
    """A square hole of value 0 in each image, which is the mean of standardised inputs.

    Args:
        images: [batch, channels, height, width].
        centre: in shares of height and width, [batch, 2].
        side: in shares of height and width, [batch].
    """
    height, width = images.shape[2:]
    y = (torch.arange(height, device=images.device) + 0.5) / height
    x = (torch.arange(width, device=images.device) + 0.5) / width
    half = side[:, None] / 2.0
    inside_y = (y - centre[:, :1]).abs() < half
    inside_x = (x - centre[:, 1:]).abs() < half
    hole = inside_y[:, :, None] & inside_x[:, None, :]
    return images.masked_fill(hole[:, None], 0.0)


def _spread(values: Tensor) -> Tensor:
    """[batch] as [batch, 1, 1]."""
    return values[:, None, None]

"""Random translations, with or without mirroring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from search_spaces import Categorical, Int, Within
from trainables.foundation.randomness import keyed_uniform
from trainables.parts.augmentation import ImageAugmentation


@dataclass(frozen=True)
class Shift(ImageAugmentation):
    """Translation by up to `pixels` each way, and mirroring (He et al., CVPR 2016, section 4.2).

    What moves in from outside repeats the border.
    """

    pixels: Annotated[int, Int(1, 4), Within(Int(0, 1_000_000))] = 2
    mirror: Annotated[bool, Categorical([False, True])] = False

    def apply(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        return shifted(inputs, indices, key, self.pixels, self.mirror)


def shifted(inputs: Tensor, indices: Tensor, key: int, pixels: int, mirror: bool) -> Tensor:
    """Images moved by up to `pixels` each way and, if wanted, half of them mirrored."""
    if pixels == 0 and not mirror:
        return inputs
    batch, channels, height, width = inputs.shape
    drawn = keyed_uniform(indices, key, 3)
    offset = (drawn[:, :2] * (2 * pixels + 1)).long() - pixels
    rows = torch.arange(height, device=inputs.device) + offset[:, :1]
    columns = torch.arange(width, device=inputs.device) + offset[:, 1:]
    if mirror:
        columns = torch.where(drawn[:, 2:] < 0.5, columns, width - 1 - columns)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    place = (rows[:, :, None] * width + columns[:, None, :]).view(batch, 1, -1)
    moved = inputs.flatten(2).gather(2, place.expand(-1, channels, -1))
    return moved.view_as(inputs)

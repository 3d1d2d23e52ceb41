"""The length of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import COUNT, Float, Int, Part


@dataclass(frozen=True)
class Length(Part):
    """Length and batch size, where the last weights are those that count.

    `epochs` is the horizon: compute in epochs of the plain baseline, whatever the algorithm does
    with it.
    """

    epochs: Annotated[float, Float(0.01, 10_000.0, log=True)] = 30.0
    batch_size: Annotated[int, Int(8, 1024, log=True), COUNT] = 64

"""What is chosen about a training run besides algorithm, optimizer and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import Categorical, Float, Int, Part


@dataclass(frozen=True)
class Training(Part):
    """Length, batch size, and which weights count.

    `epochs` is the horizon: compute in epochs of the plain baseline, whatever the algorithm does
    with it. `selection` takes the weights of the last epoch, or those of the best epoch by
    validation; the validation passes of the second are paid for.
    """

    epochs: Annotated[float, Float(0.01, 10_000.0, log=True)] = 30.0
    batch_size: Annotated[int, Int(8, 1024, log=True)] = 64
    selection: Annotated[str, Categorical(["last", "best"])] = "last"

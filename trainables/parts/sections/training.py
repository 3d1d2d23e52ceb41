"""The choices of a training run besides algorithm, optimizer and schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from search_spaces import Categorical
from trainables.parts.sections.length import Length


@dataclass(frozen=True)
class Training(Length):
    """Length, batch size, and which weights count.

    `epochs` is the horizon: compute in epochs of the plain baseline, whatever the algorithm does
    with it. `selection` takes the weights of the last epoch, or those of the best epoch by
    validation; the validation passes of the second are paid for.
    """

    selection: Annotated[str, Categorical(["last", "best"])] = "last"

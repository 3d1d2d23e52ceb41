"""The features that each column of a table gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """Neighbouring features that one column gives.

    Attributes:
        name: the column's.
        width: how many features there are.
        kind: one number, a feature for each category, or hashed text.
    """

    name: str
    width: int
    kind: Literal["number", "categories", "text"]


def text_features(blocks: Sequence[Block]) -> NDArray[np.bool_] | None:
    """Which features are hashed text, [features]; None if none is."""
    if not any(block.kind == "text" for block in blocks):
        return None
    kinds = [block.kind == "text" for block in blocks]
    return np.repeat(kinds, [block.width for block in blocks])

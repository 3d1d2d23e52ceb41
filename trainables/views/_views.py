"""What every pair of views is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from search_spaces import Part


@dataclass(frozen=True)
class Views(Part, ABC):
    """Two random ways to look at an input, of which one changes it little and one a lot.

    Both are batched operations on the device of the inputs. Randomness comes from the key and each
    sample's index alone, so that it does not matter which rank holds which sample.
    """

    kind: ClassVar[str] = "view"

    @abstractmethod
    def weak(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        """Inputs [batch, ...] changed so little that a model's guess about them can be trusted."""

    @abstractmethod
    def strong(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        """Inputs [batch, ...] changed as much as their classes allow."""

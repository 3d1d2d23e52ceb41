"""The base of every pair of views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from search_spaces import Override, Part, options


@dataclass(frozen=True)
class Views(Part, ABC):
    """Two random ways to look at an input, of which one changes it little and one a lot.

    Both are batched operations on the device of the inputs. Randomness comes from the key and each
    sample's index alone, so that it does not matter which rank holds which sample.

    Attributes:
        of_strong_alone: the hyperparameters that the weak view does not have.
    """

    kind: ClassVar[str] = "view"
    options_in: ClassVar[str] = "trainables.parts.views"
    of_strong_alone: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def weak(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        """Inputs [batch, ...] changed so little that a model's guess about them can be trusted."""

    @abstractmethod
    def strong(self, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        """Inputs [batch, ...] changed as much as their classes allow."""


def without_strong(**when: Any) -> tuple[Override, ...]:
    """The fields without effect for a part that only looks at weak views.

    Args:
        when: values of the part's own fields with which that is so; none if it always is.
    """
    # The family is abstract; what is asked about are its members.
    members = options(Views).values()  # type: ignore[type-abstract]
    names = dict.fromkeys(name for member in members for name in member.of_strong_alone)
    return tuple(Override(f"view.{name}", when) for name in names)

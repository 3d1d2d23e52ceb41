"""The base of every difficulty scorer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor, nn

from search_spaces import InputError, Part
from trainables.learning.short_training import RunUp
from trainables.learning.tensors import TensorExamples


class Scorer(Part, ABC):
    """Says how hard each training example is, from the training examples alone."""

    kind: ClassVar[str] = "scorer"
    options_in: ClassVar[str] = "trainables.scenarios.scorers"

    @abstractmethod
    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        """The difficulty of each example [n], on its device; more is harder.

        Args:
            examples: the training examples.
            model: as it stands; it is left as it is.
            seed: for whatever is drawn.
        """

    def run_up(self) -> RunUp:
        """Cost of scoring; nothing by default."""
        return RunUp()

    def was_given(self) -> str | None:
        """Describe what it learns from besides inputs and labels, with the cost; None for most."""
        return None


@dataclass(frozen=True)
class ColumnScorer(Scorer, ABC):
    """Reads the difficulty from a column of the data; costs nothing.

    Attributes:
        needs_column: which column.
        column_from: what gives data that column, for messages.
    """

    needs_column: ClassVar[str]

    @final
    def difficulty(self, examples: TensorExamples, model: nn.Module, seed: int) -> Tensor:
        missing = self.lacks(examples.columns)
        if missing is not None:
            raise InputError(f"scorer {self.part_name()}: {missing}.")
        return examples.columns[self.needs_column]

"""A difficulty of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainables.scenarios.scorer import ColumnScorer


@dataclass(frozen=True)
class Column(ColumnScorer):
    """A column of the data that says how hard each example is, a higher number being harder.

    On offer only where `--data-option difficulty_column=NAME` says which column it is.
    """

    needs_column: ClassVar[str] = "difficulty"
    column_from: ClassVar[str] = "--data-option difficulty_column=NAME says which it is"

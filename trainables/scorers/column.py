"""A difficulty of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainables.scorers._scorer import ColumnScorer


@dataclass(frozen=True)
class Column(ColumnScorer):
    """A column of the data that says how hard each example is, a higher number being harder.

    On offer only for data of which `--difficulty-column NAME` says which column that is.
    """

    needs_column: ClassVar[str] = "difficulty"
    column_from: ClassVar[str] = "--difficulty-column NAME says which column of the data it is"

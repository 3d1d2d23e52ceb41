"""Scoring texts by the rarity of their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainables.scorers._scorer import ColumnScorer


@dataclass(frozen=True)
class WordRarity(ColumnScorer):
    """-sum of log p(word), p from the training texts (Platanios et al., NAACL 2019, eq. 4).

    On offer only for data with a column of free text.
    """

    needs_column: ClassVar[str] = "word_rarity"
    column_from: ClassVar[str] = "data with a column of free text has it"

"""Scoring texts by the rarity of their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainables.scenarios.scorer import ColumnScorer


@dataclass(frozen=True)
class WordRarity(ColumnScorer):
    """-sum of log p(word), p from the training texts (Platanios et al., NAACL 2019, section 3.1).

    On offer only where `--data-option text_column=NAME` says which column is the text.
    """

    needs_column: ClassVar[str] = "word_rarity"
    column_from: ClassVar[str] = "--data-option text_column=NAME says which column is the text"

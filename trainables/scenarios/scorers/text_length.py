"""Scoring texts by their length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainables.scenarios.scorer import ColumnScorer


@dataclass(frozen=True)
class TextLength(ColumnScorer):
    """The number of words: long texts are hard (Platanios et al., NAACL 2019, section 3.1).

    On offer only where `--data-option text_column=NAME` says which column is the text.
    """

    needs_column: ClassVar[str] = "text_length"
    column_from: ClassVar[str] = "--data-option text_column=NAME says which column is the text"

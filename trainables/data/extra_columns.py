"""What is known of examples beside inputs and labels: noisy labels, difficulty, text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.labels.labels import encode_noisy_labels
from trainables.data.options import option, text
from trainables.data.source import RawExamples
from trainables.data.tables.text import lengths, rarities

NOISY, DIFFICULTY = "noisy_label_column", "difficulty_column"


@dataclass(frozen=True)
class ExtraColumns:
    """What is read beside inputs and labels, and is no feature."""

    noisy_label_column: str = option(
        "",
        text,
        "labels that may be wrong, for training and validation in place of the true ones, which "
        "the sealed test keeps; the same as --noise column:NAME",
        carried=False,
        of_columns=True,
    )
    difficulty_column: str = option(
        "",
        text,
        "how hard each example is, a number, for scorers that look at it",
        of_columns=True,
    )

    def extra_names(self) -> dict[str, str]:
        """The columns that were named, by option."""
        found = {NOISY: self.noisy_label_column, DIFFICULTY: self.difficulty_column}
        return {option_name: column for option_name, column in found.items() if column}


def extras_of(
    raw: RawExamples, class_names: tuple[str, ...] | None, classes: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Checked arrays [n] of what a source read beside inputs and labels, by name.

    Raises:
        InputError: one of another length, missing values, noisy labels of other classes, or a
            difficulty that is not a finite number.
    """
    found: dict[str, NDArray[Any]] = {}
    if raw.noisy_labels is not None:
        found["noisy"] = encode_noisy_labels(raw, class_names, classes)
    if raw.difficulty is not None:
        found["difficulty"] = _difficulty(raw.difficulty, raw.difficulty_name)
    if raw.texts is not None:
        found["texts"] = np.array([each or "" for each in raw.texts], dtype=object)
    for name, array in found.items():
        if len(array) != len(raw.inputs):
            where = raw.noisy_labels_name if name == "noisy" else raw.difficulty_name
            raise InputError(f"{where}: {len(array)} values for {len(raw.inputs)} examples.")
    return found


def columns_of(extras: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What learners see of the training part's extras, [n] by name."""
    found: dict[str, NDArray[Any]] = {}
    if "difficulty" in extras:
        found["difficulty"] = extras["difficulty"].copy()
    if "texts" in extras:
        texts = extras["texts"].tolist()
        found |= {"text_length": lengths(texts), "word_rarity": rarities(texts)}
    return found


def _difficulty(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise InputError(
            f"{name}: a difficulty is one number for each example, got shape "
            f"{list(values.shape)} of type {values.dtype}."
        )
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    wrong = ~np.isfinite(found)
    if wrong.any():
        raise InputError(
            f"{name}: {int(wrong.sum())} of {wrong.size} difficulties are missing, NaN or "
            f"infinite, the first in row {int(wrong.argmax())} (counted from 0)."
        )
    return found

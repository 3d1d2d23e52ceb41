"""What a learner sees of the data: training and validation examples, never the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled examples in canonical form.

    Attributes:
        inputs: float32, [n, features] or [n, channels, height, width], standardised.
        labels: int64, [n], from 0 to the number of classes - 1.
        columns: what else is known of each example, [n] by name, of the training part alone and
            only where the user asked for it: `clean` (bool: the label is known to be right),
            `difficulty` (float32: the user's own), `text_length` (float32: words) and
            `word_rarity` (float32).
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Examples:
        """Some of the examples, in memory of their own."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Examples(self.inputs[rows], self.labels[rows], columns)


@dataclass(frozen=True, eq=False)
class DataView:
    """The search's view of a data set; the test split cannot be reached from it.

    Attributes:
        train: the training examples, with label noise and imbalance if the spec asks for them.
        validation: the validation examples, with the same kind of noise unless they are clean.
        classes: the name of each class, in the order of the labels.
        name: what the data set is called in reports.
        fingerprint: 16 hex digits that differ for other data, another split, other noise,
            imbalance or clean labels.
        mean: what was taken off each raw input, broadcastable to [n, ...].
        scale: what it was then divided by, likewise.
        options: the data options with which it is loaded again, guesses made certain.
        notes: sentences on what was guessed or left out in loading.
        conditions: sentences on the noise, the imbalance and the clean labels, without which no
            result on this data should be read.
        noise_map: what each class becomes under asymmetric noise, by name.
        noise_rate: the share of labels meant to be wrong; of a column of noisy labels, the share
            that is.
        mirror_keeps_class: as in `RawData`.
        kept: which features are never standardised, being hashed text, [features]; None if none.
        unlabelled: more training inputs, whose labels, all -1, are not known; only where such are
            wanted.
    """

    train: Examples
    validation: Examples
    classes: tuple[str, ...]
    name: str
    fingerprint: str
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)
    conditions: tuple[str, ...] = field(default=(), kw_only=True)
    noise_map: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    noise_rate: float = field(default=0.0, kw_only=True)
    mirror_keeps_class: bool | None = field(default=None, kw_only=True)
    kept: NDArray[np.bool_] | None = field(default=None, kw_only=True)
    unlabelled: Examples | None = field(default=None, kw_only=True)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (features,) or (channels, height, width)."""
        return self.train.inputs.shape[1:]

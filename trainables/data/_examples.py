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
        columns: what else is known of each example, [n] by name; `clean` says that a label is
            known to be right.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class DataView:
    """The search's view of a data set; the test split cannot be reached from it.

    Attributes:
        train: the training examples, with label noise if the spec asks for it.
        validation: the validation examples, with the same kind of noise.
        classes: the name of each class, in the order of the labels.
        name: what the data set is called in reports.
        fingerprint: 16 hex digits that differ for other data, another split or other noise.
        mean: what was taken off each raw input, broadcastable to [n, ...].
        scale: what it was then divided by, likewise.
        options: the data options with which it is loaded again, guesses made certain.
        notes: sentences on what was guessed or left out in loading.
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

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (features,) or (channels, height, width)."""
        return self.train.inputs.shape[1:]

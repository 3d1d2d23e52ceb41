"""Cheap features of a data set, from its training examples, and the distance of two sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainables.data import DataView

if TYPE_CHECKING:
    from numpy.typing import NDArray

Features = Mapping[str, Any]
_LOGARITHMIC = ("examples", "classes", "dimensions", "channels")
_LINEAR = ("imbalance", "noise_rate")


def meta_features(view: DataView) -> dict[str, Any]:
    """The `features` of a history row."""
    shape = view.input_shape
    return {
        "examples": len(view.train),
        "classes": view.num_classes,
        "dimensions": math.prod(shape),
        "channels": shape[0] if len(shape) == 3 else 1,
        "modality": "images" if len(shape) == 3 else "vectors",
        "imbalance": round(_imbalance(view.train.labels, view.num_classes), 6),
        "noise_rate": view.noise_rate,
    }


def _imbalance(labels: NDArray[Any] | None, classes: int) -> float:
    """0 where the known labels are balanced, 1 where they are all of one class.

    What labels are is the scenario's to say: -1 marks an unknown one, targets of regression are
    no classes, and there may be none at all. Whatever names no class is not counted.
    """
    import numpy as np

    if labels is None or classes < 2 or not np.issubdtype(labels.dtype, np.integer):
        return 0.0
    known = labels[(labels >= 0) & (labels < classes)]
    if not known.size:
        return 0.0
    counts = np.bincount(known, minlength=classes)
    shares = counts[counts > 0] / known.size
    return 1.0 + float((shares * np.log(shares)).sum()) / math.log(classes)


def distance(one: Features, other: Features) -> float:
    """The distance of two data sets; a factor of e in size counts 1, as another modality does."""
    sizes = sum(
        abs(math.log(max(1, one[name])) - math.log(max(1, other[name]))) for name in _LOGARITHMIC
    )
    shares = sum(abs(one[name] - other[name]) for name in _LINEAR)
    return sizes + shares + float(one["modality"] != other["modality"])

"""What is cheaply known of a data set, from its training examples, and how far two are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trainables.data import DataView

Features = Mapping[str, Any]
_LOGARITHMIC = ("examples", "classes", "dimensions", "channels")
_LINEAR = ("imbalance", "noise_rate")


def meta_features(view: DataView) -> dict[str, Any]:
    """The `features` of a history row."""
    import numpy as np

    shape = view.input_shape
    counts = np.bincount(view.train.labels.reshape(-1), minlength=view.num_classes)
    shares = counts[counts > 0] / max(1, counts.sum())
    spread = -float((shares * np.log(shares)).sum()) / math.log(max(2, view.num_classes))
    return {
        "examples": len(view.train),
        "classes": view.num_classes,
        "dimensions": math.prod(shape),
        "channels": shape[0] if len(shape) == 3 else 1,
        "modality": "images" if len(shape) == 3 else "vectors",
        "imbalance": round(1.0 - spread, 6) if view.num_classes > 1 else 0.0,
        "noise_rate": view.noise_rate,
    }


def distance(one: Features, other: Features) -> float:
    """How unlike two data sets are; a factor of e in size counts as 1, like another modality."""
    sizes = sum(
        abs(math.log(max(1, one[name])) - math.log(max(1, other[name]))) for name in _LOGARITHMIC
    )
    shares = sum(abs(one[name] - other[name]) for name in _LINEAR)
    return sizes + shares + float(one["modality"] != other["modality"])

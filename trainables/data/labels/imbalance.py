"""Class imbalance: how to write it down, and how many examples of each class stay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError, unknown_name

_KINDS = ("long_tail", "step")


@dataclass(frozen=True)
class Imbalance:
    """One kind of imbalance, in the order of the classes: the first is the most frequent.

    Attributes:
        kind: `long_tail` (class c of C keeps n_0 * ratio^(-c / (C - 1)): Cui et al., CVPR 2019)
            or `step` (the last half of the classes, rounded down, keep n_0 / ratio: Buda et al.,
            Neural Networks 2018).
        ratio: of the largest class to the smallest, at least 1.
    """

    kind: str = "long_tail"
    ratio: float = 1.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.ratio:g}" if self.ratio > 1 else "none"

    def __bool__(self) -> bool:
        return self.ratio > 1

    def shares(self, classes: int) -> NDArray[np.float64]:
        """What each class keeps as a share of what the first does, [classes]."""
        places = np.arange(classes)
        if self.kind == "step":
            return np.where(places >= classes - classes // 2, 1.0 / self.ratio, 1.0)
        return np.asarray(self.ratio ** (-places / max(1, classes - 1)), dtype=np.float64)


def parse_imbalance(text: str) -> Imbalance:
    """The imbalance that `none`, `long_tail:RATIO` or `step:RATIO` stands for.

    Raises:
        InputError: another kind, or a ratio that is no number from 1.
    """
    if text == "none":
        return Imbalance()
    kind, separator, ratio_text = text.partition(":")
    if kind not in _KINDS:
        raise unknown_name("kind of --imbalance", kind, ["none", *_KINDS])
    try:
        ratio = float(ratio_text)
    except ValueError:
        ratio = math.nan
    if not separator or not 1 <= ratio < math.inf:
        raise InputError(
            f"--imbalance '{text}': allowed are none, long_tail:RATIO and step:RATIO, with a "
            "RATIO of the largest to the smallest class of at least 1."
        )
    return Imbalance(kind, ratio)


def class_sizes(
    counts: NDArray[np.int64], imbalance: Imbalance, names: Sequence[str]
) -> NDArray[np.int64]:
    """How many examples each class keeps, [classes], rounded down.

    The first class keeps as many as it can such that every other has enough for its share: with
    classes of one size all of its own.

    Args:
        counts: how many each has, [classes].
        imbalance: which.
        names: of the classes.

    Raises:
        InputError: a class would keep none.
    """
    shares = imbalance.shares(len(counts))
    first = (counts / shares).min()
    # What is whole but for rounding, such as 99.99999, is whole.
    sizes = np.floor(first * shares + 1e-6).astype(np.int64)
    if sizes.min() < 1:
        raise InputError(
            f"--imbalance '{imbalance}': class '{names[int(sizes.argmin())]}' would keep no "
            f"training example (the first class keeps {int(first)}); give a smaller ratio."
        )
    return sizes


def thinned(
    labels: NDArray[np.int64], sizes: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Rows, ascending, of which `sizes` [classes] tells how many of each class; drawn by `rng`."""
    kept = [
        rng.permutation(np.flatnonzero(labels == number))[:size]
        for number, size in enumerate(sizes)
    ]
    return np.sort(np.concatenate(kept))

"""Label noise: how to write it down and how to put it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError, unknown_name

_DRAWN = ("symmetric", "pair_flip", "asymmetric")
_COLUMN = "column"


@dataclass(frozen=True)
class Noise:
    """One kind of label noise.

    Attributes:
        kind: `symmetric` (any other class, uniformly), `pair_flip` (the next class, the first
            following the last: Han et al., "Co-teaching", NeurIPS 2018), `asymmetric` (the class
            that a map names: Patrini et al., CVPR 2017) or `column` (labels read from the data).
        rate: the probability that a label is replaced, at least 0 and below 1; 0 for `column`.
        column: where the noisy labels are read from.
    """

    kind: str = "symmetric"
    rate: float = 0.0
    column: str = ""

    def __str__(self) -> str:
        if self.kind == _COLUMN:
            return f"{_COLUMN}:{self.column}"
        return f"{self.kind}:{self.rate!r}" if self.rate else "none"

    def __bool__(self) -> bool:
        return self.rate > 0 or self.kind == _COLUMN

    @property
    def mapped(self) -> bool:
        """True if a map says what becomes of each class."""
        return self.kind == "asymmetric" and self.rate > 0

    @property
    def identity(self) -> str:
        """What it adds to a fingerprint, which has to stay what it was in earlier versions."""
        # There pair_flip was called asymmetric; to what is called so now, its map is added.
        flips = self.kind == "pair_flip" and self.rate > 0
        return f"asymmetric:{self.rate!r}" if flips else str(self)


def parse_noise(text: str) -> Noise:
    """The noise that `none`, `RATE`, `KIND:RATE` or `column:NAME` stands for.

    Raises:
        InputError: another kind, a rate that is not a number in [0, 1), or a column without name.
    """
    if text == "none":
        return Noise()
    if text.startswith(f"{_COLUMN}:"):
        column = text.removeprefix(f"{_COLUMN}:")
        if not column.strip():
            raise InputError(f"--noise '{text}': the column's name is missing: column:NAME.")
        return Noise(_COLUMN, column=column)
    kind, separator, rate_text = text.rpartition(":")
    if not separator:
        kind = "symmetric"
    if kind not in _DRAWN:
        raise unknown_name("kind of --noise", kind, [*_DRAWN, _COLUMN])
    try:
        rate = float(rate_text)
    except ValueError:
        rate = np.nan
    if not 0 <= rate < 1:
        raise InputError(
            f"--noise '{text}': allowed are none, RATE, symmetric:RATE, pair_flip:RATE and "
            "asymmetric:RATE, with 0 <= RATE < 1, and column:NAME."
        )
    return Noise(kind, rate)


def noise_of_before(text: str) -> str:
    """Noise as a version wrote it down that had no maps: its asymmetric is pair_flip now."""
    return f"pair_flip:{text.partition(':')[2]}" if text.startswith("asymmetric:") else text


def corrupt(
    labels: NDArray[np.int64],
    classes: int,
    noise: Noise,
    rng: np.random.Generator,
    targets: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """A copy of the labels with noise on them.

    With probability `noise.rate` a label becomes a *different* class: uniformly one of the others
    (symmetric), the next one, the first following the last (pair_flip), or its target
    (asymmetric).

    Args:
        labels: [n], each in [0, classes).
        classes: the number of classes, at least 2.
        noise: the kind and rate; not `column`.
        rng: where the randomness comes from.
        targets: what each class becomes, [classes], for asymmetric noise; itself: it stays.
    """
    replaced = rng.random(len(labels)) < noise.rate
    if noise.mapped:
        assert targets is not None
        return np.where(replaced, targets[labels], labels)
    if noise.kind == "symmetric":
        shift = rng.integers(1, classes, size=len(labels))
    else:
        shift = np.ones(len(labels), dtype=np.int64)
    return np.where(replaced, (labels + shift) % classes, labels)

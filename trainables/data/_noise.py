"""Label noise: how to write it down and how to put it on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError, unknown_name

_KINDS = ("symmetric", "asymmetric")


@dataclass(frozen=True)
class Noise:
    """One kind of label noise.

    Attributes:
        kind: `symmetric` (any other class, uniformly) or `asymmetric` (the next class).
        rate: the probability that a label is replaced, at least 0 and below 1.
    """

    kind: str = "symmetric"
    rate: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind}:{self.rate!r}" if self.rate else "none"


def parse_noise(text: str) -> Noise:
    """The noise that `none`, `RATE`, `symmetric:RATE` or `asymmetric:RATE` stands for.

    Raises:
        InputError: another kind, or a rate that is not a number in [0, 1).
    """
    if text == "none":
        return Noise()
    kind, separator, rate_text = text.rpartition(":")
    if not separator:
        kind = "symmetric"
    if kind not in _KINDS:
        raise unknown_name("kind of --noise", kind, _KINDS)
    try:
        rate = float(rate_text)
    except ValueError:
        rate = np.nan
    if not 0 <= rate < 1:
        raise InputError(
            f"--noise '{text}': allowed are none, RATE, symmetric:RATE and asymmetric:RATE, "
            "with 0 <= RATE < 1."
        )
    return Noise(kind, rate)


def corrupt(
    labels: NDArray[np.int64], classes: int, noise: Noise, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A copy of the labels with noise on them.

    With probability `noise.rate` a label becomes a *different* class: uniformly one of the others
    (symmetric) or the next one, the first following the last (asymmetric).

    Args:
        labels: [n], each in [0, classes).
        classes: the number of classes, at least 2.
        noise: the kind and rate.
        rng: where the randomness comes from.
    """
    replaced = rng.random(len(labels)) < noise.rate
    if noise.kind == "symmetric":
        shift = rng.integers(1, classes, size=len(labels))
    else:
        shift = np.ones(len(labels), dtype=np.int64)
    return np.where(replaced, (labels + shift) % classes, labels)

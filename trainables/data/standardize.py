"""Standardisation with the statistics of the training part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Standardization:
    """A mean and a scale per feature (vectors) or per channel (images).

    The arithmetic is in float64 on the data as it was stored, a few rows at a time: float32 first
    would lose features with a large mean, and float64 copies would take eight times a byte image.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, inputs: NDArray[Any], kept: NDArray[np.bool_] | None = None) -> Standardization:
        """The statistics of `inputs`, [n, features] or [n, channels, height, width].

        Args:
            inputs: those to train on.
            kept: which features stay as they are, [features].
        """
        if kept is not None:
            mean, scale = np.zeros((1, len(kept))), np.ones((1, len(kept)))
            if not kept.all():
                rest = cls.fit(inputs[:, ~kept])
                mean[:, ~kept], scale[:, ~kept] = rest.mean, rest.scale
            return cls(mean, scale)
        axes = (0, *range(2, inputs.ndim))
        mean = inputs.mean(axis=axes, dtype=np.float64, keepdims=True)
        squares = np.zeros_like(mean)
        for rows in _slices(len(inputs)):
            squares += np.square(inputs[rows] - mean).sum(axis=axes, keepdims=True)
        deviation = np.sqrt(squares * mean.size / inputs.size)
        # Rounding can leave a constant feature with a tiny deviation that would blow up others.
        constant = inputs.min(axis=axes, keepdims=True) == inputs.max(axis=axes, keepdims=True)
        return cls(mean, np.where(constant | (deviation == 0), 1.0, deviation))

    @classmethod
    def none(cls, inputs: NDArray[Any]) -> Standardization:
        """What leaves `inputs` as they are."""
        shape = (1, inputs.shape[1], *(1 for _ in inputs.shape[2:]))
        return cls(np.zeros(shape), np.ones(shape))

    def apply(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Standardised inputs of the same shape, in memory of their own."""
        result = np.empty(inputs.shape, dtype=np.float32)
        for rows in _slices(len(inputs)):
            result[rows] = (inputs[rows] - self.mean) / self.scale
        return result


def _slices(length: int) -> Iterator[slice]:
    for start in range(0, length, _ROWS_AT_ONCE):
        yield slice(start, start + _ROWS_AT_ONCE)

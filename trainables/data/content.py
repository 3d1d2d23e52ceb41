"""Numbers for examples, by which two data sets are compared whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_VALUES_AT_ONCE = 2**18  # what stays in a processor's caches
_FEWEST_VALUES = 16
# Not a whole multiple of any step that pixels come in, so that none lies on an edge of a cell.
_CELLS = 64 * 1.6180339887498949


def content_hashes(inputs: NDArray[Any]) -> NDArray[np.uint64]:
    """A 64-bit number for each example, the same wherever and in whatever units it is stored.

    From 16 values on, each channel of an example is put on [0, 1] and rounded to 103 steps: an
    image is then known again as bytes, as floats over 255 or standardised. Fewer values are taken
    as they are, in float32. Examples whose values are all the same say nothing and are left out.

    Args:
        inputs: [n, features] or [n, channels, height, width].

    Returns:
        The numbers without repetition, ascending.
    """
    hashes, telling = example_hashes(inputs)
    return np.unique(hashes[telling])


def exact_hashes(inputs: NDArray[Any]) -> NDArray[np.uint64]:
    """A 64-bit number for each of the vectors [n, features], another one for other values."""
    weights = _mixed(np.arange(1, inputs.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    hashes = np.empty(len(inputs), dtype=np.uint64)
    for rows in _slices(inputs):
        values = np.ascontiguousarray(inputs[rows], dtype=np.float64) + 0.0  # -0 and 0 are one
        hashes[rows] = (_mixed(values.view(np.uint64)) * weights).sum(axis=1, dtype=np.uint64)
    return hashes


def example_hashes(inputs: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The number of each example, as in `content_hashes`, and which of them say something.

    Args:
        inputs: [n, features] or [n, channels, height, width].

    Returns:
        The numbers and the marks, [n] both.
    """
    weights = _mixed(np.arange(1, inputs[0].size + 1, dtype=np.uint64)) | np.uint64(1)
    hashes = np.empty(len(inputs), dtype=np.uint64)
    telling = np.empty(len(inputs), dtype=np.bool_)
    for rows in _slices(inputs):
        hashes[rows], telling[rows] = _hashes(inputs[rows], weights)
    return hashes, telling


def _hashes(
    inputs: NDArray[Any], weights: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    if flat.shape[1] < _FEWEST_VALUES:
        whole = (flat + 0.0).view(np.uint32).astype(np.uint64)  # -0 and 0 are one value
        hashes = _mixed((whole * weights).sum(axis=1, dtype=np.uint64))
        return hashes, np.ones(len(flat), dtype=np.bool_)
    telling = flat.min(axis=1) < flat.max(axis=1)
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    values = flat.reshape(len(flat), channels, -1).astype(np.float64)
    low, high = values.min(axis=2, keepdims=True), values.max(axis=2, keepdims=True)
    values = (values - low) / np.where(high > low, high - low, 1.0)
    cells = np.floor(values * _CELLS + 0.5).astype(np.uint64).reshape(len(values), -1)
    return _mixed((cells * weights).sum(axis=1, dtype=np.uint64)), telling


def _slices(inputs: NDArray[Any]) -> Iterator[slice]:
    count = max(1, _VALUES_AT_ONCE // inputs[0].size)
    for start in range(0, len(inputs), count):
        yield slice(start, start + count)


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's finaliser (Steele, Lea, Flood, OOPSLA 2014)."""
    value = value * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))

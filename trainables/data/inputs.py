"""Inputs: checked, and put into one of two layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.source import RawExamples

_CHANNELS = (1, 3, 4)


def canonical_inputs(raw: RawExamples, may_miss: bool = False) -> NDArray[Any]:
    """The inputs as [n, features] or [n, channels, height, width], of the type they came in.

    Args:
        raw: the examples.
        may_miss: whether NaN is a value that is missing, and no mistake.

    Raises:
        InputError: no rows, not numbers, values that are not finite, another number of rows than
            labels, or a shape that is neither vectors nor images.
    """
    inputs, name = raw.inputs, raw.inputs_name
    if inputs.dtype.kind not in "biuf":
        raise InputError(f"{name}: inputs must be numbers, got type {inputs.dtype}.")
    if inputs.ndim < 2:
        raise InputError(
            f"{name}: inputs must be vectors [n, features] or images, got shape "
            f"{list(inputs.shape)}."
        )
    if inputs.size == 0:
        raise InputError(f"{name}: the data is empty, its shape is {list(inputs.shape)}.")
    if raw.labels.ndim and len(raw.labels) != len(inputs):
        raise InputError(
            f"{name}: {len(inputs)} inputs but {len(raw.labels)} labels ({raw.labels_name}); "
            "there must be one label for each input."
        )
    _check_finite(raw, may_miss)
    return _channels_first(inputs, name)


def filled(inputs: NDArray[Any], train: NDArray[Any]) -> NDArray[Any]:
    """The inputs with the mean of the training part in place of each missing value.

    Args:
        inputs: [n, features]; NaN is a value that is missing.
        train: the training part's inputs, [m, features].
    """
    missing = np.isnan(inputs)
    count = np.maximum(np.sum(~np.isnan(train), axis=0), 1)
    return np.where(missing, np.nansum(train, axis=0) / count, inputs)


def _check_finite(raw: RawExamples, may_miss: bool) -> None:
    if raw.inputs.dtype.kind != "f":
        return
    # Finite as float32, which is what learners get: 1e300 is infinite there.
    with np.errstate(over="ignore"):
        values = raw.inputs.astype(np.float32, copy=False)
    bad = np.isinf(values) if may_miss else ~np.isfinite(values)
    if not bad.any():
        return
    row, *place = (int(index) for index in np.unravel_index(bad.argmax(), bad.shape))
    column = f"column {place[0] if len(place) == 1 else tuple(place)}"
    if raw.columns:
        column = f"column '{raw.columns[place[0]]}'"
    raise InputError(
        f"{raw.inputs_name}: {int(bad.sum())} values are missing, NaN or infinite, the first in "
        f"row {row}, {column} (counted from 0); every input must be a finite number."
    )


def _channels_first(inputs: NDArray[Any], name: str) -> NDArray[Any]:
    if inputs.ndim == 2:
        return inputs
    if inputs.ndim == 3:
        return inputs[:, np.newaxis]
    if inputs.ndim == 4:
        _, first, middle, last = inputs.shape
        candidates = {first in _CHANNELS, last in _CHANNELS}
        if candidates == {True}:
            # Both ends could be channels: the reading in which the image is square wins.
            is_first, is_last = middle == last, first == middle
        else:
            is_first, is_last = first in _CHANNELS, last in _CHANNELS
        if is_first != is_last:
            return inputs if is_first else np.moveaxis(inputs, -1, 1)
    raise InputError(
        f"{name}: inputs of shape {list(inputs.shape)} are neither vectors [n, features] nor "
        "clearly images [n, height, width], [n, channels, height, width] or "
        f"[n, height, width, channels] with {', '.join(map(str, _CHANNELS))} channels."
    )

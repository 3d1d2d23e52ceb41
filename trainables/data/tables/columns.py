"""Columns of Arrow tables as arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.labels.labels import refuse_missing, shortened
from trainables.data.pixels import Item
from trainables.data.tables.doubtful import shortest

LONGEST_LABEL = 1000
_INT64_DIGITS = 18


def labels_of(column: Any, name: str) -> NDArray[Any]:
    """Labels [n], of the type they are stored in.

    Raises:
        InputError: some are missing, or they are neither whole numbers nor strings.
    """
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    refuse_missing(_is_null(column), name)
    if types.is_decimal(column.type):
        whole = column.type.scale == 0 and column.type.precision <= _INT64_DIGITS
        column = column.cast("int64" if whole else "string")
    kind = column.type
    if is_text(kind):
        written = column.to_pylist()
        longest = max(map(len, written), default=0)
        if longest > LONGEST_LABEL:
            raise InputError(
                f"{name}: a label has {longest:,} characters, more than {LONGEST_LABEL:,}: is "
                "this a column of texts?"
            )
        return np.array(written, dtype=np.str_)
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_floating(kind):
        return column.to_numpy()
    raise InputError(f"{name}: labels must be whole numbers or strings, got type {kind}.")


def labels_or_gaps(column: Any, name: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Labels [n], and which of them are missing, if some are; what stands for those means nothing.

    Raises:
        InputError: all are missing, or they are neither whole numbers nor strings.
    """
    missing = _is_null(column)
    if not missing.any():
        return labels_of(column, name), None
    known = labels_of(column.drop_null(), name)
    if not len(known):
        refuse_missing(missing, name)
    places = np.maximum(np.cumsum(~missing) - 1, 0)  # a label that is there stands for each
    return known[places], missing


def numbers(column: Any, name: str) -> NDArray[np.float64]:
    """A column of numbers [n]; NaN where one is missing.

    Raises:
        InputError: the column is of another type.
    """
    from pyarrow import types

    if types.is_null(column.type):
        return np.full(len(column), np.nan)
    if not is_numeric(column.type) and not types.is_decimal(column.type):
        raise InputError(
            f"{name}: features must be columns of numbers or categories, or one single column of "
            f"lists of numbers or of images, got type {_type_name(column.type)}; --drop-columns "
            "leaves columns out, --feature-columns names those to use."
        )
    return column.cast("float64", safe=False).to_numpy()


def _type_name(kind: Any) -> str:
    return "image" if is_images(kind) else str(kind)


def one_hot(
    values: Sequence[str | None], categories: Sequence[str], name: str
) -> NDArray[np.float64]:
    """One feature a category, [n, categories]; NaN where the value is missing.

    Raises:
        InputError: a value that is none of the categories.
    """
    places = {category: place for place, category in enumerate(categories)}
    result = np.zeros((len(values), len(categories)))
    for row, value in enumerate(values):
        if value is None:
            result[row] = np.nan
        elif value in places:
            result[row, places[value]] = 1.0
        else:
            raise InputError(
                f"{name}: '{shortest(value)}' (row {row}, counted from 0) is none of the "
                f"categories chosen before: {shortened(categories)}."
            )
    return result


def pictures_of(column: Any, name: str) -> list[Item]:
    """The encoded images of a column as Hugging Face stores them, each with a name for messages.

    Raises:
        InputError: one is missing: there are no bytes, and no file at its path.
    """
    found: list[Item] = []
    for row, value in enumerate(column.to_pylist()):
        stored, path = (value or {}).get("bytes"), (value or {}).get("path") or ""
        where = f"{name}, row {row}"
        if not stored and not os.path.isfile(path):
            raise InputError(
                f"{where} (counted from 0): no image: there are no bytes, and the path is "
                f"{path or 'missing'}."
            )
        found.append((where, stored or Path(path)))
    return found


def stacked_lists(column: Any, name: str) -> NDArray[Any]:
    """A column of lists or tensors as [n, ...].

    Raises:
        InputError: lists of different lengths, of something else than numbers, or missing.
    """
    from pyarrow import FixedShapeTensorType, compute

    if not is_numeric(list_value_type(column.type)):
        raise InputError(f"{name}: lists must hold numbers, got type {column.type}.")
    if column.null_count:
        row = int(_is_null(column).argmax())
        raise InputError(f"{name}: row {row} (counted from 0) is missing.")
    array = column.combine_chunks()
    is_tensor = isinstance(column.type, FixedShapeTensorType)
    inside = (array.storage if is_tensor else array).flatten()
    if inside.null_count:
        raise InputError(f"{name}: {inside.null_count} numbers are missing within its lists.")
    if is_tensor:
        return array.to_numpy_ndarray() if len(array) else np.empty((0, *column.type.shape))
    lengths = compute.list_value_length(array).to_numpy(zero_copy_only=False)
    if len(set(lengths.tolist())) > 1:
        row = int((lengths != lengths[0]).argmax())
        raise InputError(
            f"{name}: lists differ in length, {lengths[0]} in row 0 and {lengths[row]} in row "
            f"{row}; all must have the same."
        )
    width = int(lengths[0]) if len(lengths) else 0
    return inside.to_numpy(zero_copy_only=False).reshape(len(array), width)


def list_value_type(kind: Any) -> Any:
    """The type of what a list or tensor type holds; None for all other types."""
    from pyarrow import FixedShapeTensorType, types

    if (
        isinstance(kind, FixedShapeTensorType)
        or types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
    ):
        return kind.value_type
    return None


def is_images(kind: Any) -> bool:
    """True if a column holds encoded images, as structs of their bytes and their path."""
    from pyarrow import types

    return types.is_struct(kind) and kind.get_field_index("bytes") >= 0


def is_numeric(kind: Any) -> bool:
    """True if a column holds numbers or booleans."""
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def is_text(kind: Any) -> bool:
    """True if a column holds strings, or categories that are strings."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def are_number_categories(kind: Any) -> bool:
    """True if a column says that its values, which are numbers, are categories."""
    from pyarrow import types

    if not types.is_dictionary(kind):
        return False
    return is_numeric(kind.value_type) or types.is_decimal(kind.value_type)


def without_dictionary(column: Any, as_text: bool) -> Any:
    """A column of categories that are numbers, as text or as numbers."""
    values = column.cast(column.type.value_type)
    return values.cast("string") if as_text else values


def _is_null(column: Any) -> NDArray[np.bool_]:
    return column.is_null().to_numpy()

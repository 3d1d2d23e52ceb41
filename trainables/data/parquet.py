"""Parquet tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data._labels import refuse_missing
from trainables.data._source import FileSource, RawData, RawExamples, unreadable

_LABELS = ("label", "labels", "target", "class", "y", "category")


@final
class Parquet(FileSource):
    """A table FILE.parquet with a label column and numeric features, or one column of lists.

    The label column is the first there is of label, labels, target, class, y and category, in any
    case, else the last column. The features are all other columns, or one column of lists of the
    same length or of fixed-shape tensors. An index that pandas stored is not a feature.
    """

    suffix = ".parquet"

    def _read(self, path: Path) -> RawData:
        table = _read_table(path)
        if table.num_columns < 2:
            raise InputError(
                f"'{path}': expected a label column and at least one feature column; found: "
                f"{', '.join(table.column_names) or 'none'}."
            )
        label = _label_column(table.column_names)
        features = tuple(name for name in table.column_names if name != label)
        inputs_name, labels_name = f"'{path}'", f"'{path}', column '{label}'"
        labels = _labels(table.column(label), labels_name)
        if len(features) == 1 and _list_value_type(table.column(features[0]).type) is not None:
            inputs_name += f", column '{features[0]}'"
            inputs = _stacked_lists(table.column(features[0]), inputs_name)
            return RawData(RawExamples(inputs, labels, inputs_name, labels_name))
        columns = [_numbers(table.column(name), f"'{path}', column '{name}'") for name in features]
        inputs = np.column_stack(columns)
        return RawData(RawExamples(inputs, labels, inputs_name, labels_name, features))


def _read_table(path: Path) -> Any:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            table = file.read()
        table.validate(full=True)
        repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
        if repeated:
            raise ValueError(f"several columns are called '{min(repeated)}'")
        metadata = table.schema.pandas_metadata or {}
        index = [name for name in metadata.get("index_columns", []) if isinstance(name, str)]
        return table.drop_columns([name for name in index if name in table.column_names])
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error, "a Parquet table") from error


def _label_column(columns: Sequence[str]) -> str:
    for allowed in _LABELS:
        for column in columns:
            if column.lower() == allowed:
                return column
    return columns[-1]


def _labels(column: Any, name: str) -> NDArray[Any]:
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    refuse_missing(_is_null(column), name)
    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return np.array(column.to_pylist(), dtype=np.str_)
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_floating(kind):
        return column.to_numpy()
    raise InputError(f"{name}: labels must be whole numbers or strings, got type {kind}.")


def _numbers(column: Any, name: str) -> NDArray[np.float64]:
    from pyarrow import types

    if not _is_numeric(column.type) and not types.is_decimal(column.type):
        raise InputError(
            f"{name}: features must be columns of numbers or one single column of lists of "
            f"numbers, got type {column.type}."
        )
    return column.cast("float64", safe=False).to_numpy()


def _stacked_lists(column: Any, name: str) -> NDArray[Any]:
    from pyarrow import FixedShapeTensorType, compute

    if not _is_numeric(_list_value_type(column.type)):
        raise InputError(f"{name}: lists must hold numbers, got type {column.type}.")
    if column.null_count:
        row = int(_is_null(column).argmax())
        raise InputError(f"{name}: row {row} (counted from 0) is missing.")
    array = column.combine_chunks()
    is_tensor = isinstance(column.type, FixedShapeTensorType)
    numbers = (array.storage if is_tensor else array).flatten()
    if numbers.null_count:
        raise InputError(f"{name}: {numbers.null_count} numbers are missing within its lists.")
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
    return numbers.to_numpy(zero_copy_only=False).reshape(len(array), width)


def _list_value_type(kind: Any) -> Any:
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


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _is_null(column: Any) -> NDArray[np.bool_]:
    return column.is_null().to_numpy()

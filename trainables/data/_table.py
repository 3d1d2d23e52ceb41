"""Tables: which column is the label, which are features, and what becomes of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data._columns import (
    is_images,
    is_numeric,
    is_text,
    labels_of,
    labels_or_gaps,
    list_value_type,
    one_hot,
    pictures_of,
    stacked_lists,
)
from trainables.data._columns import numbers as numbers_of
from trainables.data._images import ImageOptions, read_images
from trainables.data._labels import shortened
from trainables.data._options import flag_of, plain
from trainables.data._source import RawData, RawExamples
from trainables.data._table_extras import require_own_columns, told_extras, with_extras
from trainables.data._table_options import TableOptions, require_names
from trainables.data._text import hashed

_LABELS = ("label", "labels", "target", "class", "y", "category")
_MOST_CATEGORIES = 20


@dataclass
class _Reading:
    """What is found out while a table is read."""

    options: TableOptions
    images: ImageOptions
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)


def read_tables(
    tables: Sequence[Any], where: Sequence[str], options: TableOptions, images: ImageOptions
) -> RawData:
    """The data of a table, or of a training table and that of an official test.

    Args:
        tables: Arrow tables with the same columns.
        where: for each, where it is from, for messages.
        options: how columns are read; what is not given is guessed, and a note says so.
        images: how a column of images is read.

    Raises:
        InputError: a column is not there, cannot be used, or has values missing.
    """
    reading = _Reading(options, images)
    _require_columns(tables[0], where[0])
    label, labels_name = _label(tables[0], where[0], reading)
    features = _features(tables[0], where[0], label, reading)
    for table, place in zip(tables[1:], where[1:], strict=True):
        require_names(table.column_names, [label, *features], place)
    known, missing = labels_or_gaps(tables[0].column(label), labels_name)
    labels = [known] + [
        labels_of(table.column(label), labels_name.replace(where[0], place))
        for table, place in zip(tables[1:], where[1:], strict=True)
    ]
    inputs, columns = _inputs(tables, where, features, reading)
    one = list_value_type(tables[0].column(features[0]).type) is not None
    suffix = f", column '{features[0]}'" if len(features) == 1 and one else ""
    parts = [
        RawExamples(rows, each, place + suffix, labels_name.replace(where[0], place), columns)
        for rows, each, place in zip(inputs, labels, where, strict=True)
    ]
    parts[0] = replace(with_extras(parts[0], tables[0], where[0], options), missing=missing)
    return RawData(
        parts[0],
        parts[1] if len(parts) > 1 else None,
        class_names=_class_names(tables[0], label),
        classes=options.classes,
        options={
            "label_column": label,
            "feature_columns": list(features),
            **{key: getattr(options, key) for key in ("missing", "text")},
            **told_extras(options),
            **({"categories": plain(reading.categories)} if reading.categories else {}),
            **reading.chosen,
            "classes": [],
        },
        notes=tuple(reading.notes),
        missing_as_mean=options.missing == "mean",
    )


def _require_columns(table: Any, where: str) -> None:
    given = table.column_names
    repeated = {name for name in given if given.count(name) > 1}
    if repeated:
        raise InputError(f"{where}: several columns are called '{min(repeated)}'; rename them.")
    if len(given) < 2:
        raise InputError(
            f"{where}: expected a label column and at least one feature column; found: "
            f"{', '.join(given) or 'none'}."
        )
    if not table.num_rows:
        raise InputError(
            f"{where}: the data is empty: there are columns ({shortened(given)}), but no rows."
        )


def _label(table: Any, where: str, reading: _Reading) -> tuple[str, str]:
    """The label column, and what it is called in messages."""
    given, label = table.column_names, reading.options.label_column
    if label:
        require_names(given, [label], where, "label_column")
        return label, f"{where}, column '{label}'"
    options = reading.options
    taken = {*options.feature_columns, *options.drop_columns, options.text_column}
    taken |= set(options.extra_names().values())
    free = [name for name in given if name not in taken]
    if not free:
        raise InputError(f"{where}: no column is left for the label; name it by --label-column.")
    known = [name for allowed in _LABELS for name in free if name.lower() == allowed]
    label = known[0] if known else free[-1]
    guessed = "by its name" if known else "the last column"
    hint = f"guessed: {guessed}; --label-column names another"
    reading.notes.append(f"label column: '{label}' ({hint})")
    return label, f"{where}, column '{label}' ({hint})"


def _features(table: Any, where: str, label: str, reading: _Reading) -> list[str]:
    given, options = table.column_names, reading.options
    if label in options.feature_columns or label in options.drop_columns:
        which = "feature_columns" if label in options.feature_columns else "drop_columns"
        raise InputError(f"{flag_of(which)}: '{label}' is the label column.")
    both = set(options.feature_columns) & set(options.drop_columns)
    if both:
        raise InputError(f"--drop-columns: '{min(both)}' is also among --feature-columns.")
    for name in ("feature_columns", "drop_columns"):
        require_names(given, getattr(options, name), where, name)
    require_own_columns(table, where, label, options)
    if options.text_column:
        return list(dict.fromkeys((options.text_column, *options.feature_columns)))
    if options.feature_columns:
        return list(options.feature_columns)
    left_out = {label, *options.drop_columns, *options.extra_names().values()}
    found = [name for name in given if name not in left_out]
    if not found:
        raise InputError(
            f"{where}: expected at least one feature column beside the label '{label}'; found: "
            f"{', '.join(given)}."
        )
    reading.notes.append(f"feature columns: {shortened(found)} (all others)")
    return found


def _inputs(
    tables: Sequence[Any], where: Sequence[str], features: Sequence[str], reading: _Reading
) -> tuple[list[NDArray[Any]], tuple[str, ...]]:
    """The inputs of each table, and the names of their columns if they have any."""
    if len(features) == 1:
        column, kind = features[0], tables[0].column(features[0]).type
        named = [f"{place}, column '{column}'" for place in where]
        if is_images(kind):
            items = [
                pictures_of(table.column(column), name)
                for table, name in zip(tables, named, strict=True)
            ]
            pictures = read_images(items, where[0], reading.images)
            reading.notes += pictures.notes
            reading.chosen |= pictures.chosen
            return pictures.parts, ()
        if list_value_type(kind) is not None:
            pairs = zip(tables, named, strict=True)
            return [stacked_lists(table.column(column), name) for table, name in pairs], ()
    blocks = [_block(tables, where, name, reading) for name in features]
    headings = tuple(heading for _, names in blocks for heading in names)
    _note_row_numbers(tables[0], features, reading)
    return [np.hstack([arrays[part] for arrays, _ in blocks]) for part in range(len(tables))], (
        headings
    )


def _block(
    tables: Sequence[Any], where: Sequence[str], name: str, reading: _Reading
) -> tuple[list[NDArray[Any]], list[str]]:
    """The features [n, k] that one column gives in each table, and their names."""
    columns = [table.column(name) for table in tables]
    places = [f"{place}, column '{name}'" for place in where]
    if name in reading.options.categories or is_text(columns[0].type):
        return _from_text(columns, places, name, reading)
    pairs = list(zip(columns, places, strict=True))
    arrays = [numbers_of(column, place)[:, np.newaxis] for column, place in pairs]
    for array, place in zip(arrays, places, strict=True):
        _refuse_missing(np.isnan(array), place, reading.options)
    return arrays, [name]


def _from_text(
    columns: Sequence[Any], places: Sequence[str], name: str, reading: _Reading
) -> tuple[list[NDArray[Any]], list[str]]:
    options, values = reading.options, [column.cast("string").to_pylist() for column in columns]
    known = options.categories.get(name)
    for each, place in zip(values, places, strict=True):
        _refuse_missing(np.array([one is None for one in each]), place, options)
    found = known or tuple(sorted({one for each in values for one in each if one is not None}))
    if name == options.text_column:
        return _hashed(values, name, reading)
    if known is None and not 0 < len(found) <= min(_MOST_CATEGORIES, len(values[0]) // 2):
        if options.text == "hash" and found:
            return _hashed(values, name, reading)
        raise _free_text(places[0], found)
    reading.categories[name] = found
    if known is None:
        reading.notes.append(f"column '{name}': text, one-hot: {shortened(found)}")
    pairs = zip(values, places, strict=True)
    return [one_hot(each, found, place) for each, place in pairs], [f"{name}={c}" for c in found]


def _hashed(
    values: Sequence[Sequence[str | None]], name: str, reading: _Reading
) -> tuple[list[NDArray[Any]], list[str]]:
    count = reading.options.text_features
    if name != reading.options.text_column:  # else it was said, and is no guess
        reading.notes.append(f"column '{name}': free text, hashed to {count} features")
    headings = [f"{name}#{number}" for number in range(count)]
    return [hashed(each, count) for each in values], headings


def _free_text(place: str, found: Sequence[str]) -> InputError:
    said = (
        f"{place}: text with {len(found)} different values, such as '{_cut(found)}', is no feature"
    )
    if found and all(_is_number(one.replace(",", ".", 1)) for one in found):
        return InputError(f"{said}; numbers with a comma? Then --data-option decimal=,")
    return InputError(
        f"{said} (one-hot takes {_MOST_CATEGORIES} at most): leave it out by --drop-columns, or "
        "--data-option text=hash makes features of its words."
    )


def _cut(found: Sequence[str]) -> str:
    first = " ".join(found[0].split()) if found else ""
    return first[:40] + "…" if len(first) > 40 else first


def _is_number(written: str) -> bool:
    try:
        float(written)
    except ValueError:
        return False
    return True


def _refuse_missing(missing: NDArray[np.bool_], place: str, options: TableOptions) -> None:
    count = int(missing.sum())
    if count == missing.size and count:
        raise InputError(f"{place}: every value is missing; leave it out by --drop-columns.")
    if count and options.missing == "refuse":
        row = int(missing.argmax())
        raise InputError(
            f"{place}: {count} of {missing.size} values are missing or NaN, the first in row "
            f"{row} (counted from 0): leave the column out by --drop-columns, or --data-option "
            "missing=mean."
        )


def _note_row_numbers(table: Any, features: Sequence[str], reading: _Reading) -> None:
    """A column that only counts the rows is rarely meant as a feature."""
    if reading.options.feature_columns:
        return
    for name in features:
        column = table.column(name)
        if is_numeric(column.type) and len(column) > 1 and not column.null_count:
            values = column.to_numpy()
            if values.dtype.kind in "iu" and (np.diff(values) == 1).all():
                reading.notes.append(
                    f"column '{name}' only counts the rows and is used as a feature; "
                    f"--drop-columns '{name}' leaves it out"
                )


def _class_names(table: Any, label: str) -> tuple[str, ...] | None:
    """The names of numbered classes, as Hugging Face's `datasets` writes them into a schema."""
    if not is_numeric(table.column(label).type):
        return None
    try:
        about = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        listed = about["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return None
    return tuple(map(str, listed)) if isinstance(listed, list) else None


def quoted(path: Path) -> str:
    """A file as it is called in messages."""
    return f"'{path}'"

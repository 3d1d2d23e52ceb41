"""Tables: which column is the label, which are features, and what becomes of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.blocks import Block
from trainables.data.images import ImageOptions, read_images
from trainables.data.labels.labels import shortened
from trainables.data.labels.unlabelled import without_labels
from trainables.data.options import flag_of, plain
from trainables.data.source import RawData, RawExamples
from trainables.data.tables.columns import (
    are_number_categories,
    is_images,
    is_numeric,
    is_text,
    labels_of,
    labels_or_gaps,
    list_value_type,
    one_hot,
    pictures_of,
    stacked_lists,
    without_dictionary,
)
from trainables.data.tables.columns import numbers as numbers_of
from trainables.data.tables.doubtful import (
    MOST_CATEGORIES,
    free_text,
    refuse_numbers_and_dates,
    shortest,
)
from trainables.data.tables.row_names import note_row_names, without_row_names
from trainables.data.tables.table_extras import require_own_columns, told_extras, with_extras
from trainables.data.tables.table_options import TableOptions, require_names
from trainables.data.tables.text import hashed, require_memory
from trainables.data.tables.unpacked import MOST_COLUMNS, too_many_columns
from trainables.data.tables.written import Written

_LABELS = ("label", "labels", "target", "class", "y", "category")
_MOST_NOTED = 20

_Features = tuple[list[NDArray[Any]], list[str], Block]


@dataclass
class _Reading:
    """What is found out while a table is read."""

    options: TableOptions
    images: ImageOptions
    written: Written | None
    hashed: list[str] = field(default_factory=list)
    one_hot: list[str] = field(default_factory=list)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)


def read_tables(
    tables: Sequence[Any],
    where: Sequence[str],
    options: TableOptions,
    images: ImageOptions,
    written: Written | None = None,
    unlabelled: Any = None,
) -> RawData:
    """The data of a table, or of a training table and that of an official test.

    Args:
        tables: Arrow tables with the same columns.
        where: for each, where it is from, for messages.
        options: how columns are read; what is not given is guessed, and a note says so.
        images: how a column of images is read.
        written: how the cells are written, where all columns are text.
        unlabelled: a table of examples without a label, if there is one; the last of `where` is
            its place.

    Raises:
        InputError: a column is not there, cannot be used, or has values missing.
    """
    reading = _Reading(options, images, written)
    tables = without_row_names(tables, options, reading.notes)
    _require_columns(tables[0], where[0])
    label, labels_name = _label(tables[0], where[0], reading)
    features = _features(tables[0], where[0], label, reading)
    if unlabelled is not None:
        tables = [*tables, _with_any_label(unlabelled, label, tables[0])]
    for table, place in zip(tables[1:], where[1:], strict=True):
        require_names(table.column_names, [label, *features], place)
    tables = [
        _typed(table, place, label, features, reading)
        for table, place in zip(tables, where, strict=True)
    ]
    known, missing = labels_or_gaps(tables[0].column(label), labels_name)
    labels = [known] + [
        labels_of(table.column(label), labels_name.replace(where[0], place))
        for table, place in zip(tables[1:], where[1:], strict=True)
    ]
    inputs, columns, blocks = _inputs(tables, where, features, reading)
    one = list_value_type(tables[0].column(features[0]).type) is not None
    suffix = f", column '{features[0]}'" if len(features) == 1 and one else ""
    parts = [
        RawExamples(
            rows, each, place + suffix, labels_name.replace(where[0], place), columns, blocks
        )
        for rows, each, place in zip(inputs, labels, where, strict=True)
    ]
    apart = None
    if unlabelled is not None:
        apart = without_labels(parts.pop().inputs, where[-1])
        if options.text_column:
            texts = tables[-1].column(options.text_column).cast("string").to_pylist()
            apart = replace(apart, texts=texts)
    parts[0] = replace(
        with_extras(parts[0], tables[0], where[0], options),
        missing=missing,
        missing_hint=_hint(written),
    )
    return RawData(
        parts[0],
        parts[1] if len(parts) > 1 else None,
        class_names=_class_names(tables[0], label),
        classes=options.classes,
        options={
            "label_column": label,
            "feature_columns": list(features),
            **{key: getattr(options, key) for key in ("missing", "text")},
            **told_extras(options, bool(reading.hashed)),
            **({"number_columns": list(numbers)} if (numbers := options.number_columns) else {}),
            **({"hashed_columns": reading.hashed} if reading.hashed else {}),
            **({"categories": plain(reading.categories)} if reading.categories else {}),
            "column_types": "known",
            **reading.chosen,
            "classes": [],
        },
        notes=tuple(reading.notes),
        missing_as_mean=options.missing == "mean",
        unlabelled=apart,
    )


def _with_any_label(table: Any, label: str, labelled: Any) -> Any:
    """A table whose labels, which mean nothing, are of the type of another's."""
    import pyarrow

    column = labelled.column(label).drop_null().slice(0, 1)
    if not len(column):
        return table  # the other's labels are refused, as they are all missing
    same = column.take(pyarrow.array(np.zeros(table.num_rows, dtype=np.int64)))
    kept = table.drop_columns([label]) if label in table.column_names else table
    return kept.append_column(label, same)


def _require_columns(table: Any, where: str) -> None:
    given = table.column_names
    if len(given) > MOST_COLUMNS:
        raise too_many_columns(where, len(given))
    repeated = {name for name, count in Counter(given).items() if count > 1}
    if repeated:
        raise InputError(f"{where}: several columns are called '{min(repeated)}'; rename them.")
    if len(given) < 2:
        raise InputError(
            f"{where}: expected a label column and at least one feature column; found: "
            f"{', '.join(map(shortest, given)) or 'none'}."
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
    for name in ("feature_columns", "drop_columns", "number_columns", "hashed_columns"):
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
            f"{shortened(given)}."
        )
    reading.notes.append(f"feature columns: {shortened(found)} (all others)")
    return found


def _typed(table: Any, where: str, label: str, features: Sequence[str], reading: _Reading) -> Any:
    """The table with a type for each column of text that holds something else."""
    import pyarrow

    options, written = reading.options, reading.written
    place_of = {name: place for place, name in enumerate(table.column_names)}
    found = {
        name: without_dictionary(table.column(place_of[name]), name not in options.number_columns)
        for name in features
        if are_number_categories(table.column(place_of[name]).type)
    }
    if written is not None:
        for name in {label, options.noisy_label_column} - {""}:
            found[name] = written.labels(table.column(place_of[name]))
    certain = {*options.number_columns, *([options.difficulty_column] if written else [])}
    stays = {*options.categories, *options.hashed_columns, options.text_column, *found}
    known, unclear, sure = options.column_types == "known", list[str](), list[str]()
    for name in {*features, *certain} - stays - {""}:
        column = table.column(place_of[name])
        if not is_text(column.type):
            continue
        if name in certain or known:
            sure.append(name)
        elif written is not None:
            unclear.append(name)
    texts = [table.column(place_of[name]).cast("string") for name in sure]
    places = [f"{where}, column '{name}'" for name in sure]
    found |= zip(sure, (written or Written()).numbers(texts, places), strict=True)
    if written is not None:
        texts = [table.column(place_of[name]) for name in unclear]
        found |= zip(unclear, written.guessed(texts), strict=True)
    if not found:
        return table
    names = table.column_names
    columns = [found[name] if name in found else table.column(n) for n, name in enumerate(names)]
    return pyarrow.table(columns, schema=_schema(table, found))


def _schema(table: Any, changed: Mapping[str, Any]) -> Any:
    import pyarrow

    fields = [
        pyarrow.field(each.name, changed[each.name].type) if each.name in changed else each
        for each in table.schema
    ]
    return pyarrow.schema(fields, metadata=table.schema.metadata)


def _inputs(
    tables: Sequence[Any], where: Sequence[str], features: Sequence[str], reading: _Reading
) -> tuple[list[NDArray[Any]], tuple[str, ...], tuple[Block, ...]]:
    """The inputs of each table, and the names and columns of their features if they have any."""
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
            return pictures.parts, (), ()
        if list_value_type(kind) is not None:
            pairs = zip(tables, named, strict=True)
            return [stacked_lists(table.column(column), name) for table, name in pairs], (), ()
    found = [_block(tables, where, name, reading) for name in features]
    _note_one_hot(reading)
    note_row_names(tables[0], features, reading.options, reading.notes)
    whole = [_beside([arrays[part] for arrays, _, _ in found]) for part in range(len(tables))]
    headings = tuple(heading for _, names, _ in found for heading in names)
    return whole, headings, tuple(block for _, _, block in found)


def _beside(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.hstack(arrays)


def _block(tables: Sequence[Any], where: Sequence[str], name: str, reading: _Reading) -> _Features:
    """The features [n, k] that one column gives in each table, and what they are."""
    columns = [table.column(name) for table in tables]
    places = [f"{place}, column '{name}'" for place in where]
    if name in reading.options.categories or is_text(columns[0].type):
        return _from_text(columns, places, name, reading)
    pairs = list(zip(columns, places, strict=True))
    arrays = [numbers_of(column, place)[:, np.newaxis] for column, place in pairs]
    for array, place in zip(arrays, places, strict=True):
        _refuse_missing(np.isnan(array), place, reading)
    return arrays, [name], Block(name, 1, "number")


def _from_text(
    columns: Sequence[Any], places: Sequence[str], name: str, reading: _Reading
) -> _Features:
    options, values = reading.options, [column.cast("string").to_pylist() for column in columns]
    known = options.categories.get(name)
    for each, place in zip(values, places, strict=True):
        _refuse_missing(np.array([one is None for one in each]), place, reading)
    if name == options.text_column or name in options.hashed_columns:
        return _hashed(values, places[0], name, reading)
    found = known or tuple(sorted({one for each in values for one in each if one is not None}))
    if known is None:
        refuse_numbers_and_dates(places[0], name, found, reading.written)
        if not 0 < len(found) <= min(MOST_CATEGORIES, len(values[0]) // 2):
            if options.text == "hash" and found:
                return _hashed(values, places[0], name, reading)
            raise free_text(places[0], found, len(values[0]))
        reading.one_hot.append(name)
    reading.categories[name] = found
    pairs = zip(values, places, strict=True)
    arrays = [one_hot(each, found, place) for each, place in pairs]
    return arrays, [f"{name}={c}" for c in found], Block(name, len(found), "categories")


def _note_one_hot(reading: _Reading) -> None:
    names = reading.one_hot
    if len(names) > _MOST_NOTED:
        reading.notes.append(f"columns of text, one-hot: {shortened(names)}")
        return
    for name in names:
        found = shortened([shortest(each) for each in reading.categories[name]])
        reading.notes.append(f"column '{name}': text, one-hot: {found}")


def _hashed(
    values: Sequence[Sequence[str | None]], place: str, name: str, reading: _Reading
) -> _Features:
    count = reading.options.text_features
    if name != reading.options.text_column:
        reading.hashed.append(name)
        if name not in reading.options.hashed_columns:  # else it was said, and is no guess
            reading.notes.append(f"column '{name}': free text, hashed to {count} features")
    require_memory(sum(map(len, values)), count, place)
    headings = [f"{name}#{number}" for number in range(count)]
    return [hashed(each, count) for each in values], headings, Block(name, count, "text")


def _refuse_missing(missing: NDArray[np.bool_], place: str, reading: _Reading) -> None:
    count = int(missing.sum())
    if count == missing.size and count:
        raise InputError(f"{place}: every value is missing; leave it out by --drop-columns.")
    if count and reading.options.missing == "refuse":
        row = int(missing.argmax())
        raise InputError(
            f"{place}: {count} of {missing.size} values are missing or NaN, the first in row "
            f"{row} (counted from 0): leave the column out by --drop-columns, or --data-option "
            f"missing=mean.{_hint(reading.written)}"
        )


def _hint(written: Written | None) -> str:
    """What to do where a cell that counts as missing is a value."""
    if written is None or not written.occurring:
        return ""
    marks = " and ".join(f"'{mark}'" for mark in written.occurring[:3])
    return f" If {marks} is a value: --data-option missing_values="


def _class_names(table: Any, label: str) -> tuple[str, ...] | None:
    """The names of numbered classes, as Hugging Face's `datasets` writes them into a schema."""
    if not is_numeric(table.column(label).type):
        return None
    try:
        about = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        listed = about["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return tuple(map(str, listed)) if isinstance(listed, list) else None

"""Columns of a table that are neither label nor, by themselves, features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.extra_columns import NOISY
from trainables.data.options import flag_of
from trainables.data.source import RawExamples
from trainables.data.tables.columns import is_numeric, is_text, labels_of, numbers
from trainables.data.tables.table_options import TableOptions, require_names
from trainables.data.tables.text import FEATURES


def require_own_columns(table: Any, where: str, label: str, options: TableOptions) -> None:
    """Sees to it that a column that is no feature has one meaning, and that a text is text.

    Raises:
        InputError: it is not there, is something else as well, or is of another type.
    """
    meanings = options.extra_names()
    if options.text_column:
        meanings["text_column"] = options.text_column
    for option_name, name in meanings.items():
        require_names(table.column_names, [name], where, option_name)
        flag = flag_of(option_name)
        if name == label:
            raise InputError(f"{flag}: '{name}' is the label column.")
        if name in options.drop_columns:
            raise InputError(f"{flag}: '{name}' is also among --drop-columns.")
        if name in options.feature_columns and option_name != "text_column":
            raise InputError(f"{flag}: '{name}' is no feature, but among --feature-columns.")
        same = [other for other in meanings if other != option_name and meanings[other] == name]
        if same:
            raise InputError(f"{flag}: '{name}' is also the column of {flag_of(same[0])}.")
    if options.text_column and not is_text(table.column(options.text_column).type):
        kind, name = table.column(options.text_column).type, options.text_column
        raise InputError(f"{where}, column '{name}': expected text, got type {kind}.")


def told_extras(options: TableOptions, hashed: bool) -> dict[str, Any]:
    """Those that are only told where they are given, and how text is hashed where some is."""
    found: dict[str, Any] = dict(options.extra_names())
    found |= {"text_column": options.text_column} if options.text_column else {}
    told = hashed or options.text_column or options.text_features != FEATURES
    return found | ({"text_features": options.text_features} if told else {})


def with_extras(
    examples: RawExamples, table: Any, where: str, options: TableOptions
) -> RawExamples:
    """The examples with what is known of them beside inputs and labels.

    Raises:
        InputError: noisy labels or difficulties that are missing, or of another type.
    """
    found: dict[str, Any] = {}
    for option_name, name in options.extra_names().items():
        require_names(table.column_names, [name], where, option_name)
        column, place = table.column(name), f"{where}, column '{name}'"
        if option_name == NOISY:
            found |= {"noisy_labels": labels_of(column, place), "noisy_labels_name": place}
        else:
            found |= {"difficulty": _difficulties(column, place), "difficulty_name": place}
    if options.text_column:
        found["texts"] = table.column(options.text_column).cast("string").to_pylist()
    return replace(examples, **found)


def _difficulties(column: Any, place: str) -> NDArray[Any]:
    if not is_numeric(column.type):
        raise InputError(f"{place}: a difficulty is a number, got type {column.type}.")
    return numbers(column, place)

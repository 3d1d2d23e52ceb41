"""Columns of a table that name its rows, as pandas and R write them, or that nobody has named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainables.data.labels.labels import shortened
from trainables.data.tables.columns import is_numeric, is_text
from trainables.data.tables.table_options import TableOptions
from trainables.data.tables.written import Written

_NAMELESS = ("", "Unnamed: 0", "__index_level_0__")
_IDENTIFIERS = re.compile(
    r"(?i:id|index|idx|uid|uuid|guid|identifier|key|row|row[ _.-]?(?:id|num|number|nr|no|names?)"
    r"|.*[ _.-](?:id|idx|index|uuid|guid))|.*[a-z]I[dD]|Unnamed: \d+"
)


def without_row_names(tables: Sequence[Any], options: TableOptions, notes: list[str]) -> list[Any]:
    """Tables in which every column has a name, and without nameless ones that hold no feature.

    Args:
        tables: Arrow tables with the same columns.
        options: what the user said; a column that is named there stays.
        notes: notes are added for what was found.
    """
    given = tables[0].column_names
    if options.feature_columns or options.text_column:
        notes = []  # nobody asks which columns there are
    left_out = _left_out(tables[0], options, notes)
    kept = [place for place in range(len(given)) if place not in left_out]
    taken, names = set(given), list[str]()
    for place in kept:
        name, number = given[place], place
        while not name or (name != given[place] and name in taken):
            name, number = f"column_{number}", number + len(given)
        if not given[place]:
            notes.append(f"column {place + 1} has no name and is called '{name}'")
            taken.add(name)
        names.append(name)
    if names == given:
        return list(tables)
    return [
        table.select(kept).rename_columns(names) if table.column_names == given else table
        for table in tables
    ]


def _left_out(table: Any, options: TableOptions, notes: list[str]) -> set[int]:
    given, named = table.column_names, options.named()
    empty = {
        place
        for place, name in enumerate(given)
        if not name and table.num_rows and table.column(place).null_count == table.num_rows
    }
    if empty:
        places = shortened([str(place + 1) for place in sorted(empty)])
        notes.append(f"columns without a name and without a value are left out: {places}")
    first = bool(given) and given[0] in _NAMELESS and given[0] not in named
    if first and 0 not in empty and len(given) - len(empty) > 2 and _tell_rows_apart(table, 0):
        notes.append(
            "the first column has no name and another whole number in each row, as a row index "
            "has: left out"
        )
        return {0, *empty}
    return empty


def _tell_rows_apart(table: Any, place: int) -> bool:
    """True if a column holds whole numbers that are all different."""
    values = _whole_numbers(table.column(place))
    return values is not None and len(np.unique(values)) == len(values) > 1


def _whole_numbers(column: Any) -> Any:
    if column.null_count:
        return None
    if is_text(column.type):
        column = Written().labels(column.cast("string"))
    if not is_numeric(column.type):
        return None
    values = column.to_numpy()
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.floor(values))).all():
        return None
    return values if values.dtype.kind in "iuf" else None


def note_row_names(
    table: Any, features: Sequence[str], options: TableOptions, notes: list[str]
) -> None:
    """Says which features tell the rows apart and are rarely meant as features."""
    if options.feature_columns:
        return
    for name in features:
        column = table.column(name)
        values = _whole_numbers(column) if is_numeric(column.type) else None
        if values is None or len(values) < 2 or (values[0] == values[1]):
            continue
        used = f"and is used as a feature; --drop-columns '{name}' leaves it out"
        if (np.diff(values) == 1).all():
            notes.append(f"column '{name}' only counts the rows {used}")
        elif len(np.unique(values)) < len(values):
            continue
        elif _IDENTIFIERS.fullmatch(name):
            notes.append(
                f"column '{name}' names the rows, it seems: no number comes twice; it {used[4:]}"
            )
        elif values.max() - values.min() == len(values) - 1:
            notes.append(f"column '{name}' only counts the rows, in another order, {used}")

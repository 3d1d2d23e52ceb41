"""Guesses about a file of separated values: what is between cells, and a first line of names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from trainables.data.tables.written import is_number

SEPARATORS = ",;\t|"
"""Those that are guessed."""
_LOOKED_AT, _FEWEST_LOOKED_AT = 50, 5
_CELLS_LOOKED_AT = 20_000
_FEWEST_COUNTED = 3

Rows = list[list[str]]


def first_rows(beginning: str, separator: str, whole: bool) -> Rows:
    """The first lines that are not empty, in cells.

    Args:
        beginning: the beginning of the file.
        separator: what is between cells.
        whole: whether it is the whole file, and the last line is not cut.
    """
    reader = csv.reader(io.StringIO(beginning, newline=""), delimiter=separator)
    found: Rows = []
    try:
        for row in (row for row in reader if row):
            found.append(row)
            enough = len(found) * len(row) >= _CELLS_LOOKED_AT and len(found) > _FEWEST_LOOKED_AT
            if enough or len(found) == _LOOKED_AT:
                return found
    except csv.Error:  # a cell that is longer than the module reads: its line is not looked at
        return found
    return found if whole else found[:-1]


def guessed_separator(beginning: str, whole: bool, decimal: str, missing: Collection[str]) -> str:
    """The separator that divides the first lines into equally many cells.

    Of several the one whose cells are more often numbers, and less often hold another separator
    for no reason; then the one that gives more cells.
    """
    allowed = [each for each in SEPARATORS if each != decimal]
    scores = {}
    for separator in allowed:
        rows = first_rows(beginning, separator, whole)
        if lacks_a_name(rows):
            rows = rows[1:]
        widths = {len(row) for row in rows}
        if len(widths) == 1 and (width := widths.pop()) > 1:
            scores[separator] = (_clarity(rows, separator, decimal, missing), width)
    if scores:
        return max(scores, key=lambda separator: scores[separator])
    first = beginning.split("\n", 1)[0]
    return max(allowed, key=first.count)


def _clarity(rows: Rows, separator: str, decimal: str, missing: Collection[str]) -> float:
    """The share of cells that are numbers, less the share in which another separator is left."""
    others, numbers, odd, count = set(SEPARATORS) - {separator}, 0, 0, 0
    for row in rows:
        for cell in row[: _CELLS_LOOKED_AT // len(rows)]:
            if not cell.strip() or cell.strip() in missing:
                continue
            count += 1
            if _is_number(cell, separator, decimal):
                numbers += 1
            elif not others.isdisjoint(cell):
                odd += 1
    return (numbers - odd) / max(1, count)


def _is_number(cell: str, separator: str, decimal: str) -> bool:
    if is_number(cell, decimal):
        return True
    # A comma within a cell is a decimal one, whether that was said or not.
    return separator != "," and is_number(cell, ",")


def has_header(rows: Rows, separator: str, decimal: str, missing: Collection[str]) -> bool:
    """True if the first line names the columns.

    A line without a number does, if its cells are not values of their columns, as they are where
    all columns hold words. One with a number does where a word stands above numbers alone, or if
    its numbers only count, as no other line's do, and are no values of their columns either:
    pandas names columns so, and years are.
    """
    if not rows or lacks_a_name(rows):
        return True
    first, others = rows[0], rows[1:]
    numbers = [_is_number(cell, separator, decimal) for cell in first]
    below = [_column(others, place, missing) for place in range(len(first))]
    known = sum(cell in cells for cell, cells in zip(first, below, strict=True))
    if _counts(first) and not any(map(_counts, others)):
        return 2 * known <= len(first)
    if any(numbers):
        return any(
            cells
            and not number
            and cell.strip() not in missing
            and any(sign.isalpha() for sign in cell)
            and all(_is_number(each, separator, decimal) for each in cells)
            for cell, number, cells in zip(first, numbers, below, strict=True)
        )
    return 2 * known <= len(first)


def lacks_a_name(rows: Rows) -> bool:
    """True if the first line has a cell less than all others, which begin with row names (R)."""
    others = rows[1:]
    if {len(row) for row in others} != {len(rows[0]) + 1 if rows else 0}:
        return False
    all_differ = len({row[0] for row in others}) == len(others)
    return all_differ and any(row[-1].strip() for row in others)  # no separator at the end


def _counts(cells: Sequence[str]) -> bool:
    """True if the whole numbers among cells follow each other by one, and are most of them."""
    given = [cell.strip() for cell in cells if cell.strip()]
    found = [int(cell) for cell in given if re.fullmatch(r"[0-9]{1,9}", cell)]
    others = [cell for cell in given if not re.fullmatch(r"[0-9]{1,9}", cell)]
    if len(found) < _FEWEST_COUNTED or 2 * len(others) > len(found) or any(map(is_number, others)):
        return False
    return all(after == before + 1 for before, after in pairwise(found))


def _column(rows: Rows, place: int, missing: Collection[str]) -> Sequence[str]:
    return [
        row[place]
        for row in rows
        if place < len(row) and row[place].strip() and row[place].strip() not in missing
    ]

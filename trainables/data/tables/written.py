"""Tables whose cells are all text: what each column is, decided by how its cells are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError

_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_INFINITE = "inf|Inf|INF|infinity|Infinity"
_NUMBERS = {
    ".": rf"[+-]?(?:[0-9]+\.?[0-9]*{_EXPONENT}|\.[0-9]+{_EXPONENT}|{_INFINITE})",
    ",": rf"[+-]?(?:[0-9]+,?[0-9]*{_EXPONENT}|,[0-9]+{_EXPONENT}|{_INFINITE})",
}
_GROUPED = {
    ".": r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?",
    ",": r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?",
}
# Two groups of thousands, or one and a fraction: 1,234 alone could be 1.234 as well.
_SURELY_GROUPED = re.compile(r"[,.][0-9]{3}[,.][0-9]")
# As numbers these would lose what tells them apart: 01 is 1, 1E2 is 100, and float64 ends at 2^53.
_CODES = r"[+-]?0[0-9]+|[+-]?[0-9]{16,}|[0-9]+[eE][0-9]+"
# int64 holds every number of 18 digits.
_WHOLE = r"0|-?[1-9][0-9]{0,17}"
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_CELLS_AT_ONCE = 4_000_000


def is_number(cell: str, decimal: str = ".") -> bool:
    """Return whether a cell is a number with this decimal mark, its thousands in groups or not."""
    cell = cell.strip()
    return any(re.fullmatch(each[decimal], cell) for each in (_NUMBERS, _GROUPED))


def is_code(cell: str) -> bool:
    """Return whether a cell is a number that is written as a code would be, such as 007."""
    return re.fullmatch(_CODES, cell.strip()) is not None


@dataclass(frozen=True)
class Written:
    """How a table whose cells are text writes them.

    Attributes:
        decimal: the decimal mark.
        missing: cells that stand for a value that is missing. Quoted they are text, but not in a
            column whose other cells are all numbers.
        occurring: those of them that the file has, unquoted.
        separator: what is between cells.
    """

    decimal: str = "."
    missing: tuple[str, ...] = ()
    occurring: tuple[str, ...] = ()
    separator: str = ","

    def labels(self, column: Any) -> Any:
        """Labels: whole numbers if every cell is one in the one way to write it, else text."""
        from pyarrow import compute

        if not _matching(column, 1, _WHOLE).all():
            return column
        return compute.cast(compute.utf8_trim_whitespace(column), "int64")

    def numbers(self, columns: Sequence[Any], places: Sequence[str]) -> list[Any]:
        """Columns of text that have to be numbers, or booleans; each has a place for messages.

        Raises:
            InputError: a cell is neither; names the first.
        """
        found = self._by_parts(columns, certain=True)
        for column, each, place in zip(columns, found, places, strict=True):
            if each is None:
                row, cell = self._first_other(column)
                raise InputError(
                    f"{place}: expected numbers, got '{cell}' in row {row} (counted from 0)."
                )
        return found

    def guessed(self, columns: Sequence[Any]) -> list[Any]:
        """Columns of text, of which those that hold numbers or booleans alone become such."""
        found = self._by_parts(columns, certain=False)
        return [old if new is None else new for old, new in zip(columns, found, strict=True)]

    def _by_parts(self, columns: Sequence[Any], certain: bool) -> list[Any]:
        at_once = max(1, _CELLS_AT_ONCE // max(1, len(columns[0]))) if columns else 1
        found: list[Any] = []
        for start in range(0, len(columns), at_once):
            found += self._typed(columns[start : start + at_once], certain)
        return found

    def _typed(self, columns: Sequence[Any], certain: bool) -> list[Any]:
        """The columns as numbers or booleans, None for each that is neither."""
        import pyarrow

        # All at once: ten thousand columns take no longer than their cells do.
        cells = pyarrow.chunked_array(
            [chunk for column in columns for chunk in column.chunks], pyarrow.string()
        )
        have_words = _in_each(~_matching(cells, len(columns), _NUMBERS[self.decimal]))
        have_codes = [False] * len(columns)
        if not certain:
            have_codes = _in_each(_matching(cells, len(columns), _CODES, missing=False))
        found = list[Any]()
        for place, column in enumerate(columns):
            if column.null_count == len(column):
                found.append(pyarrow.chunked_array([pyarrow.nulls(len(column))]))
            elif have_codes[place]:
                found.append(None)
            elif not have_words[place]:
                found.append(_floats(column, self.decimal))
            else:
                found.append(self._unusual(column, certain))
        return found

    def _first_other(self, column: Any) -> tuple[int, str]:
        """The first cell that is no number, with its row."""
        allowed = rf"{_NUMBERS[self.decimal]}|{_GROUPED[self.decimal]}|{self._nothing}"
        row = int(_matching(column, 1, allowed)[0].argmin())
        return row, " ".join(str(column[row].as_py()).split())[:40]

    @property
    def _nothing(self) -> str:
        return "|".join(map(re.escape, ("", *self.missing)))

    def _unusual(self, column: Any, certain: bool) -> Any:
        """Booleans, or numbers with quoted cells between them that stand for nothing, or groups.

        None for any other column. Where it is certain that the column holds numbers, groups of
        thousands need not be beyond doubt.
        """
        from pyarrow import compute

        if _matching(column, 1, "|".join((*_TRUE, *_FALSE))).all():
            return _booleans(column)
        grouped, plain = _GROUPED[self.decimal], _NUMBERS[self.decimal]
        some = _matching(column, 1, rf"{plain}|{grouped}", missing=False)[0]
        if not (some | _matching(column, 1, self._nothing)[0]).all() or not some.any():
            return None
        in_groups = _matching(column, 1, grouped, missing=False)[0]
        # A point is nothing else where the decimal mark is a comma.
        if in_groups.any() and not certain and self.decimal == ".":
            written = column.to_pylist()
            if not any(_SURELY_GROUPED.search(written[row]) for row in np.flatnonzero(in_groups)):
                return None
        return _floats(compute.if_else(_as_arrow(some), column, None), self.decimal)


def _matching(cells: Any, columns: int, pattern: str, missing: bool = True) -> NDArray[np.bool_]:
    """Which cells are written so, [columns, rows]; of a missing one what `missing` says."""
    from pyarrow import compute

    found = compute.match_substring_regex(cells, rf"^\s*(?:{pattern})\s*$").fill_null(missing)
    matching: NDArray[np.bool_] = found.to_numpy().reshape(columns, -1)
    return matching


def _in_each(found: NDArray[np.bool_]) -> list[bool]:
    """True if a column has a cell that was found, for each."""
    return [bool(one) for one in np.atleast_1d(found.any(axis=1))]


def _as_arrow(mask: NDArray[np.bool_]) -> Any:
    import pyarrow

    return pyarrow.array(mask)


def _booleans(column: Any) -> Any:
    import pyarrow
    from pyarrow import compute

    trimmed = compute.utf8_trim_whitespace(column)
    true = compute.is_in(trimmed, pyarrow.array(_TRUE))
    return compute.if_else(compute.is_null(trimmed), pyarrow.scalar(None, pyarrow.bool_()), true)


def _floats(column: Any, decimal: str) -> Any:
    import pyarrow
    from pyarrow import compute

    if decimal == ".":
        try:
            return compute.cast(column, "float64")
        except pyarrow.ArrowInvalid:  # blanks around some, or thousands in groups
            pass
    group = "," if decimal == "." else "."
    column = compute.replace_substring(compute.utf8_trim_whitespace(column), group, "")
    return compute.cast(compute.replace_substring(column, decimal, "."), "float64")

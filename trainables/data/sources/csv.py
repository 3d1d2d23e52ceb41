"""Tables as comma-separated values."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from search_spaces.errors import InputError
from trainables.data.images import ImageOptions
from trainables.data.options import marks, one_of, option, text
from trainables.data.source import FileSource, RawData, unreadable
from trainables.data.tables.csv_layout import (
    first_rows,
    guessed_separator,
    has_header,
    lacks_a_name,
)
from trainables.data.tables.doubtful import shortest
from trainables.data.tables.table import read_tables
from trainables.data.tables.table_options import TableOptions
from trainables.data.tables.unpacked import MOST_COLUMNS, read_text_file, too_many_columns
from trainables.data.tables.written import Written, is_number

_NAMED = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
_LONGEST_BEGINNING, _LINES = 8_000_000, 200
_LOOKED_AT = 1 << 20
# What pandas, R, Excel and databases write for nothing.
_MISSING = (
    "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "NaN", "nan", "-NaN", "-nan",
    "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND",
)  # fmt: skip


def _separator(flag: str, given: Any) -> str:
    separator = _NAMED.get(given, given) if isinstance(given, str) else given
    if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n\0':
        words = ", ".join(_NAMED)
        raise InputError(f"{flag}: got {given!r}, expected one character, or one of {words}.")
    if not separator.isascii():
        raise InputError(f"{flag}: got {given!r}, expected a character of ASCII.")
    return separator


def _encoding(flag: str, given: Any) -> str:
    try:
        found = codecs.lookup(text(flag, given)).name
        "a".encode(found)  # some are not of text, such as hex
        return found
    except (LookupError, ValueError):
        raise InputError(
            f"{flag}: '{given}' is no encoding; expected one such as utf-8, cp1252 or utf-16."
        ) from None


@dataclass(frozen=True)
class CsvOptions:
    """How the file is written."""

    separator: str = option("", _separator, "what is between cells; guessed", carried=False)
    header: str = option(
        "auto",
        one_of("auto", "yes", "no"),
        "whether the first line names the columns; guessed",
        carried=False,
    )
    decimal: str = option(".", one_of(".", ","), "the decimal mark", carried=False)
    encoding: str = option("utf-8", _encoding, "the file's encoding", carried=False)
    missing_values: tuple[str, ...] = option(
        _MISSING,
        marks,
        "what stands, without quotes, for a value that is missing, such as ?,-; an empty cell "
        "always does; NA, NaN, null and the like if not given",
    )


@final
class Csv(FileSource):
    """A table FILE.csv or FILE.csv.gz (also .tsv) with a label column and features.

    Separator and header are guessed, and said. Columns are as in a Parquet table: numbers, or text
    with at most 20 values, which is one-hot; text are also numbers that are written as codes, such
    as 007. A nameless first column of whole numbers that are all different, as pandas and R write
    their index, is left out.
    """

    suffixes = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
    takes = (CsvOptions, TableOptions)

    def _read(self, path: Path) -> RawData:
        options, notes = self._chosen(CsvOptions), list[str]()
        text_of_file = _decoded(path, options.encoding, notes)
        separator, header, names, content = _layout(path, text_of_file, options, notes)
        missing = options.missing_values
        file = _Content(path, content, separator, header, names, missing)
        table = file.read()
        if table.num_columns < 2:
            only = shortest(table.column_names[0]) if table.column_names else ""
            raise InputError(
                f"'{path}': with separator {separator!r} there is one column only, "
                f"'{only}'; --data-option separator= names another separator."
            )
        occurring, chosen = file.occurring(table), self._chosen(TableOptions)
        if "missing_values" not in self._given and chosen.column_types == "guess":
            notes += _told_missing(occurring)
        written = Written(options.decimal, missing, tuple(occurring), separator)
        raw = read_tables([table], [f"'{path}'"], chosen, ImageOptions(), written)
        own = {name: self._given[name] for name in _AS_GIVEN if name in self._given}
        layout = {"separator": separator, "header": "yes" if header else "no"}
        told = {**layout, **own, **raw.options}
        return RawData(**{**vars(raw), "options": told, "notes": (*notes, *raw.notes)})


_AS_GIVEN = ("decimal", "encoding", "missing_values")


@dataclass(frozen=True)
class _Text:
    """What a file holds, as UTF-8.

    Attributes:
        content: all of it.
        beginning: the first lines.
        whole: whether these are all that there are.
    """

    content: bytes
    beginning: str
    whole: bool


def _decoded(path: Path, encoding: str, notes: list[str]) -> _Text:
    content = read_text_file(path, lambda first: _refuse_zeros(path, first, encoding))
    if encoding == "utf-8" and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"  # a file that begins like this can be nothing else
    try:
        # Windows writes a mark at the beginning that is no part of the first column's name.
        found = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
        data = found.encode()
    except UnicodeError as error:
        raise _not_decoded(path, encoding, content, error) from error
    if "\0" in found:
        raise InputError(f"'{path}': cannot be read as a table: it holds zero bytes.")
    if not found.strip():
        raise InputError(f"'{path}': the file is empty.")
    if encoding == "iso8859-1" and (control := _CONTROL.search(found)):
        notes.append(
            f"read as latin-1 the file has control characters, such as U+{ord(control[0]):04X}; "
            "files of Windows are --data-option encoding=cp1252"
        )
    return _Text(data, *_beginning(path, found))


_CONTROL = re.compile("[\x80-\x9f]")


def _refuse_zeros(path: Path, first: bytes, encoding: str) -> None:
    utf16 = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if encoding == "utf-8" and not utf16 and b"\0" in first:
        halves = [first[start::2].count(0) * 2 / len(first) for start in (0, 1)]
        hint = ""
        if max(halves) > 0.5 > min(halves):
            order = "le" if halves[1] > halves[0] else "be"
            hint = f" UTF-16 without a mark? Then --data-option encoding=utf-16-{order}."
        raise InputError(f"'{path}': cannot be read as a table: it holds zero bytes.{hint}")


def _not_decoded(path: Path, encoding: str, content: bytes, error: UnicodeError) -> InputError:
    if not isinstance(error, UnicodeDecodeError):
        return InputError(f"'{path}': cannot be read as {encoding} text: {shortest(str(error))}.")
    line = content.count(b"\n", 0, error.start) + 1
    hint = "name the file's encoding by --data-option encoding="
    if encoding == "utf-8":
        hint = f"name the file's encoding, such as --data-option encoding={_likely(content)}"
    return InputError(f"'{path}': line {line} is not {encoding} text; {hint}.")


def _likely(content: bytes) -> str:
    """An encoding that could be meant."""
    beyond = re.findall(rb"[\x80-\xff]+", content[:_LOOKED_AT])
    # In the languages of the West letters with marks stand among plain ones.
    if sum(len(each) for each in beyond if len(each) > 2) > sum(map(len, beyond)) / 2:
        return "cp1251, shift_jis or gb18030 (it is neither latin-1 nor cp1252)"
    if not re.search(rb"[\x80-\x9f]", content):
        return "latin-1"
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "cp850 or mac_roman (it is neither latin-1 nor cp1252)"
    return "cp1252"


def _beginning(path: Path, content: str) -> tuple[str, bool]:
    """The first lines, at most some hundred, and whether they are all."""
    end = 0
    for _ in range(_LINES):
        line = content.find("\n", end) + 1
        if not line or line > _LONGEST_BEGINNING:
            break
        end = line
    else:
        return content[:end], end == len(content)
    if len(content) <= _LONGEST_BEGINNING:
        return content, True
    if end:
        return content[:end], False
    if "\r" in content[:_LONGEST_BEGINNING]:
        return content[: content.rindex("\r", 0, _LONGEST_BEGINNING) + 1], False
    raise InputError(
        f"'{path}': the first line is longer than {_LONGEST_BEGINNING:,} characters; this is no "
        "table, or its lines do not end."
    )


def _layout(
    path: Path, text: _Text, options: CsvOptions, notes: list[str]
) -> tuple[str, bool, list[str], bytes]:
    """The separator, whether the first line names the columns, their names, and all lines."""
    missing = options.missing_values
    separator = options.separator
    if not separator:
        separator = guessed_separator(text.beginning, text.whole, options.decimal, missing)
        if separator != ",":
            said = next(word for word, sign in _NAMED.items() if sign == separator)
            notes.append(f"separator: {said} (guessed; --data-option separator= names another)")
    rows = first_rows(text.beginning, separator, text.whole)
    if not rows:
        raise InputError(
            f"'{path}': the first line cannot be read: a cell of it is longer than 131,072 "
            "characters."
        )
    header = options.header == "yes"
    if options.header == "auto":
        header = has_header(rows, separator, options.decimal, missing)
        if not header:
            notes.append(
                "no header: the first line holds values as the others do, so columns are called "
                "column_0, column_1, … (--data-option header=yes if it names them)"
            )
        elif any(is_number(cell, options.decimal) for cell in rows[0]):
            notes.append(
                "header: the first line, though it has numbers (guessed; --data-option header=no "
                "if it is a row)"
            )
    first, content = rows[0], text.content
    if header and lacks_a_name(rows):
        notes.append("the first line has a cell less than all others, that above the first column")
        first, content = ["", *first], separator.encode() + content.lstrip(b"\r\n")
    names = first if header else [f"column_{n}" for n in range(len(first))]
    return separator, header, names, content


@dataclass(frozen=True)
class _Content:
    """A file's cells as text."""

    path: Path
    content: bytes
    separator: str
    header: bool
    names: list[str]
    missing: tuple[str, ...]

    def read(self, missing: bool = True) -> Any:
        """The table; unless told otherwise, cells that stand for nothing are null.

        Raises:
            InputError: lines have different numbers of cells.
        """
        import pyarrow
        from pyarrow import csv as arrow_csv

        if len(self.names) > MOST_COLUMNS:
            raise too_many_columns(f"'{self.path}'", len(self.names))
        # Found by place: names may be there twice, and a name may be a mark for nothing.
        places = [f"f{number}" for number in range(len(self.names))]
        blanks = ["", " "] if missing else []
        spaced = [f"{left}{mark}{right}" for mark in self.missing for left, right in _BLANKS]
        try:
            table = arrow_csv.read_csv(
                # No file of Python's: Arrow's threads would still hold it when the process ends.
                pyarrow.BufferReader(self.content),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False,
                    autogenerate_column_names=True,
                    block_size=min(max(len(self.content), 1 << 20) + 1, 2**31 - 1),
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.separator, newlines_in_values=True
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(places, pyarrow.string()),
                    strings_can_be_null=missing,
                    quoted_strings_can_be_null=False,
                    null_values=blanks + (spaced if missing else []),
                ),
            )
            if table.num_columns != len(self.names):
                raise ValueError(f"its first line has {table.num_columns} cells")
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise unreadable(
                self.path, error, f"a table with separator {self.separator!r}"
            ) from error
        return table.rename_columns(self.names).slice(1 if self.header else 0).combine_chunks()

    def occurring(self, table: Any) -> dict[str, tuple[int, str]]:
        """How many cells of each mark stand for nothing, and the first column with one."""
        from pyarrow import compute

        if not any(column.null_count for column in table.columns):
            return {}
        written, found = self.read(missing=False), dict[str, tuple[int, str]]()
        for name, column, cells in zip(self.names, table.columns, written.columns, strict=True):
            if not column.null_count:
                continue
            marks_here = compute.utf8_trim_whitespace(cells.filter(compute.is_null(column)))
            for mark, count in Counter(marks_here.to_pylist()).items():
                if mark:
                    before, first = found.get(mark, (0, name))
                    found[mark] = before + count, first
        return found


def _told_missing(occurring: Mapping[str, tuple[int, str]]) -> list[str]:
    return [
        f"'{mark}' counts as missing, in {count} cells, the first in column '{shortest(first)}'; "
        "--data-option missing_values= names what does, and nothing but empty cells if it is empty"
        for mark, (count, first) in occurring.items()
    ]


_BLANKS = (("", ""), (" ", ""), ("", " "), (" ", " "))

"""Tables as comma-separated values."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, final

from search_spaces.errors import InputError
from trainables.data._images import ImageOptions
from trainables.data._options import one_of, option, text
from trainables.data._source import FileSource, RawData, unreadable
from trainables.data._table import read_tables
from trainables.data._table_options import TableOptions

_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
_GUESSED = ",;\t|"
_LOOKED_AT = 50


def _separator(flag: str, given: Any) -> str:
    separator = _SEPARATORS.get(given, given)
    if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
        words = ", ".join(_SEPARATORS)
        raise InputError(f"{flag}: got {given!r}, expected one character, or one of {words}.")
    return separator


def _encoding(flag: str, given: Any) -> str:
    try:
        return codecs.lookup(text(flag, given)).name
    except LookupError:
        raise InputError(
            f"{flag}: '{given}' is no encoding; expected one such as utf-8, latin-1 or utf-16."
        ) from None


@dataclass(frozen=True)
class CsvOptions:
    """How the file is written."""

    separator: str = option("", _separator, "what is between cells; guessed", carried=False)
    header: str = option(
        "auto",
        one_of("auto", "yes", "no"),
        "whether the first line names the columns; `auto`: where no cell of it is a number",
        carried=False,
    )
    decimal: str = option(".", one_of(".", ","), "the decimal mark", carried=False)
    encoding: str = option("utf-8", _encoding, "the file's encoding", carried=False)


@final
class Csv(FileSource):
    """A table FILE.csv or FILE.csv.gz (also .tsv) with a label column and features.

    Separator and header are guessed, and said. Columns are as in a Parquet table: numbers, or text
    with at most 20 values, which is one-hot. A nameless first column that counts the rows, as
    pandas writes its index, is left out.
    """

    suffixes = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
    takes = (CsvOptions, TableOptions)

    def _read(self, path: Path) -> RawData:
        options, notes = self._chosen(CsvOptions), list[str]()
        content = _decoded(path, options.encoding)
        separator = options.separator or _guessed_separator(content)
        if separator not in (options.separator, ","):
            said = next(word for word, sign in _SEPARATORS.items() if sign == separator)
            notes.append(f"separator: {said} (guessed; --data-option separator= names another)")
        header = _has_header(content, separator, options, notes)
        table = _parsed(path, content, separator, header, options.decimal)
        table = _without_index(table, notes)
        if table.num_columns < 2:
            raise InputError(
                f"'{path}': with separator {separator!r} there is one column only, "
                f"'{table.column_names[0]}'; --data-option separator= names another separator."
            )
        raw = read_tables([table], [f"'{path}'"], self._chosen(TableOptions), ImageOptions())
        about_file = {name: given for name, given in self._given.items() if name in _OWN}
        return RawData(
            **{
                **vars(raw),
                "options": {**about_file, **raw.options},
                "notes": (*notes, *raw.notes),
            }
        )


_OWN = ("separator", "header", "decimal", "encoding")


def _decoded(path: Path, encoding: str) -> str:
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error, "a table") from error
    if encoding == "utf-8" and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"  # a file that begins like this can be nothing else
    try:
        # Windows writes a mark at the beginning that is no part of the first column's name.
        found = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"'{path}': line {line} is not {encoding} text; name the file's encoding, such as "
            "--data-option encoding=latin-1."
        ) from error
    if "\0" in found:
        raise InputError(f"'{path}': cannot be read as a table: it holds zero bytes.")
    if not found.strip():
        raise InputError(f"'{path}': the file is empty.")
    return found


def _guessed_separator(content: str) -> str:
    """The separator that divides the first lines most finely into equally many cells."""
    scores = {}
    for separator in _GUESSED:
        widths = {len(row) for row in _rows(content, separator, _LOOKED_AT)}
        scores[separator] = widths.pop() if len(widths) == 1 else 0
    best = max(_GUESSED, key=lambda separator: scores[separator])
    if scores[best] > 1:
        return best
    first = content.split("\n", 1)[0]
    return max(_GUESSED, key=first.count)


def _rows(content: str, separator: str, count: int) -> list[list[str]]:
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        return list(islice((row for row in reader if row), count))
    except csv.Error:
        return []


def _has_header(content: str, separator: str, options: CsvOptions, notes: list[str]) -> bool:
    if options.header != "auto":
        return options.header == "yes"
    first = next(iter(_rows(content, separator, 1)), [])
    if not any(_is_number(cell, options.decimal) for cell in first):
        return True
    notes.append(
        "no header: the first line holds a number, so columns are called column_0, column_1, … "
        "(--data-option header=yes if it names them)"
    )
    return False


def _is_number(cell: str, decimal: str) -> bool:
    try:
        float(cell.replace(decimal, "."))
    except ValueError:
        return False
    return cell.strip().lower() not in ("nan", "inf", "infinity")


def _parsed(path: Path, content: str, separator: str, header: bool, decimal: str) -> Any:
    import pyarrow
    from pyarrow import csv as arrow_csv

    first = next(iter(_rows(content, separator, 1)), [])
    columns = None if header else [f"column_{number}" for number in range(len(first))]
    data = content.encode()
    try:
        return arrow_csv.read_csv(
            # No file of Python's: Arrow's threads would still hold it when the process ends.
            pyarrow.BufferReader(data),
            # In one piece: types are found from the first piece alone.
            read_options=arrow_csv.ReadOptions(
                use_threads=False,
                column_names=columns,
                block_size=min(max(len(data), 1 << 20) + 1, 2**31 - 1),
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                strings_can_be_null=True, decimal_point=decimal
            ),
        )
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error, f"a table with separator {separator!r}") from error


def _without_index(table: Any, notes: list[str]) -> Any:
    names = table.column_names
    if not names or names[0] not in ("", "Unnamed: 0") or table.num_columns < 3:
        return table
    if table.column(0).to_pylist() not in (
        list(range(table.num_rows)),
        list(range(1, table.num_rows + 1)),
    ):
        return table
    notes.append("the first column has no name and counts the rows: left out")
    return table.remove_column(0)

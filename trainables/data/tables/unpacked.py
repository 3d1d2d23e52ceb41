"""Files of text as bytes, unpacked if they are packed, and no larger than memory allows."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from search_spaces.errors import InputError
from trainables.data.source import unreadable

MOST_COLUMNS = 100_000
"""Of a table."""
LARGEST = 4 * 2**30
"""Bytes of text that are read at most."""
_CHUNK = 1 << 20
# Text of numbers packs to a third; deflate makes at most a thousandth of anything.
_MOST_PACKED, _ALWAYS_READ = 200, 256 * 2**20
_OTHERS = {
    b"\x1f\x8b": "a gzip file: its name should end in .gz",
    b"PK\x03\x04": "a zip archive, or a spreadsheet: unpack it, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet: save it as CSV",
    b"PAR1": "a Parquet file: its name should end in .parquet",
    b"ARROW1": "an Arrow file: its name should end in .arrow",
    b"BZh": "a bzip2 file: unpack it",
    b"\xfd7zXZ": "an xz file: unpack it",
    b"\x28\xb5\x2f\xfd": "a Zstandard file: unpack it",
    b"\x93NUMPY": "a NumPy array: an .npz file can be read",
}


def read_text_file(path: Path, check: Callable[[bytes], None]) -> bytes:
    """The bytes of a file of text, unpacked where its name ends in .gz.

    Args:
        path: the file.
        check: is shown the beginning before anything else is read; may raise InputError.

    Raises:
        InputError: it cannot be read, is a file of another kind, or is too large.
    """
    try:
        packed = path.stat().st_size
        with path.open("rb") as file:
            if path.suffix.lower() != ".gz":
                return _read(file, path, packed, check)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(unpacked, path, packed, check)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error, "a table") from error


def require_columns_and_size(path: Path, columns: int, cells: int) -> None:
    """Refuses a table that has too many columns, or far more cells than its file can well hold.

    Raises:
        InputError: names how many there are.
    """
    if columns > MOST_COLUMNS:
        raise too_many_columns(f"'{path}'", columns)
    stored = path.stat().st_size
    if cells > _ALWAYS_READ // 8 and cells > _MOST_PACKED * stored:
        raise InputError(
            f"'{path}': {stored:,} bytes hold {cells:,} cells, as hardly a table does: nearly all "
            "of them must be the same."
        )


def too_many_columns(where: str, count: int) -> InputError:
    """The error for a table that has more columns than a table may have."""
    return InputError(
        f"{where}: {count:,} columns are too many, a table has at most {MOST_COLUMNS:,}; lists in "
        "one column of a Parquet file, or an array in an .npz file, may be longer."
    )


def _read(file: BinaryIO, path: Path, stored: int, check: Callable[[bytes], None]) -> bytes:
    chunk = file.read(_CHUNK)
    for magic, said in _OTHERS.items():
        if chunk.startswith(magic):
            raise InputError(f"'{path}': this is {said}.")
    check(chunk)
    found = io.BytesIO()
    while chunk:
        found.write(chunk)
        size = found.tell()
        if size > LARGEST:
            raise InputError(f"'{path}': it holds more than {LARGEST >> 30} GiB of text.")
        if size > _ALWAYS_READ and size > _MOST_PACKED * stored:
            raise InputError(
                f"'{path}': {stored:,} bytes unpack to more than {size >> 20} MiB, as hardly a "
                "table does; unpack it by yourself if it is one."
            )
        chunk = file.read(_CHUNK)
    return found.getvalue()

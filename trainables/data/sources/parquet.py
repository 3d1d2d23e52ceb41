"""Parquet tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

from search_spaces.errors import InputError
from trainables.data.images import ImageOptions
from trainables.data.source import FileSource, RawData, unreadable
from trainables.data.tables.table import read_tables
from trainables.data.tables.table_options import TableOptions
from trainables.data.tables.unpacked import require_columns_and_size


@final
class Parquet(FileSource):
    """A table FILE.parquet with a label column and features: numbers, categories, lists, images.

    The label column is the first there is of label, labels, target, class, y and category, in any
    case, else the last column. The features are all other columns, or one column of lists of the
    same length, of fixed-shape tensors, or of images as Hugging Face stores them. Columns of text
    with at most 20 values are one-hot. An index that pandas stored is not a feature.
    """

    suffixes = (".parquet",)
    takes = (TableOptions, ImageOptions)

    def _read(self, path: Path) -> RawData:
        table, where = _read_table(path), f"'{path}'"
        options, images = self._chosen(TableOptions), self._chosen(ImageOptions)
        return read_tables([table], [where], options, images)


def _read_table(path: Path) -> Any:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            about = file.metadata
            require_columns_and_size(path, about.num_columns, about.num_rows * about.num_columns)
            table = file.read()
        table.validate(full=True)
        return table.drop_columns(_index_of_pandas(table))
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error, "a Parquet table") from error


def _index_of_pandas(table: Any) -> list[str]:
    try:
        listed = (table.schema.pandas_metadata or {})["index_columns"]
        return sorted({name for name in listed if name in table.column_names})
    except (KeyError, TypeError, ValueError, RecursionError):  # it may hold anything
        return []

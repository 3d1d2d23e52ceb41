"""Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

from search_spaces.errors import InputError
from trainables.data.images import ImageOptions
from trainables.data.source import FileSource, RawData, unreadable
from trainables.data.tables.table import read_tables
from trainables.data.tables.table_options import TableOptions
from trainables.data.tables.unpacked import require_columns_and_size

_FILE_MAGIC = b"ARROW1"


@final
class Arrow(FileSource):
    """A table in Arrow's IPC format, FILE.arrow or FILE.feather (version 2), file or stream.

    Columns are as in a Parquet table.
    """

    suffixes = (".arrow", ".feather")
    takes = (TableOptions, ImageOptions)

    def _read(self, path: Path) -> RawData:
        options, images = self._chosen(TableOptions), self._chosen(ImageOptions)
        return read_tables([_read_table(path)], [f"'{path}'"], options, images)


def _read_table(path: Path) -> Any:
    import pyarrow
    from pyarrow import ipc

    try:
        with pyarrow.memory_map(str(path)) as content:
            whole = content.read(len(_FILE_MAGIC)) == _FILE_MAGIC
            content.seek(0)
            with (ipc.open_file if whole else ipc.open_stream)(content) as reader:
                require_columns_and_size(path, len(reader.schema), 0)
                table = pyarrow.Table.from_batches(_batches(reader, path), reader.schema)
                table.validate(full=True)
                return table
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error, "an Arrow table (IPC file or stream)") from error


def _batches(reader: Any, path: Path) -> Iterator[Any]:
    """The parts of a file or a stream, as long as there are not too many cells."""
    count = getattr(reader, "num_record_batches", None)
    parts = reader if count is None else map(reader.get_batch, range(count))
    cells = 0
    for part in parts:
        cells += part.num_rows * part.num_columns
        require_columns_and_size(path, part.num_columns, cells)
        yield part

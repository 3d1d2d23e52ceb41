"""NumPy archives, of which nothing is unpacked before its header has been checked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.memory import memory_there_is
from trainables.data.source import unreadable

_ENDING = ".npy"
_FLOAT32 = 4  # bytes; what each value comes to in training
# Data that packs better than this is one value over and over.
_MOST_UNPACKED, _SMALL = 500, 2**28


@final
@dataclass(frozen=True)
class Header:
    """What an array says of itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes_in_memory(self) -> int:
        """What it takes as it is stored, and what its values come to in training."""
        return prod(self.shape) * (max(1, self.dtype.itemsize) + _FLOAT32)


@final
class Archive:
    """An open .npz file.

    Args:
        path: where it is.

    Attributes:
        path: where it is.
        names: of its arrays, in their order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = zipfile.ZipFile(path)
        self._members = {
            info.filename.removesuffix(_ENDING): info for info in self._zip.infolist()
        }
        self.names = tuple(info.filename.removesuffix(_ENDING) for info in self._zip.infolist())

    def header(self, name: str) -> Header:
        """An array's shape and type, which are those of the bytes that follow.

        Raises:
            ValueError: it is no array, or says that it is another than it is.
        """
        info = self._members[name]
        with self._zip.open(info) as member:
            if info.file_size < npy.MAGIC_LEN:
                raise ValueError(f"'{name}' is no array")
            version = npy.read_magic(member)
            if version == (1, 0):
                shape, _, dtype = npy.read_array_header_1_0(member)
            elif version == (2, 0):
                shape, _, dtype = npy.read_array_header_2_0(member)
            else:
                raise ValueError(f"'{name}' is an array in version {version} of the format")
            start = member.tell()
        if dtype.hasobject:
            raise ValueError(f"'{name}' holds Python objects")
        claimed, there = prod(shape) * dtype.itemsize, info.file_size - start
        if min(shape, default=0) < 0 or claimed != there:
            raise ValueError(
                f"'{name}' says that it has shape {list(shape)} of {dtype}, {claimed:,} bytes, "
                f"but holds {there:,}"
            )
        return Header(tuple(shape), dtype)

    def require_room(self, names: Iterable[str]) -> None:
        """Refuses arrays that would not fit into memory, or are a trap.

        Raises:
            InputError: they are larger than this machine's memory, or unpack to many times what
                they are packed in.
        """
        found = {name: self.header(name) for name in names}
        needed = sum(each.bytes_in_memory for each in found.values())
        memory = memory_there_is()
        if needed > memory:
            largest = max(found, key=lambda name: found[name].bytes_in_memory)
            raise InputError(
                f"'{self.path}': '{largest}' has shape {list(found[largest].shape)}: to load and "
                f"train on it takes {needed / 2**30:,.0f} GiB, more than this machine's memory, "
                f"{memory / 2**30:,.0f} GiB."
            )
        unpacked = sum(self._members[name].file_size for name in found)
        packed = max(1, self.path.stat().st_size)
        if unpacked > _SMALL and unpacked / packed > _MOST_UNPACKED:
            raise InputError(
                f"'{self.path}': {packed:,} bytes that unpack to {unpacked / 2**30:.1f} GiB; no "
                f"data packs so well, and more than {_MOST_UNPACKED} times is not read."
            )

    def read(self, name: str) -> NDArray[Any]:
        """An array, whose header is checked first."""
        self.header(name)
        with self._zip.open(self._members[name]) as member:
            found: NDArray[Any] = npy.read_array(member, allow_pickle=False)
        return found

    def close(self) -> None:
        """Closes the file."""
        self._zip.close()


@contextmanager
def opened(
    path: Path, expected: str = "a NumPy archive without pickled objects"
) -> Iterator[Archive]:
    """An archive, for as long as it is needed.

    Args:
        path: where it is.
        expected: what it should be, for messages.

    Raises:
        InputError: it is damaged or none; in the block, whatever is found to be wrong with it.
    """
    archive = None
    try:
        archive = Archive(path)
        yield archive
    except InputError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        RuntimeError,
        MemoryError,
        OverflowError,
        SyntaxError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise unreadable(path, error, expected) from error
    finally:
        if archive is not None:
            archive.close()

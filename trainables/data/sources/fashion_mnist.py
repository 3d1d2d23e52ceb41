"""Fashion-MNIST from its four idx files."""

from __future__ import annotations

import gzip
import os
import zlib
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.source import RawData, RawExamples, Source, unreadable

_MOST_BYTES, _PIECE = 2**28, 2**20
_FOLDER = "fashion-mnist"
_IMAGES = "{}-images-idx3-ubyte.gz"
_LABELS = "{}-labels-idx1-ubyte.gz"
_FILES = tuple(name.format(part) for part in ("train", "t10k") for name in (_IMAGES, _LABELS))
_CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
# As Zhang and Sabuncu (NeurIPS 2018) flip them.
_SIMILAR = {
    "Ankle boot": "Sneaker",
    "Sneaker": "Sandal",
    "Pullover": "Shirt",
    "Coat": "Dress",
    "Dress": "Coat",
}


@final
class FashionMnist(Source):
    """Fashion-MNIST, 70,000 images of 28x28 pixels in 10 classes, with its official test.

    The four idx files are looked for in $AUTOML_CL_DATA/fashion-mnist, data/fashion-mnist and
    ../shared/data/fashion-mnist. The path of any directory that holds files of those names works
    too; its classes are then called by their numbers, as MNIST's files have the same names.
    """

    @classmethod
    def claims(cls, address: str) -> bool:
        return _holds_files(Path(address).expanduser())

    def load(self) -> RawData:
        folder = self.path or _find_folder()
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise InputError(
                f"data directory '{folder}': {', '.join(missing)} missing; "
                f"the four files needed are {', '.join(_FILES)}."
            )
        return RawData(
            examples=_read_part(folder, "train"),
            official_test=_read_part(folder, "t10k"),
            class_names=None if self.path else _CLASS_NAMES,
            similar_classes=_SIMILAR,
            mirror_keeps_class=None if self.path else True,
        )


def _holds_files(folder: Path) -> bool:
    return any(os.path.isfile(folder / name) for name in _FILES)


def _find_folder() -> Path:
    root = os.environ.get("AUTOML_CL_DATA")
    roots = [*([Path(root)] if root else []), Path("data"), Path("../shared/data")]
    for folder in (place / _FOLDER for place in roots):
        if _holds_files(folder):
            return folder
    raise InputError(
        f"data '{_FOLDER}': none of its files found in $AUTOML_CL_DATA/{_FOLDER} (AUTOML_CL_DATA "
        f"is {root or 'not set'}), ./data/{_FOLDER} or ../shared/data/{_FOLDER}; the four files "
        f"needed are {', '.join(_FILES)}."
    )


def _read_part(folder: Path, part: str) -> RawExamples:
    images, labels = folder / _IMAGES.format(part), folder / _LABELS.format(part)
    return RawExamples(_read_idx(images, 3), _read_idx(labels, 1), f"'{images}'", f"'{labels}'")


def _at_most(file: gzip.GzipFile, wanted: int) -> bytearray:
    """What a file holds, and little more than is wanted, however much was packed into it."""
    if wanted > _MOST_BYTES:
        raise ValueError(f"its header says {wanted:,} bytes, several times what the data set has")
    found = bytearray()
    while len(found) <= wanted and (piece := file.read(_PIECE)):
        found += piece
    return found


def _read_idx(path: Path, dimensions: int) -> NDArray[Any]:
    """Reads unsigned bytes in the idx format: 0, 0, type 8, dimensions, big-endian sizes, data."""
    header = 4 + 4 * dimensions
    try:
        with gzip.open(path) as file:
            start = file.read(header)
            if start[:4] != bytes((0, 0, 8, dimensions)) or len(start) < header:
                raise ValueError(f"its header is not that of {dimensions}-dimensional bytes")
            sizes = np.frombuffer(start[4:], dtype=">u4").tolist()
            content = _at_most(file, prod(sizes))
        return np.frombuffer(content, dtype=np.uint8).reshape(sizes)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, error, "a gzipped idx file") from error

"""Omniglot's one NumPy archive of 28x28 images, for the sources that take a part of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.archive import opened
from trainables.data.source import RawData, RawExamples

_FOLDER = "omniglot"
_FILE = "omniglot_28.npz"
_KEYS = ("bg_x", "bg_y", "bg_classnames", "ev_x", "ev_y", "ev_classnames")
_Arrays = dict[str, NDArray[Any]]
# Characters of an alphabet belong together, and turned ones are other characters.
_ALPHABETS: dict[str, Any] = {
    "class_groups": "alphabets",
    "turned_classes": True,
    "mirror_keeps_class": False,
}


def load_both() -> RawData:
    """The background set, with the evaluation set, whose classes are others, as official test."""
    path, parts = _read()
    background, evaluation = _names(parts, "bg"), _names(parts, "ev")
    return RawData(
        examples=_examples(path, parts, "bg", 0),
        official_test=_examples(path, parts, "ev", len(background)),
        class_names=background + evaluation,
        **_ALPHABETS,
    )


def load_part(part: str) -> RawData:
    """The background set (`bg`) or the evaluation set (`ev`) as a data set of its own."""
    path, parts = _read()
    return RawData(_examples(path, parts, part, 0), class_names=_names(parts, part), **_ALPHABETS)


def find_file() -> Path:
    """Where the archive is.

    Raises:
        InputError: if it is in none of the places.
    """
    root = os.environ.get("AUTOML_CL_DATA")
    roots = [*([Path(root)] if root else []), Path("data"), Path("../shared/data")]
    for path in (place / _FOLDER / _FILE for place in roots):
        if path.is_file():
            return path
    raise InputError(
        f"data '{_FOLDER}': {_FILE} not found in $AUTOML_CL_DATA/{_FOLDER} (AUTOML_CL_DATA is "
        f"{root or 'not set'}), ./data/{_FOLDER} or ../shared/data/{_FOLDER}."
    )


def _read() -> tuple[Path, _Arrays]:
    path = find_file()
    with opened(path, f"an archive with {', '.join(_KEYS)}") as archive:
        archive.require_room(_KEYS)
        return path, {key: archive.read(key) for key in _KEYS}


def _names(parts: _Arrays, part: str) -> tuple[str, ...]:
    return tuple(map(str, parts[f"{part}_classnames"]))


def _examples(path: Path, parts: _Arrays, part: str, first: int) -> RawExamples:
    labels = parts[f"{part}_y"].astype(np.int64) + first
    where = f"'{path}', key {part}_"
    return RawExamples(parts[f"{part}_x"], labels, f"{where}x", f"{where}y")

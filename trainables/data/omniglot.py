"""Omniglot from one NumPy archive of 28x28 images."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import final

import numpy as np

from search_spaces.errors import InputError
from trainables.data._source import RawData, RawExamples, Source, unreadable
from trainables.data._vinyals import vinyals_split

_FOLDER = "omniglot"
_FILE = "omniglot_28.npz"


@final
class Omniglot(Source):
    """Omniglot, 32,460 images of 28x28 pixels, 1,623 characters of 50 alphabets, 20 each.

    Classes are called ALPHABET/CHARACTER. The official test is the evaluation set (20 alphabets,
    659 characters), whose classes the background set (30 alphabets, 964 characters) does not have:
    it is for scenarios that split by class, which may take Vinyals' split of both. The archive
    `omniglot_28.npz` (bg_x, bg_y, bg_classnames and ev_x, ev_y, ev_classnames) is looked for in
    $AUTOML_CL_DATA/omniglot, data/omniglot and ../shared/data/omniglot.
    """

    def load(self) -> RawData:
        path = _find_file()
        try:
            with np.load(path, allow_pickle=False) as archive:
                parts = {key: archive[key] for key in _KEYS}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise unreadable(path, error, f"an archive with {', '.join(_KEYS)}") from error
        background, evaluation = (tuple(map(str, parts[f"{p}_classnames"])) for p in ("bg", "ev"))
        where = f"'{path}', key "
        return RawData(
            examples=RawExamples(parts["bg_x"], parts["bg_y"], f"{where}bg_x", f"{where}bg_y"),
            official_test=RawExamples(
                parts["ev_x"],
                parts["ev_y"].astype(np.int64) + len(background),
                f"{where}ev_x",
                f"{where}ev_y",
            ),
            class_names=background + evaluation,
            class_split=vinyals_split(),
            class_groups="alphabets",
            turned_classes=True,
        )


_KEYS = ("bg_x", "bg_y", "bg_classnames", "ev_x", "ev_y", "ev_classnames")


def _find_file() -> Path:
    root = os.environ.get("AUTOML_CL_DATA")
    roots = [*([Path(root)] if root else []), Path("data"), Path("../shared/data")]
    for path in (place / _FOLDER / _FILE for place in roots):
        if path.is_file():
            return path
    raise InputError(
        f"data '{_FOLDER}': {_FILE} not found in $AUTOML_CL_DATA/{_FOLDER} (AUTOML_CL_DATA is "
        f"{root or 'not set'}), ./data/{_FOLDER} or ../shared/data/{_FOLDER}."
    )

"""NumPy archives."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np

from search_spaces.errors import InputError
from trainables.data._source import FileSource, RawData, RawExamples, unreadable

_INPUTS = ("x", "inputs", "images", "data", "features")
_LABELS = ("y", "labels", "targets", "classes")


@final
class Npz(FileSource):
    """A NumPy archive FILE.npz with the arrays x and y and, if it has a test, x_test and y_test.

    Other names are understood as well, in any case: inputs, images, data or features for x;
    labels, targets or classes for y; each may end in `_train`, and in `_test` for the test.
    """

    suffixes = (".npz",)

    def _read(self, path: Path) -> RawData:
        try:
            loaded = np.load(path, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            with loaded as archive:
                examples = _read_part(archive, path, ("", "_train"))
                test = _read_part(archive, path, ("_test",))
        except InputError:
            raise
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise unreadable(path, error, "a NumPy archive without pickled objects") from error
        if examples is None:
            raise _not_found(path, loaded.files)
        return RawData(examples, test)


def _read_part(
    archive: np.lib.npyio.NpzFile, path: Path, endings: Sequence[str]
) -> RawExamples | None:
    inputs = _find_key(archive.files, path, _INPUTS, endings)
    labels = _find_key(archive.files, path, _LABELS, endings)
    if inputs is None and labels is None:
        return None
    if inputs is None or labels is None:
        raise _not_found(path, archive.files)
    return RawExamples(
        archive[inputs], archive[labels], f"'{path}', key '{inputs}'", f"'{path}', key '{labels}'"
    )


def _find_key(
    keys: Sequence[str], path: Path, names: Sequence[str], endings: Sequence[str]
) -> str | None:
    allowed = {name + ending for name in names for ending in endings}
    found = [key for key in keys if key.lower() in allowed]
    if len(found) > 1:
        raise InputError(
            f"'{path}': the keys {' and '.join(found)} could each be the {names[1]}; "
            "keep only one."
        )
    return found[0] if found else None


def _not_found(path: Path, keys: Sequence[str]) -> InputError:
    return InputError(
        f"'{path}': expected one key of {', '.join(_INPUTS)} and one of {', '.join(_LABELS)} "
        f"(for a test both with _test); found: {', '.join(keys) or 'none'}."
    )

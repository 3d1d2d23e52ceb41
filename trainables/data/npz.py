"""NumPy archives."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from search_spaces.errors import InputError, unknown_name
from trainables.data._extra import NOISY, ExtraColumns
from trainables.data._options import flag_of, option, text
from trainables.data._source import FileSource, RawData, RawExamples, unreadable

_INPUTS = ("x", "inputs", "images", "data", "features")
_LABELS = ("y", "labels", "targets", "classes")


@dataclass(frozen=True)
class ArchiveOptions(ExtraColumns):
    """Which array is what."""

    label_column: str = option(
        "", text, "the array with the labels; found by its name", of_columns=True
    )


@final
class Npz(FileSource):
    """A NumPy archive FILE.npz with the arrays x and y and, if it has a test, x_test and y_test.

    Other names are understood as well, in any case: inputs, images, data or features for x;
    labels, targets or classes for y; each may end in `_train`, and in `_test` for the test. Noisy
    labels and difficulties are arrays [n] whose names are told; a test needs neither.
    """

    suffixes = (".npz",)
    takes = (ArchiveOptions,)

    def _read(self, path: Path) -> RawData:
        try:
            loaded = np.load(path, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("it is a single array")
            with loaded as archive:
                options = self._chosen(ArchiveOptions)
                examples = _read_part(archive, path, ("", "_train"), options)
                test = _read_part(archive, path, ("_test",), options)
                if examples is not None:
                    examples = _with_extras(examples, archive, path, options)
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
        chosen = {name: given for name, given in vars(options).items() if given}
        return RawData(examples, test, options=chosen)


def _read_part(
    archive: np.lib.npyio.NpzFile,
    path: Path,
    endings: Sequence[str],
    options: ArchiveOptions,
) -> RawExamples | None:
    keys = [key for key in archive.files if key not in options.extra_names().values()]
    inputs = _find_key(keys, path, _INPUTS, endings)
    labels = _label_key(keys, path, endings, options)
    if inputs is None and labels is None:
        return None
    if inputs is None or labels is None:
        for option_name, name in options.extra_names().items():
            if name in archive.files and name.lower() in _LABELS:
                raise InputError(
                    f"{flag_of(option_name)}: '{name}' of '{path}' is taken for the true labels; "
                    "--label-column names others."
                )
        raise _not_found(path, archive.files)
    return RawExamples(
        archive[inputs], archive[labels], f"'{path}', key '{inputs}'", f"'{path}', key '{labels}'"
    )


def _label_key(
    keys: Sequence[str], path: Path, endings: Sequence[str], options: ArchiveOptions
) -> str | None:
    named = options.label_column
    if named and "" in endings:
        return _present(named, keys, path, "label_column")
    # A test's labels go by the same name, or by a usual one.
    alike = f"{named.removesuffix('_train')}_test"
    return alike if named and alike in keys else _find_key(keys, path, _LABELS, endings)


def _present(name: str, keys: Sequence[str], path: Path, option_name: str) -> str:
    if name not in keys:
        raise unknown_name(f"array of '{path}' for {flag_of(option_name)}:", name, keys)
    return name


def _with_extras(
    examples: RawExamples,
    archive: np.lib.npyio.NpzFile,
    path: Path,
    options: ArchiveOptions,
) -> RawExamples:
    found: dict[str, Any] = {}
    for option_name, name in options.extra_names().items():
        field = "noisy_labels" if option_name == NOISY else "difficulty"
        found[field] = archive[_present(name, archive.files, path, option_name)]
        found[f"{field}_name"] = f"'{path}', key '{name}'"
    return replace(examples, **found)


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

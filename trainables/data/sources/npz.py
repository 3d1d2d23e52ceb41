"""NumPy archives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from search_spaces.errors import InputError, unknown_name
from trainables.data.archive import Archive, opened
from trainables.data.extra_columns import NOISY, ExtraColumns
from trainables.data.joined import with_validation
from trainables.data.labels.labels import shortened
from trainables.data.labels.unlabelled import without_labels
from trainables.data.options import flag_of, option, text
from trainables.data.source import FileSource, RawData, RawExamples

_INPUTS = ("x", "inputs", "images", "data", "features")
_LABELS = ("y", "labels", "targets", "classes", "label", "target")
_TRAIN, _VALIDATION, _TEST, _UNLABELLED = "train", "val", "test", "unlabelled"
_PARTS = {
    **dict.fromkeys(("", "train", "training"), _TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), _VALIDATION),
    **dict.fromkeys(("test", "testing"), _TEST),
    **dict.fromkeys(("unlabelled", "unlabeled"), _UNLABELLED),
}
_MEANINGS = {
    whole: (meant, names[0])
    for part, meant in _PARTS.items()
    for names in (_INPUTS, _LABELS)
    for name in names
    for whole in (part + name, name + part)
}


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
    labels, targets, classes, label or target for y; train, val, test or unlabelled, behind or in
    front of these (train_images), say of which part they are. x_val and y_val join the training
    part if there is a test, else they are the test; x_unlabelled has no labels. Noisy labels and
    difficulties are arrays [n] whose names are told; a test needs neither. Arrays that are not
    used are named.
    """

    suffixes = (".npz",)
    takes = (ArchiveOptions,)

    def _read(self, path: Path) -> RawData:
        options = self._chosen(ArchiveOptions)
        with opened(path) as archive:
            return _Reading(archive, options).data()


class _Reading:
    """An archive whose arrays get their meanings.

    Args:
        archive: an open one.
        options: which array is what.
    """

    def __init__(self, archive: Archive, options: ArchiveOptions) -> None:
        self._archive, self._options = archive, options
        self._extras = options.extra_names()
        others = set(self._extras.values())
        self._keys = [key for key in archive.names if key not in others]
        self._meanings = {key: _meaning(key) for key in self._keys}
        self._used = set[str]()

    def data(self) -> RawData:
        """All parts."""
        train, validation, test = map(self._keys_of, (_TRAIN, _VALIDATION, _TEST))
        if train is None:
            raise self._not_found()
        unlabelled, extras = self._found(_UNLABELLED, _INPUTS), self._extra_keys()
        notes = list[str]()
        own = self._extra_keys(_VALIDATION) if validation and test else {}
        if validation and test and len(own) < len(extras):
            lacking = next(name for name in extras if name not in own)
            notes.append(
                f"{' and '.join(validation)} are not used: they have no {flag_of(lacking)}"
            )
            validation = None
        needed = [*train, *(validation or ()), *(test or ()), *extras.values(), *own.values()]
        self._archive.require_room([*needed, *([unlabelled] if unlabelled else [])])
        examples = self._examples(train, extras)
        examples, official, joins = with_validation(
            examples,
            self._examples(validation, own) if validation else None,
            self._examples(test, {}) if test else None,
            " and ".join(validation or ()),
        )
        known = (
            without_labels(self._read(unlabelled), self._name(unlabelled)) if unlabelled else None
        )
        notes += [*joins, *self._unused()]
        chosen = {name: given for name, given in vars(self._options).items() if given}
        return RawData(examples, official, options=chosen, notes=tuple(notes), unlabelled=known)

    def _keys_of(self, part: str) -> tuple[str, str] | None:
        """The names of inputs and labels of a part, if it has some."""
        inputs, labels = self._found(part, _INPUTS), self._label_key(part)
        if inputs is None and labels is None:
            return None
        if inputs is None or labels is None:
            for option_name, name in self._extras.items():
                if name in self._archive.names and name.lower() in _LABELS:
                    raise InputError(
                        f"{flag_of(option_name)}: '{name}' of '{self._archive.path}' is taken for "
                        "the true labels; --label-column names others."
                    )
            raise self._not_found() if part == _TRAIN else self._half(part, inputs or labels)
        return inputs, labels

    def _label_key(self, part: str) -> str | None:
        named = self._options.label_column
        if named and part == _TRAIN:
            return self._present(named, self._keys, "label_column")
        # Other parts' labels go by the same name, or by a usual one.
        return (named and self._alike(named, part)) or self._found(part, _LABELS)

    def _alike(self, named: str, part: str) -> str | None:
        """The array that is to a part what another is to the training part, by its name."""
        base = re.sub(r"(?i)^train(?:ing)?[_.-]|[_.-]train(?:ing)?$", "", named).lower()
        words = [word for word, meant in _PARTS.items() if word and meant == part]
        wanted = {name for word in words for name in (f"{base}_{word}", f"{word}_{base}")}
        return next((key for key in self._archive.names if key.lower() in wanted), None)

    def _found(self, part: str, names: Sequence[str]) -> str | None:
        """The one array of a part with one of the names."""
        kind = names[0]
        found = [key for key in self._keys if self._meanings[key] == (part, kind)]
        if len(found) > 1:
            raise InputError(
                f"'{self._archive.path}': the keys {' and '.join(found)} could each be the "
                f"{names[1]}; keep only one."
            )
        return found[0] if found else None

    def _extra_keys(self, part: str = _TRAIN) -> dict[str, str]:
        """The arrays that options name, by option; of other parts those that are there."""
        if part == _TRAIN:
            return {
                option_name: self._present(name, self._archive.names, option_name)
                for option_name, name in self._extras.items()
            }
        alike = {name: self._alike(key, part) for name, key in self._extras.items()}
        return {name: key for name, key in alike.items() if key is not None}

    def _examples(self, keys: tuple[str, str], extras: dict[str, str]) -> RawExamples:
        (inputs, labels), more = keys, dict[str, Any]()
        counts = [self._archive.header(key).shape[:1] for key in keys]
        if all(counts) and counts[0] not in ((0,), counts[1]):  # before anything is unpacked
            raise InputError(
                f"{self._name(inputs)}: {counts[0][0]} inputs but {counts[1][0]} labels "
                f"({self._name(labels)}); there must be one label for each input."
            )
        for option_name, key in extras.items():
            field = "noisy_labels" if option_name == NOISY else "difficulty"
            more |= {field: self._read(key), f"{field}_name": self._name(key)}
        arrays = self._read(inputs), self._read(labels)
        return replace(RawExamples(*arrays, self._name(inputs), self._name(labels)), **more)

    def _read(self, key: str) -> Any:
        self._used.add(key)
        return self._archive.read(key)

    def _name(self, key: str) -> str:
        return f"'{self._archive.path}', key '{key}'"

    def _unused(self) -> list[str]:
        left = [key for key in self._archive.names if key not in self._used]
        return [f"arrays that are not used: {shortened(left)}"] if left else []

    def _present(self, name: str, keys: Sequence[str], option_name: str) -> str:
        if name not in keys:
            where = f"array of '{self._archive.path}' for {flag_of(option_name)}:"
            raise unknown_name(where, name, keys)
        return name

    def _half(self, part: str, there: str | None) -> InputError:
        kind, names = ("labels", _LABELS) if self._found(part, _INPUTS) else ("inputs", _INPUTS)
        hint = f"; inputs without labels are called {_INPUTS[0]}_{_UNLABELLED}"
        return InputError(
            f"'{self._archive.path}': '{there}' has no {kind} beside it, such as "
            f"{names[0]}_{part}{hint if kind == 'labels' else ''}."
        )

    def _not_found(self) -> InputError:
        return InputError(
            f"'{self._archive.path}': expected one key of {', '.join(_INPUTS)} and one of "
            f"{', '.join(_LABELS)} (for a test both with _test, for validation _val); found: "
            f"{shortened(self._archive.names) or 'none'}."
        )


def _meaning(key: str) -> tuple[str, str] | None:
    """Which part an array is of, and whether it has inputs (`x`) or labels (`y`), by its name."""
    words = re.split(r"[_.\- ]", key.lower())
    if len(words) == 1 and _PARTS.get(words[0]) == _UNLABELLED:
        return _UNLABELLED, _INPUTS[0]
    if len(words) > 2:
        return None
    return _MEANINGS.get("".join(words))

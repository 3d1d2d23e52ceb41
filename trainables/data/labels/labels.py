"""Labels: checked, and turned into class numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.source import RawExamples
from trainables.data.tables.doubtful import shortest
from trainables.data.tables.written import is_number

# One for each fifth of a 60/20/20 split.
_FEWEST_PER_CLASS = 5
_NO_LABEL = {"unlabelled", "unlabeled", "unknown", "missing", "n/a", "na", "nan", "null"}
_MARK = re.compile(r"[!-/:-@\[-`{-~\s]+$")
_MOST_ALIKE = 5  # groups, in a note
_MOST_NAMED = 20  # of classes, in a message
_MOST_CLASSES_WITH_FRACTIONS = 20
_FRACTION = re.compile(r"[.,]\d*[1-9]|[eE]-")


def encode_labels(
    raw: RawExamples, class_names: tuple[str, ...] | None, classes: tuple[str, ...] = ()
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers [n] from 0, and the name of each class.

    Args:
        raw: the examples.
        class_names: the name of class i, for labels that are numbers.
        classes: the classes that there have to be; without them, those that there are, in the
            sorted order of the labels.

    Raises:
        InputError: labels that are missing or no class labels, fewer than two classes, a class
            with too few examples to be split, or other classes than there have to be.
    """
    names, codes = _named(raw, class_names)
    if classes:
        names, codes = classes, _renumbered(raw, names, codes, classes)
    if len(names) < 2:
        raise InputError(
            f"{raw.labels_name}: every label is '{names[0]}'; at least two classes are needed."
        )
    counts = np.bincount(codes, minlength=len(names))
    # Other data may lack a class that is known.
    there = np.where(counts == 0, _FEWEST_PER_CLASS, counts) if classes else counts
    rarest = int(there.argmin())
    if not classes and _are_quantities(raw, names, bool(there[rarest] < _FEWEST_PER_CLASS)):
        raise _quantities(raw, names)
    if there[rarest] < _FEWEST_PER_CLASS:
        raise InputError(
            f"{raw.labels_name}: class '{shortest(names[rarest])}' has {counts[rarest]} examples, "
            f"too few to split; every class needs at least {_FEWEST_PER_CLASS}."
        )
    if np.count_nonzero(counts) < 2:
        raise InputError(
            f"{raw.labels_name}: every label is '{names[int(codes[0])]}'; at least two classes "
            "are needed."
        )
    return codes, names


def _are_quantities(raw: RawExamples, names: Sequence[str], rare: bool) -> bool:
    """Return whether labels are numbers of which there are too many to be classes.

    Args:
        raw: the examples.
        names: the different labels.
        rare: whether some are too rare to be split.
    """
    many = len(names) > _MOST_CLASSES_WITH_FRACTIONS
    if not many and not (rare and 2 * len(names) > len(raw.labels)):
        return False
    if not all(is_number(name) or is_number(name, ",") for name in names):
        return False
    return rare or any(_FRACTION.search(name) for name in names)


def _quantities(raw: RawExamples, names: Sequence[str]) -> InputError:
    return InputError(
        f"{raw.labels_name}: labels must be whole numbers or strings that name classes; these are "
        f"{len(names)} different numbers, such as {names[0]}, in {len(raw.labels)} rows. "
        "Regression is not offered, classification is what there is: give classes, such as "
        "ranges of the numbers, or another label column."
    )


def _renumbered(
    raw: RawExamples, names: tuple[str, ...], codes: NDArray[np.int64], classes: tuple[str, ...]
) -> NDArray[np.int64]:
    places = {name: place for place, name in enumerate(classes)}
    for name in names:
        if name not in places:
            raise InputError(
                f"{raw.labels_name}: class '{shortest(name)}' is not one of those chosen before, "
                f"{shortened(classes)}; --label-column or --data-option classes name others."
            )
    return np.array([places[name] for name in names], dtype=np.int64)[codes]


def shortened(names: Sequence[str], most: int = _MOST_NAMED) -> str:
    """Names with commas, not all of them if they are many."""
    listed = ", ".join(map(str, names[:most]))
    return f"{listed}, … ({len(names)} in all)" if len(names) > most else listed


def told_alike(classes: Sequence[str]) -> tuple[str, ...]:
    """A sentence on classes that look the same, if there are some; they stay apart."""
    found: dict[str, list[str]] = {}
    for name in classes:
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        found.setdefault(plain, []).append(name)
    alike = [", ".join(map(repr, names)) for names in found.values() if len(names) > 1]
    if not alike:
        return ()
    shown = "; ".join(alike[:_MOST_ALIKE]) + ("; …" if len(alike) > _MOST_ALIKE else "")
    return (
        f"classes that differ in blanks, capitals or the like alone are classes of their own: "
        f"{shown}",
    )


def told_marks(classes: Sequence[str]) -> tuple[str, ...]:
    """A sentence on classes whose names mostly stand for a label that is missing."""
    found = [name for name in classes if name.strip().lower() in _NO_LABEL or _MARK.match(name)]
    if not found or len(found) == len(classes):  # + and - are two classes
        return ()
    return (f"read as classes, though they may stand for no label: {shortened(found)}",)


def encode_test_labels(
    raw: RawExamples, class_names: tuple[str, ...] | None, classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Class numbers [n] of an official test, in the training part's numbering.

    Raises:
        InputError: labels that are missing or no class labels, or classes unseen in training.
    """
    names, codes = _named(raw, class_names)
    places = {name: place for place, name in enumerate(classes)}
    unseen = [name for name in names if name not in places]
    if unseen:
        raise InputError(
            f"{raw.labels_name}: the test has class '{unseen[0]}', which the training part has "
            f"not; the training classes are: {shortened(classes)}."
        )
    return np.array([places[name] for name in names], dtype=np.int64)[codes]


def encode_noisy_labels(
    raw: RawExamples, class_names: tuple[str, ...] | None, classes: tuple[str, ...]
) -> NDArray[np.int64]:
    """Class numbers [n] of labels that may be wrong, in the numbering of the true ones.

    Raises:
        InputError: labels that are missing or no class labels, or classes that no true label has.
    """
    assert raw.noisy_labels is not None
    noisy = replace(raw, labels=raw.noisy_labels, labels_name=raw.noisy_labels_name, missing=None)
    # Text names its classes by itself, whatever the true labels are.
    names, codes = _named(noisy, None if noisy.labels.dtype.kind in "SU" else class_names)
    places = {name: place for place, name in enumerate(classes)}
    other = [name for name in names if name not in places]
    if other:
        raise InputError(
            f"{raw.noisy_labels_name}: the noisy labels have class '{other[0]}', which the true "
            f"ones ({raw.labels_name}) have not; their classes: {shortened(classes)}."
        )
    return np.array([places[name] for name in names], dtype=np.int64)[codes]


def _named(
    raw: RawExamples, class_names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    values, codes = np.unique(_checked(raw), return_inverse=True)
    # Numbers by way of int: a file may hold 3 in one place and 3.0 in another.
    names = [str(int(value)) if values.dtype.kind in "iuf" else str(value) for value in values]
    if class_names is not None:
        outside = [name for name in names if not 0 <= int(name) < len(class_names)]
        if outside:
            raise InputError(
                f"{raw.labels_name}: label {outside[0]} is not one of the data set's classes, "
                f"0 to {len(class_names) - 1}."
            )
        names = [class_names[int(name)] for name in names]
    return tuple(names), codes.astype(np.int64)


def _checked(raw: RawExamples) -> NDArray[Any]:
    labels, name = raw.labels, raw.labels_name
    if raw.missing is not None:
        refuse_missing(raw.missing, name, raw.missing_hint)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(
            f"{name}: expected one label for each example, shape [n]; got {list(labels.shape)}."
        )
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{name}: labels are not UTF-8 text: {error}") from error
    if labels.dtype.kind not in "biufU":
        raise InputError(
            f"{name}: labels must be whole numbers or strings, got type {labels.dtype}."
        )
    if labels.dtype.kind == "f":
        refuse_missing(np.isnan(labels), name)
        wrong = labels[~np.isfinite(labels) | (labels != np.floor(labels))]
        if len(wrong):
            different = np.unique(labels)
            if len(different) > _MOST_CLASSES_WITH_FRACTIONS:
                raise _quantities(raw, [repr(float(each)) for each in different])
            raise InputError(
                f"{name}: labels must be whole numbers or strings, got {float(wrong[0])!r}; "
                "classes that are called so have to be stored as text."
            )
        if (np.abs(labels) > 2**53).any():
            raise InputError(
                f"{name}: labels of type {labels.dtype} are exact up to 2^53 only, got "
                f"{float(np.abs(labels).max())!r}; store them as whole numbers or text."
            )
    if labels.dtype.kind == "U":
        refuse_missing(labels == "", name)
    return labels


def refuse_missing(missing: NDArray[np.bool_], name: str, hint: str = "") -> None:
    """Refuses labels of which some are missing; the hint says what else they may be.

    Raises:
        InputError: where any of `missing`, [n], is true.
    """
    if missing.any():
        raise InputError(
            f"{name}: {int(missing.sum())} labels are missing, the first in row "
            f"{int(missing.argmax())} (counted from 0); every example needs a label; "
            f"semi-supervised searches train on those without.{hint}"
        )

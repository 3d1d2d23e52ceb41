"""Examples without a label: found, and kept apart from the others."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.joined import joined, label_list
from trainables.data.source import RawData, RawExamples

NO_CLASS = -1
"""What stands for a label that is not known."""

_ELSEWHERE = "semi-supervised searches take them as examples without a label"


def without_labels(inputs: NDArray[Any], name: str) -> RawExamples:
    """Examples of which only the inputs are there."""
    return RawExamples(inputs, np.full(len(inputs), NO_CLASS), name, name)


def set_apart(raw: RawData, wanted: bool) -> RawData:
    """The same data, of which all `examples` have a label, and the others are `unlabelled`.

    A label is missing where the table has none, where it is NaN or empty, or where it is -1 among
    labels that else count from 0 or are text, unless fewer than two classes would be left.

    Args:
        raw: the data as it was read.
        wanted: whether examples without a label are of any use. If not, those that come by
            themselves are left out with a note, and a label that is missing stays a mistake.

    Raises:
        InputError: no label at all, or a test example without one, where such are of use.
    """
    examples = raw.examples
    if any(len(each) != len(examples.inputs) for each in _known_of(examples)):
        return raw  # to be refused by whoever checks lengths
    unknown = _signs(examples, raw)
    if not wanted:
        return replace(raw, unlabelled=None, notes=(*raw.notes, *_unused(raw, unknown)))
    if raw.official_test is not None:
        test = _signs(raw.official_test, raw)
        if test.any():
            raise InputError(
                f"{raw.official_test.labels_name}: {int(test.sum())} labels of the test are "
                f"{NO_CLASS}, no class; every test example needs a label."
            )
    unknown |= _missing(examples)
    if not unknown.any():
        return raw
    if unknown.all():
        raise InputError(f"{examples.labels_name}: no example has a label; some must.")
    apart = replace(
        examples.take(unknown),
        labels=np.full(int(unknown.sum()), NO_CLASS),
        noisy_labels=None,
        missing=None,
    )
    if raw.unlabelled is not None:
        apart = joined(apart, raw.unlabelled)
    return replace(raw, examples=replace(examples.take(~unknown), missing=None), unlabelled=apart)


def told(count: int, labelled: int) -> str:
    """A sentence on examples that came without a label."""
    return (
        f"{count} examples came without a label, beside {labelled} training examples with one: "
        "they are trained on as such, and none is in validation or test."
    )


def _known_of(examples: RawExamples) -> list[Any]:
    """What should have one element for each example."""
    arrays = (examples.labels, examples.noisy_labels, examples.difficulty)
    found: list[Any] = [each for each in arrays if each is not None and each.ndim]
    return [*found, *([] if examples.texts is None else [examples.texts])]


def _signs(examples: RawExamples, raw: RawData) -> NDArray[np.bool_]:
    """Which labels are -1 as a sign that there is none, [n]."""
    labels = label_list(examples.labels)
    none = np.zeros(len(labels) if labels.ndim else 0, dtype=np.bool_)
    if labels.ndim != 1 or labels.dtype.kind not in "ifSU" or str(NO_CLASS) in raw.classes:
        return none
    others = np.unique(label_list(raw.examples.labels))
    if labels.dtype.kind in "SU":
        signs: Any = [f"{NO_CLASS}", f"{NO_CLASS}.0"]
        minus: Any = "-[0-9]"
        if labels.dtype.kind == "S":
            signs, minus = [each.encode() for each in signs], minus.encode()
        others = others[~np.isin(others, [*signs, others.dtype.type()])]
        negative = any(re.match(minus, each) for each in others.tolist())
    else:
        signs = [NO_CLASS]
        others = others[np.isfinite(others) & (others != NO_CLASS)]
        negative = bool((others < 0).any())
    found: NDArray[np.bool_] = np.isin(labels, signs)
    return found if len(others) > 1 and not negative else none


def _missing(examples: RawExamples) -> NDArray[np.bool_]:
    labels = label_list(examples.labels)
    if examples.missing is not None:
        return examples.missing.copy()
    if labels.ndim == 1 and labels.dtype.kind == "f":
        return np.isnan(labels)
    if labels.ndim == 1 and labels.dtype.kind in "SU":
        return np.asarray(labels == labels.dtype.type())
    return np.zeros(len(labels) if labels.ndim else 0, dtype=np.bool_)


def _unused(raw: RawData, signs: NDArray[np.bool_]) -> list[str]:
    notes = []
    if signs.any():
        notes.append(
            f"labels: {int(signs.sum())} of {len(signs)} are {NO_CLASS}, which is a class of its "
            f"own here; {_ELSEWHERE}"
        )
    if raw.unlabelled is not None:
        count, name = len(raw.unlabelled.inputs), raw.unlabelled.inputs_name
        notes.append(f"{name}: {count} inputs are left out; {_ELSEWHERE}")
    return notes

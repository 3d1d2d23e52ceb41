"""Data split by class: the validation's and the sealed test's classes are never trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data._examples import DataView, Examples
from trainables.data._inputs import canonical_inputs, filled
from trainables.data._labels import encode_labels
from trainables.data._loading import OpeningLog, fingerprint_of
from trainables.data._noise import Noise
from trainables.data._registry import find_source
from trainables.data._source import RawData
from trainables.data._spec import DataSpec
from trainables.data._standardize import Standardization

_SHARE = 0.2  # of the classes, at least, for validation and for a test that nobody set aside


@dataclass(frozen=True)
class ClassSplit:
    """What a split by class has to give.

    Attributes:
        fewest_classes: in each of the three parts.
        fewest_examples: in each class.
        training_classes: at most so many to train on; 0 for all that there are.
    """

    fewest_classes: int
    fewest_examples: int
    training_classes: int = 0


@dataclass(frozen=True, eq=False)
class ClassView(DataView):
    """A view whose validation examples are of other classes than its training examples.

    `classes` are those of training; labels count from 0 in each part.

    Attributes:
        validation_classes: the names of the validation's classes.
        split: how the classes were split, in words.
    """

    validation_classes: tuple[str, ...]
    split: str


@dataclass(frozen=True, eq=False)
class SealedClasses:
    """The examples of the sealed test's classes, as a view has the others.

    Attributes:
        inputs: [n, ...], standardised with the training part's statistics.
        labels: int64 [n], from 0.
        classes: their names.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Classes:
    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    names: tuple[str, ...]

    def only(self, kept: list[int]) -> _Classes:
        """These classes, numbered in this order."""
        number = np.full(len(self.names), -1, dtype=np.int64)
        number[kept] = np.arange(len(kept))
        labels = number[self.labels]
        rows = labels >= 0
        return _Classes(self.inputs[rows], labels[rows], tuple(self.names[c] for c in kept))


@dataclass(frozen=True, eq=False)
class _Parts:
    """All three parts, the test among them: never to leave this module."""

    train: _Classes
    validation: _Classes
    test: _Classes
    split: str
    name: str
    fingerprint: str
    options: dict[str, Any]
    notes: tuple[str, ...]


def load_class_view(spec: DataSpec, wanted: ClassSplit) -> ClassView:
    """Loads the data, splits its classes, and returns all of it but the test.

    Where all classes are called GROUP/CLASS (Omniglot's alphabets), whole groups are split. An
    official test whose classes are all new is the sealed test; any other one is left out. A fifth
    of the classes, or more where that would be too few, is for validation, and as many for a test
    that is not there yet. The spec's seed decides.

    Raises:
        InputError: the data is not usable, or has too few classes or too few examples of one.
    """
    parts = _load_parts(spec, wanted)
    standardization = Standardization.fit(parts.train.inputs)
    train, validation = (
        Examples(standardization.apply(part.inputs), part.labels)
        for part in (parts.train, parts.validation)
    )
    return ClassView(
        train=train,
        validation=validation,
        classes=parts.train.names,
        name=parts.name,
        fingerprint=parts.fingerprint,
        mean=standardization.mean,
        scale=standardization.scale,
        validation_classes=parts.validation.names,
        split=parts.split,
        options=parts.options,
        notes=parts.notes,
    )


def open_test_classes(
    spec: DataSpec, wanted: ClassSplit, log: OpeningLog, fingerprint: str
) -> SealedClasses:
    """Opens the sealed test classes: noted in `log` first.

    Raises:
        InputError: the data is no longer what the view was made from, or is not usable.
    """
    parts = _load_parts(spec, wanted)
    if parts.fingerprint != fingerprint:
        raise InputError(
            f"data '{spec.source}' has changed since the search began: its fingerprint was "
            f"{fingerprint} and is now {parts.fingerprint}; the test stays sealed."
        )
    log.record_opening(fingerprint)
    inputs = Standardization.fit(parts.train.inputs).apply(parts.test.inputs)
    return SealedClasses(inputs, parts.test.labels, parts.test.names)


def _load_parts(spec: DataSpec, wanted: ClassSplit) -> _Parts:
    if spec.noise != "none":
        raise InputError(f"--noise: got '{spec.noise}'; data split by class takes none.")
    source = find_source(spec.source, spec.options)
    raw = source.load()
    labels, names = encode_labels(raw.examples, raw.class_names, raw.classes)
    known = _Classes(canonical_inputs(raw.examples, raw.missing_as_mean), labels, names)
    test = _new_classes(raw, known)
    rng = np.random.default_rng(spec.seed)
    groups, split = _groups(names)
    order = [int(group) for group in rng.permutation(len(groups))]
    taken = _take(groups, order, wanted.fewest_classes, source.name, 2 if test is None else 1)
    if test is None:
        test = known.only(taken[1])
    else:
        split += ", its official evaluation set being the sealed test"
    train = [c for group in order for c in groups[group] if not any(c in t for t in taken)]
    most = wanted.training_classes or len(train)
    train = sorted(int(c) for c in rng.permutation(train)[:most])
    digest = f"{fingerprint_of(raw, spec.seed, Noise())} {wanted}"
    each = [known.only(train), known.only(taken[0]), test]
    if raw.missing_as_mean:
        mine = each[0].inputs
        each = [_Classes(filled(one.inputs, mine), one.labels, one.names) for one in each]
    parts = _Parts(
        train=each[0],
        validation=each[1],
        test=each[2],
        split=split,
        name=source.name,
        fingerprint=hashlib.sha256(digest.encode()).hexdigest()[:16],
        options=raw.resolved(names),
        notes=raw.notes,
    )
    _check(parts, wanted)
    return parts


def _new_classes(raw: RawData, known: _Classes) -> _Classes | None:
    """The official test, if none of its classes is among those known."""
    if raw.official_test is None:
        return None
    labels, names = encode_labels(raw.official_test, raw.class_names)
    if set(names) & set(known.names):
        return None
    inputs = canonical_inputs(raw.official_test, raw.missing_as_mean)
    if inputs.shape[1:] != known.inputs.shape[1:]:
        raise InputError(
            f"{raw.official_test.inputs_name}: one test input has shape {list(inputs.shape[1:])}, "
            f"one training input has {list(known.inputs.shape[1:])}; they must be the same."
        )
    return _Classes(inputs, labels, names)


def _groups(names: tuple[str, ...]) -> tuple[list[list[int]], str]:
    """Classes that stay together, and what the split is called."""
    prefixes = [name.rpartition("/")[0] for name in names]
    if not all(prefixes) or len(set(prefixes)) < 3:
        return [[number] for number in range(len(names))], "by class"
    together: dict[str, list[int]] = {}
    for number, prefix in enumerate(prefixes):
        together.setdefault(prefix, []).append(number)
    return list(together.values()), "by group of classes (alphabet)"


def _take(
    groups: list[list[int]], order: list[int], fewest: int, name: str, parts: int
) -> list[list[int]]:
    """Whole groups off the end of `order`, until each of `parts` parts has its classes."""
    total = sum(map(len, groups))
    wanted = max(fewest, round(_SHARE * total))
    taken: list[list[int]] = []
    for _ in range(parts):
        part: list[int] = []
        while order and len(part) < wanted:
            part += groups[order.pop()]
        taken.append(sorted(part))
    left = total - sum(map(len, taken))
    if left < fewest or any(len(part) < fewest for part in taken):
        raise InputError(
            f"data '{name}': {total} classes are too few: training, validation and test take "
            f"classes of their own, at least {fewest} each for {fewest}-way tasks; fewer ways, "
            "or data with more classes."
        )
    return taken


def _check(parts: _Parts, wanted: ClassSplit) -> None:
    for each in fields(parts)[:3]:
        part: _Classes = getattr(parts, each.name)
        if len(part.names) < wanted.fewest_classes:
            raise InputError(
                f"data '{parts.name}': {len(part.names)} {each.name} classes are too few for "
                f"{wanted.fewest_classes}-way tasks."
            )
        counts = np.bincount(part.labels, minlength=len(part.names))
        rarest = int(counts.argmin())
        if counts[rarest] < wanted.fewest_examples:
            raise InputError(
                f"data '{parts.name}': class '{part.names[rarest]}' has {counts[rarest]} examples;"
                f" support and queries together need {wanted.fewest_examples} of each class."
            )

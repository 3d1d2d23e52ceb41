"""Data split by class: the validation's and the sealed test's classes are never trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError, unknown_name
from trainables.data.blocks import text_features
from trainables.data.content import content_hashes
from trainables.data.extra_columns import columns_of, extras_of
from trainables.data.groups import class_groups
from trainables.data.inputs import canonical_inputs, filled
from trainables.data.labels.labels import encode_labels
from trainables.data.labels.unlabelled import set_apart
from trainables.data.loading import OpeningLog, fingerprint_of
from trainables.data.registry import find_source
from trainables.data.repeats import refuse_constant, told_repeats, told_uniform
from trainables.data.source import PublishedClassSplit, RawData
from trainables.data.spec import DataSpec
from trainables.data.standardize import Standardization
from trainables.data.view import DataView, Examples

DEFAULT = "default"
_SINGLE = "classes"
_SHARE = 0.2  # of the classes, at least, for validation and for a test that nobody set aside


@dataclass(frozen=True)
class ClassSplit:
    """What a split by class has to give.

    Attributes:
        fewest_classes: in each of the three parts.
        fewest_examples: in each class.
        training_classes: at most so many to train on; 0 for all that there are.
        name: a published split of the data's, its word for groups of classes (`groups`, if it
            has no other), or `classes`; `default` for the first of these that it has.
    """

    fewest_classes: int
    fewest_examples: int
    training_classes: int = 0
    name: str = DEFAULT


@dataclass(frozen=True, eq=False)
class ClassView(DataView):
    """A view whose validation examples are of other classes than its training examples.

    `classes` are those of training; labels count from 0 in each part.

    Attributes:
        validation_classes: the names of the validation's classes.
        split: how the classes were split, in words.
        turned_classes: whether turned classes are by custom classes of their own.
    """

    validation_classes: tuple[str, ...]
    split: str
    turned_classes: bool


@dataclass(frozen=True, eq=False)
class SealedClasses:
    """The examples of the sealed test's classes, as a view has the others.

    Attributes:
        inputs: [n, ...], standardised with the training part's statistics.
        labels: int64 [n], from 0.
        classes: their names.
        turned_classes: as in `ClassView`.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    turned_classes: bool


@dataclass(frozen=True, eq=False)
class _Classes:
    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def only(self, kept: list[int]) -> _Classes:
        """These classes, numbered in this order."""
        number = np.full(len(self.names), -1, dtype=np.int64)
        number[kept] = np.arange(len(kept))
        labels = number[self.labels]
        rows = labels >= 0
        names = tuple(self.names[c] for c in kept)
        extras = {name: extra[rows] for name, extra in self.extras.items()}
        return _Classes(self.inputs[rows], labels[rows], names, extras)

    def named(self, names: Iterable[str], split: str) -> _Classes:
        """These classes, in this order.

        Raises:
            InputError: if there is no such class.
        """
        places = {name: place for place, name in enumerate(self.names)}
        for name in names:
            if name not in places:
                raise InputError(
                    f"split '{split}': its class '{name}' is not in the data; another split?"
                )
        return self.only([places[name] for name in names])

    def and_also(self, other: _Classes) -> _Classes:
        """These classes and then those of another part."""
        labels = np.concatenate([self.labels, other.labels + len(self.names)])
        inputs = np.concatenate([self.inputs, other.inputs])
        extras = {
            name: np.concatenate([extra, other.extras[name]])
            for name, extra in self.extras.items()
            if name in other.extras
        }
        return _Classes(inputs, labels, self.names + other.names, extras)


@dataclass(frozen=True, eq=False)
class _Parts:
    """All three parts, the test among them: never to leave this module."""

    train: _Classes
    validation: _Classes
    test: _Classes
    official: str
    split: str
    turned_classes: bool
    name: str
    fingerprint: str
    options: dict[str, Any]
    notes: tuple[str, ...]
    kept: NDArray[np.bool_] | None


def load_class_view(spec: DataSpec, wanted: ClassSplit, others: Iterable[str] = ()) -> ClassView:
    """Loads the data, splits its classes, and returns all of it but the test.

    A published split is taken as it is. Else, where all classes are called GROUP/CLASS, whole
    groups are split; an official test whose classes are all new is the sealed test, any other one
    is left out; a fifth of the classes, or more where that would be too few, is for validation,
    and as many for a test that is not there yet; and the spec's seed decides.

    Args:
        spec: which data.
        wanted: which split, and what it has to give.
        others: names of other data that could have been meant.

    Raises:
        InputError: the data is not usable, has no such split, or has too few classes or too few
            examples of one.
    """
    parts = _load_parts(spec, wanted, others)
    standardization = Standardization.fit(parts.train.inputs, parts.kept)
    train, validation = (
        Examples(standardization.apply(part.inputs), part.labels)
        for part in (parts.train, parts.validation)
    )
    repeats, serious = told_repeats(
        parts.train.inputs, parts.validation.inputs, parts.test.inputs, None, parts.official
    )
    return ClassView(
        train=replace(train, columns=columns_of(parts.train.extras)),
        validation=validation,
        classes=parts.train.names,
        name=parts.name,
        fingerprint=parts.fingerprint,
        mean=standardization.mean,
        scale=standardization.scale,
        validation_classes=parts.validation.names,
        split=parts.split,
        turned_classes=parts.turned_classes,
        options=parts.options,
        notes=(*parts.notes, *told_uniform(parts.train.inputs), *repeats),
        conditions=serious,
        kept=parts.kept,
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
    standardization = Standardization.fit(parts.train.inputs, parts.kept)
    inputs = standardization.apply(parts.test.inputs)
    return SealedClasses(inputs, parts.test.labels, parts.test.names, parts.turned_classes)


def hashes_of_classes(spec: DataSpec, wanted: ClassSplit, sealed: bool) -> NDArray[np.uint64]:
    """Numbers by which the examples can be found in other data, as `hashes_of` gives them.

    Raises:
        InputError: as `load_class_view` does.
    """
    parts = _load_parts(spec, wanted)
    chosen = [parts.train, parts.validation, *([parts.test] if sealed else [])]
    return np.unique(np.concatenate([content_hashes(part.inputs) for part in chosen]))


def _load_parts(spec: DataSpec, wanted: ClassSplit, others: Iterable[str] = ()) -> _Parts:
    spec.refuse_changes("data split by class takes none")
    source = find_source(spec.source, spec.options, others)
    raw = set_apart(source.load(), wanted=False)
    labels, names = encode_labels(raw.examples, raw.class_names, raw.classes)
    extras = extras_of(raw.examples, raw.class_names, names)
    known = _Classes(canonical_inputs(raw.examples, raw.missing_as_mean), labels, names, extras)
    refuse_constant(known.inputs, raw.examples.inputs_name)
    new = _new_classes(raw, known)
    rng = np.random.default_rng(spec.seed)
    way = _way(raw, known, new, wanted.name, source.name)
    official = ""
    if raw.class_split is not None and way == raw.class_split.name:
        train, validation, test, split = _as_published(known, new, raw.class_split)
    else:
        train, validation, test, split = _drawn(known, new, way, wanted, source.name, rng)
        if new is not None and raw.official_test is not None:
            official = raw.official_test.inputs_name
    if wanted.training_classes:
        kept = rng.permutation(len(train.names))[: wanted.training_classes]
        train = train.only(sorted(int(c) for c in kept))
    if raw.missing_as_mean:
        stored = train.inputs
        train, validation, test = (
            replace(part, inputs=filled(part.inputs, stored)) for part in (train, validation, test)
        )
    digest = f"{fingerprint_of(raw, spec.seed)} {wanted} {way}"
    parts = _Parts(
        train=train,
        validation=validation,
        test=test,
        official=official,
        split=split,
        turned_classes=raw.turned_classes,
        name=source.name,
        fingerprint=hashlib.sha256(digest.encode()).hexdigest()[:16],
        options=raw.resolved(names),
        notes=raw.notes,
        kept=text_features(raw.examples.blocks),
    )
    _check(parts, wanted)
    return parts


def _way(raw: RawData, known: _Classes, new: _Classes | None, asked: str, data: str) -> str:
    """The name of the split to make.

    A published split of classes that are not all there is made only if it is asked for by name,
    and then refused with the class that is missing.
    """
    published = [] if raw.class_split is None else [raw.class_split]
    groups = [raw.class_groups] if _grouped(known.names) else []
    if asked == DEFAULT:
        there = {*known.names, *(new.names if new else ())}
        whole = [each.name for each in published if there.issuperset(each.validation + each.test)]
        return [*whole, *groups, _SINGLE][0]
    allowed = [*(each.name for each in published), *groups, _SINGLE]
    if asked not in allowed:
        raise unknown_name(f"split of '{data}'", asked, [DEFAULT, *allowed])
    return asked


def _as_published(
    known: _Classes, new: _Classes | None, split: PublishedClassSplit
) -> tuple[_Classes, _Classes, _Classes, str]:
    """Training, validation and test of a published split, and what it is called."""
    whole = known if new is None else known.and_also(new)
    validation, test = (whole.named(part, split.name) for part in (split.validation, split.test))
    taken = {*split.validation, *split.test}
    train = whole.named([name for name in whole.names if name not in taken], split.name)
    words = f"as published ({split.name}): {len(train.names)}/{len(validation.names)}/"
    return train, validation, test, f"{words}{len(test.names)} classes. {split.note}".strip()


def _drawn(
    known: _Classes,
    test: _Classes | None,
    way: str,
    wanted: ClassSplit,
    data: str,
    rng: np.random.Generator,
) -> tuple[_Classes, _Classes, _Classes, str]:
    """Training, validation and test drawn by the generator, and what the split is called."""
    together = {} if way == _SINGLE else class_groups(known.names)
    groups = list(together.values()) or [[c] for c in range(len(known.names))]
    order = [int(group) for group in rng.permutation(len(groups))]
    taken = _take(groups, order, wanted.fewest_classes, data, 2 if test is None else 1)
    kept = sorted(c for group in order for c in groups[group])
    words = "by class" if way == _SINGLE else f"by whole {way}"
    if test is None:
        test = known.only(taken[1])
    else:
        words += ", the official evaluation set being the test"
    train, validation = known.only(kept), known.only(taken[0])
    counts = "/".join(str(len(part.names)) for part in (train, validation, test))
    return train, validation, test, f"{words}: {counts} classes."


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
    return _Classes(inputs, labels, names, extras_of(raw.official_test, raw.class_names, names))


def _grouped(names: tuple[str, ...]) -> bool:
    """True if classes are called GROUP/CLASS, with groups enough to split them."""
    return len(class_groups(names)) >= 3


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

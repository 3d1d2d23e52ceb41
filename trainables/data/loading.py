"""From a spec to a view without the test, and the one logged door to the test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.blocks import Block, text_features
from trainables.data.content import content_hashes
from trainables.data.extra_columns import NOISY, columns_of, extras_of
from trainables.data.inputs import canonical_inputs, filled
from trainables.data.labels.imbalance import class_sizes, parse_imbalance, thinned
from trainables.data.labels.labelling import conditions_of, labelled
from trainables.data.labels.labels import (
    encode_labels,
    encode_test_labels,
    shortened,
    told_alike,
    told_marks,
)
from trainables.data.labels.noise import parse_noise
from trainables.data.labels.noise_map import class_map, in_words
from trainables.data.labels.unlabelled import NO_CLASS, set_apart
from trainables.data.labels.unlabelled import told as told_unlabelled
from trainables.data.registry import find_source
from trainables.data.repeats import refuse_constant, told_repeats, told_uniform
from trainables.data.source import RawData, RawExamples, Source
from trainables.data.spec import DataSpec
from trainables.data.split import stratified_split
from trainables.data.standardize import Standardization
from trainables.data.telling import told_telling
from trainables.data.view import DataView, Examples


class OpeningLog(Protocol):
    """Whoever keeps count of how often the sealed test was opened."""

    def record_opening(self, fingerprint: str) -> int:
        """Notes an opening for good and returns how many there have been, this one included."""
        ...


@dataclass(frozen=True, eq=False)
class _Part:
    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp]) -> _Part:
        extras = {name: each[rows] for name, each in self.extras.items()}
        return _Part(self.inputs[rows], self.labels[rows], extras)

    def standardized(self, by: Standardization) -> Examples:
        return Examples(by.apply(self.inputs), self.labels)

    def and_also(self, other: _Part | None) -> _Part:
        """These examples and then the others, with what is known of both."""
        if other is None:
            return self
        inputs = np.concatenate([self.inputs, other.inputs])
        labels = np.concatenate([self.labels, other.labels])
        return _Part(inputs, labels, self.extras_with(other))

    def extras_with(self, other: _Part | None) -> Mapping[str, NDArray[Any]]:
        """What is known of these examples and of the others too."""
        if other is None:
            return self.extras
        shared = [name for name in self.extras if name in other.extras]
        return {name: np.concatenate([self.extras[name], other.extras[name]]) for name in shared}


@dataclass(frozen=True, eq=False)
class _Split:
    """The raw parts, the test among them: never to leave this module."""

    train: _Part
    validation: _Part
    test: _Part
    unlabelled: _Part | None
    official: str
    classes: tuple[str, ...]
    name: str
    fingerprint: str
    whole_train: int
    blocks: tuple[Block, ...]
    noise_map: Mapping[str, str]
    map_from: str
    rngs: tuple[np.random.Generator, np.random.Generator]
    options: dict[str, Any]
    notes: tuple[str, ...]
    mirror_keeps_class: bool | None

    @property
    def told_map(self) -> str:
        """What the classes become under asymmetric noise, in words."""
        return f"{in_words(self.noise_map)} ({self.map_from})"

    def standardization(self, wanted: bool) -> Standardization:
        inputs = self.train.and_also(self.unlabelled).inputs
        if not wanted:
            return Standardization.none(inputs)
        return Standardization.fit(inputs, text_features(self.blocks))


def load_view(spec: DataSpec, standardised: bool = True, unlabelled: bool = False) -> DataView:
    """Loads, checks and splits the data, and returns all of it but the test.

    Without an official test the split is 60/20/20 train/validation/test; with one, the rest is
    split 80/20. Both are stratified and decided by the spec's seed. Inputs are standardised with
    the training part's statistics, unless the caller sees to that. The training part is thinned
    out first where imbalance is asked for; noise is on the labels of what is left of it and on
    those of validation, but for those that are declared clean.

    Args:
        spec: which data.
        standardised: whether inputs are standardised.
        unlabelled: whether examples without a label are wanted; they are training inputs, as the
            statistics see them. If not, they are left out, and a missing label is a mistake.

    Raises:
        InputError: the source or its data is not usable; the message names the culprit.
    """
    split = _load_split(spec, unlabelled)
    standardization = split.standardization(standardised)
    parts, noise = (split.train, split.validation), parse_noise(spec.noise)
    labels = labelled(
        spec,
        (parts[0].labels, parts[1].labels),
        (parts[0].extras.get("noisy"), parts[1].extras.get("noisy")),
        split.classes,
        split.noise_map,
        split.rngs,
    )
    train, validation = (part.standardized(standardization) for part in parts)
    columns = columns_of(split.train.extras_with(split.unlabelled))
    of_train = {name: each[: len(train)] for name, each in columns.items()}
    if labels.clean is not None:
        of_train["clean"] = labels.clean
    others = None
    if split.unlabelled is not None:
        of_others = {name: each[len(train) :] for name, each in columns.items()}
        others = replace(split.unlabelled.standardized(standardization), columns=of_others)
    repeats, serious = _repeats(split)
    return DataView(
        train=replace(train, labels=labels.train, columns=of_train),
        validation=replace(validation, labels=labels.validation),
        classes=split.classes,
        name=split.name,
        fingerprint=split.fingerprint,
        mean=standardization.mean,
        scale=standardization.scale,
        options=split.options,
        notes=(
            *split.notes,
            *told_uniform(split.train.inputs),
            *told_telling(split.train.inputs, split.train.labels, split.blocks),
            *repeats,
        ),
        kept=text_features(split.blocks),
        conditions=(
            *conditions_of(
                spec, labels, split.train.labels, split.whole_train, split.classes, split.told_map
            ),
            *serious,
            *([told_unlabelled(len(others), len(train))] if others else []),
        ),
        unlabelled=others,
        noise_map=split.noise_map,
        noise_rate=labels.noisy if noise.column else noise.rate,
        mirror_keeps_class=split.mirror_keeps_class,
    )


def open_test(
    spec: DataSpec,
    log: OpeningLog,
    fingerprint: str,
    standardised: bool = True,
    unlabelled: bool = False,
) -> Examples:
    """Opens the sealed test: the only way to its examples, and noted in `log` first.

    Args:
        spec: the spec that the view was loaded with.
        log: notes the opening; if it raises, nothing is returned.
        fingerprint: the view's fingerprint.
        standardised: whether the view is.
        unlabelled: whether the view was loaded with examples without a label.

    Returns:
        The test examples, standardised with the training statistics, their labels without noise.

    Raises:
        InputError: the data is no longer what the view was made from, or is not usable.
    """
    split = _load_split(spec, unlabelled)
    if split.fingerprint != fingerprint:
        raise InputError(
            f"data '{spec.source}' has changed since the search began: its fingerprint was "
            f"{fingerprint} and is now {split.fingerprint}; the test stays sealed."
        )
    log.record_opening(fingerprint)
    return split.test.standardized(split.standardization(standardised))


def hashes_of(spec: DataSpec, sealed: bool, unlabelled: bool = False) -> NDArray[np.uint64]:
    """Numbers by which the examples can be found in other data, see `content_hashes`.

    Args:
        spec: the data.
        sealed: whether those of the sealed test are wanted too; they say nothing about it but
            whether an example that one has is in it.
        unlabelled: whether examples without a label are part of the data.

    Raises:
        InputError: the source or its data is not usable.
    """
    split = _load_split(spec, unlabelled)
    parts = [split.train.and_also(split.unlabelled), split.validation]
    parts += [split.test] if sealed else []
    return np.unique(np.concatenate([content_hashes(part.inputs) for part in parts]))


def _load_split(spec: DataSpec, unlabelled: bool = False) -> _Split:
    source = _source(spec)
    raw = set_apart(source.load(), unlabelled)
    split_seed, *other_seeds = np.random.SeedSequence(spec.seed).spawn(4)
    noise_rng, imbalance_rng, clean_rng = map(np.random.default_rng, other_seeds)
    inputs = canonical_inputs(raw.examples, raw.missing_as_mean)
    labels, classes = encode_labels(raw.examples, raw.class_names, raw.classes)
    refuse_constant(inputs, raw.examples.inputs_name)
    examples = _Part(inputs, labels, extras_of(raw.examples, raw.class_names, classes))
    test = _official_test(raw, inputs.shape[1:], classes)
    others = _unlabelled(raw, inputs.shape[1:])
    shares = (3, 1, 1) if test is None else (4, 1)
    rows = stratified_split(labels, shares, np.random.default_rng(split_seed))
    parts = [*map(examples.take, rows), *([] if test is None else [test])]
    whole_train = len(parts[0].labels)
    parts[0] = _imbalanced(parts[0], spec, classes, imbalance_rng)
    if raw.missing_as_mean:
        train = parts[0].and_also(others).inputs
        parts = [replace(each, inputs=filled(each.inputs, train)) for each in parts]
        others = others and replace(others, inputs=filled(others.inputs, train))
    noise_map, map_from = _noise_map(spec, raw, classes, parts[0])
    return _Split(
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        unlabelled=others,
        official="" if raw.official_test is None else raw.official_test.inputs_name,
        classes=classes,
        name=source.name,
        fingerprint=fingerprint_of(raw, spec.seed, _changes(spec, noise_map)),
        whole_train=whole_train,
        blocks=raw.examples.blocks,
        noise_map=noise_map,
        map_from=map_from,
        rngs=(noise_rng, clean_rng),
        options=raw.resolved(classes),
        notes=(
            *raw.notes,
            *told_alike(classes),
            *told_marks(classes),
            *_absent(labels, classes),
            *([] if test is None else _absent(test.labels, classes, "in the official test")),
        ),
        mirror_keeps_class=raw.mirror_keeps_class,
    )


def _absent(labels: NDArray[np.int64], classes: tuple[str, ...], where: str = "here") -> list[str]:
    absent = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if not len(absent):
        return []
    return [f"classes without an example {where}: {shortened([classes[c] for c in absent])}"]


def _official_test(raw: RawData, shape: tuple[int, ...], classes: tuple[str, ...]) -> _Part | None:
    if raw.official_test is None:
        return None
    inputs = _alike(raw.official_test, raw.missing_as_mean, shape, "test input")
    return _Part(inputs, encode_test_labels(raw.official_test, raw.class_names, classes))


def _unlabelled(raw: RawData, shape: tuple[int, ...]) -> _Part | None:
    if raw.unlabelled is None:
        return None
    inputs = _alike(raw.unlabelled, raw.missing_as_mean, shape, "unlabelled input")
    return _Part(inputs, np.full(len(inputs), NO_CLASS), extras_of(raw.unlabelled, None, ()))


def _alike(raw: RawExamples, may_miss: bool, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Inputs of the same shape as those of the training part."""
    inputs = canonical_inputs(raw, may_miss)
    if inputs.shape[1:] != shape:
        raise InputError(
            f"{raw.inputs_name}: one {what} has shape {list(inputs.shape[1:])}, one training "
            f"input has {list(shape)}; they must be the same."
        )
    return inputs


def _repeats(split: _Split) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is to be said of examples that are in two parts, and what of it in each result."""
    others = None if split.unlabelled is None else split.unlabelled.inputs
    return told_repeats(
        split.train.inputs, split.validation.inputs, split.test.inputs, others, split.official
    )


def _source(spec: DataSpec) -> Source:
    """The source, told which column has the noisy labels if they are read from one."""
    column = parse_noise(spec.noise).column
    if column and NOISY not in spec.options:
        taken = find_source(spec.source, spec.options).takes
        if not any(each.name == NOISY for kind in taken for each in fields(kind)):
            raise InputError(
                f"--noise '{spec.noise}': data '{spec.source}' has no columns of labels; tables, "
                ".npz files and functions can have them."
            )
    return find_source(spec.source, {**spec.options, **({NOISY: column} if column else {})})


def _imbalanced(
    part: _Part, spec: DataSpec, classes: tuple[str, ...], rng: np.random.Generator
) -> _Part:
    imbalance = parse_imbalance(spec.imbalance)
    if not imbalance:
        return part
    counts = np.bincount(part.labels, minlength=len(classes))
    return part.take(thinned(part.labels, class_sizes(counts, imbalance, classes), rng))


def _noise_map(
    spec: DataSpec, raw: RawData, classes: tuple[str, ...], train: _Part
) -> tuple[dict[str, str], str]:
    if not parse_noise(spec.noise).mapped:
        return {}, ""
    return class_map(spec.noise_map, raw.similar_classes, classes, train.inputs, train.labels)


def _changes(spec: DataSpec, noise_map: Mapping[str, str]) -> str:
    """What was done to the labels; without noise, imbalance and clean labels as it always was."""
    imbalance = parse_imbalance(spec.imbalance)
    said = [f"noise={parse_noise(spec.noise).identity}"]
    said += [f"map={sorted(noise_map.items())}"] if noise_map else []
    said += [f"imbalance={imbalance.kind}:{imbalance.ratio!r}"] if imbalance else []
    said += [f"clean={spec.clean!r}"] if spec.clean else []
    said += ["clean_validation"] if spec.clean_validation else []
    return " ".join(said)


def fingerprint_of(raw: RawData, seed: int, changes: str = "noise=none") -> str:
    """16 hex digits that differ for other data, another split or other changes of the labels."""
    digest = hashlib.sha256(f"seed={seed} {changes}".encode())
    for part in (raw.examples, raw.official_test, raw.unlabelled):
        if part is None:
            continue
        if part is raw.unlabelled:
            digest.update(b" unlabelled ")
        for array in (part.inputs, part.labels, part.noisy_labels, part.difficulty):
            if array is None:
                continue
            digest.update(f" {array.dtype.str} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]

"""From a spec to a view without the test, and the one logged door to the test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data._content import content_hashes
from trainables.data._examples import DataView, Examples
from trainables.data._inputs import canonical_inputs, filled
from trainables.data._labels import encode_labels, encode_test_labels
from trainables.data._noise import Noise, corrupt, parse_noise
from trainables.data._registry import find_source
from trainables.data._source import RawData
from trainables.data._spec import DataSpec
from trainables.data._split import stratified_split
from trainables.data._standardize import Standardization


class OpeningLog(Protocol):
    """Whoever keeps count of how often the sealed test was opened."""

    def record_opening(self, fingerprint: str) -> int:
        """Notes an opening for good and returns how many there have been, this one included."""
        ...


@dataclass(frozen=True, eq=False)
class _Part:
    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[np.intp]) -> _Part:
        return _Part(self.inputs[rows], self.labels[rows])

    def standardized(self, by: Standardization) -> Examples:
        return Examples(by.apply(self.inputs), self.labels)


@dataclass(frozen=True, eq=False)
class _Split:
    """The raw parts, the test among them: never to leave this module."""

    train: _Part
    validation: _Part
    test: _Part
    classes: tuple[str, ...]
    name: str
    fingerprint: str
    noise_rng: np.random.Generator
    options: dict[str, Any]
    notes: tuple[str, ...]

    def standardization(self, wanted: bool) -> Standardization:
        inputs = self.train.inputs
        return Standardization.fit(inputs) if wanted else Standardization.none(inputs)


def load_view(spec: DataSpec, standardised: bool = True) -> DataView:
    """Loads, checks and splits the data, and returns all of it but the test.

    Without an official test the split is 60/20/20 train/validation/test; with one, the rest is
    split 80/20. Both are stratified and decided by the spec's seed. Inputs are standardised with
    the training part's statistics, unless the caller sees to that; noise is on training and
    validation labels.

    Raises:
        InputError: the source or its data is not usable; the message names the culprit.
    """
    split = _load_split(spec)
    noise, count = parse_noise(spec.noise), len(split.classes)
    standardization = split.standardization(standardised)
    train, validation = (
        _Part(part.inputs, corrupt(part.labels, count, noise, split.noise_rng))
        for part in (split.train, split.validation)
    )
    return DataView(
        train=train.standardized(standardization),
        validation=validation.standardized(standardization),
        classes=split.classes,
        name=split.name,
        fingerprint=split.fingerprint,
        mean=standardization.mean,
        scale=standardization.scale,
        options=split.options,
        notes=split.notes,
    )


def open_test(
    spec: DataSpec, log: OpeningLog, fingerprint: str, standardised: bool = True
) -> Examples:
    """Opens the sealed test: the only way to its examples, and noted in `log` first.

    Args:
        spec: the spec that the view was loaded with.
        log: notes the opening; if it raises, nothing is returned.
        fingerprint: the view's fingerprint.
        standardised: whether the view is.

    Returns:
        The test examples, standardised with the training statistics, their labels without noise.

    Raises:
        InputError: the data is no longer what the view was made from, or is not usable.
    """
    split = _load_split(spec)
    if split.fingerprint != fingerprint:
        raise InputError(
            f"data '{spec.source}' has changed since the search began: its fingerprint was "
            f"{fingerprint} and is now {split.fingerprint}; the test stays sealed."
        )
    log.record_opening(fingerprint)
    return split.test.standardized(split.standardization(standardised))


def hashes_of(spec: DataSpec, sealed: bool) -> NDArray[np.uint64]:
    """Numbers by which the examples can be found in other data, see `content_hashes`.

    Args:
        spec: the data.
        sealed: whether those of the sealed test are wanted too; they say nothing about it but
            whether an example that one has is in it.

    Raises:
        InputError: the source or its data is not usable.
    """
    split = _load_split(spec)
    parts = [split.train, split.validation, *([split.test] if sealed else [])]
    return np.unique(np.concatenate([content_hashes(part.inputs) for part in parts]))


def _load_split(spec: DataSpec) -> _Split:
    source = find_source(spec.source, spec.options)
    raw = source.load()
    split_seed, noise_seed = np.random.SeedSequence(spec.seed).spawn(2)
    inputs = canonical_inputs(raw.examples, raw.missing_as_mean)
    labels, classes = encode_labels(raw.examples, raw.class_names, raw.classes)
    examples = _Part(inputs, labels)
    test = _official_test(raw, inputs.shape[1:], classes)
    shares = (3, 1, 1) if test is None else (4, 1)
    rows = stratified_split(labels, shares, np.random.default_rng(split_seed))
    parts = [*map(examples.take, rows), *([] if test is None else [test])]
    if raw.missing_as_mean:
        parts = [_Part(filled(each.inputs, parts[0].inputs), each.labels) for each in parts]
    return _Split(
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        classes=classes,
        name=source.name,
        fingerprint=fingerprint_of(raw, spec.seed, parse_noise(spec.noise)),
        noise_rng=np.random.default_rng(noise_seed),
        options=raw.resolved(classes),
        notes=raw.notes,
    )


def _official_test(raw: RawData, shape: tuple[int, ...], classes: tuple[str, ...]) -> _Part | None:
    if raw.official_test is None:
        return None
    inputs = canonical_inputs(raw.official_test, raw.missing_as_mean)
    if inputs.shape[1:] != shape:
        raise InputError(
            f"{raw.official_test.inputs_name}: one test input has shape {list(inputs.shape[1:])}, "
            f"one training input has {list(shape)}; they must be the same."
        )
    return _Part(inputs, encode_test_labels(raw.official_test, raw.class_names, classes))


def fingerprint_of(raw: RawData, seed: int, noise: Noise) -> str:
    """16 hex digits that differ for other data, another split or other noise."""
    digest = hashlib.sha256(f"seed={seed} noise={noise}".encode())
    for part in (raw.examples, raw.official_test):
        if part is None:
            continue
        for array in (part.inputs, part.labels):
            digest.update(f" {array.dtype.str} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]

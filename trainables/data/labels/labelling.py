"""The labels that training and validation get: noise, but for those that are clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.data.labels.imbalance import parse_imbalance
from trainables.data.labels.noise import Noise, corrupt, parse_noise
from trainables.data.labels.noise_map import as_targets
from trainables.data.spec import DataSpec
from trainables.data.split import class_balanced

Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Labelling:
    """What became of the labels.

    Attributes:
        train, validation: the labels, [n].
        clean: which training labels are known to be right, [n]; None where none was declared.
        wrong: the shares of training and validation labels that are not the true ones.
        noisy: that share of the training labels, had none been declared clean.
    """

    train: Labels
    validation: Labels
    clean: NDArray[np.bool_] | None
    wrong: tuple[float, float]
    noisy: float


def labelled(
    spec: DataSpec,
    truth: tuple[Labels, Labels],
    noisy: tuple[Labels | None, Labels | None],
    classes: Sequence[str],
    noise_map: Mapping[str, str],
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Labelling:
    """Puts noise on training and validation labels, and takes it off those that stay clean.

    Args:
        spec: which noise, how many clean labels.
        truth: the true labels of both parts.
        noisy: the labels of both parts as a column has them, for such noise.
        classes: the name of each class.
        noise_map: what each becomes, for asymmetric noise.
        rngs: for the noise, and for the choice of clean examples.

    Raises:
        InputError: more clean examples, or fewer, than can be chosen.
    """
    noise, targets = parse_noise(spec.noise), as_targets(noise_map, classes)
    # The same labels are drawn whether some are to be clean or not.
    train, validation = (
        _with_noise(true, column, noise, len(classes), rngs[0], targets)
        for true, column in zip(truth, noisy, strict=True)
    )
    noisy_share = _share(train, truth[0])
    if spec.clean_validation:
        validation = truth[1].copy()
    clean = _clean(spec, truth[0], len(classes), rngs[1])
    if clean is not None:
        train = np.where(clean, truth[0], train)
    wrong = _share(train, truth[0]), _share(validation, truth[1])
    return Labelling(train, validation, clean, wrong, noisy_share)


def conditions_of(
    spec: DataSpec,
    labels: Labelling,
    true: Labels,
    before: int,
    classes: Sequence[str],
    told_map: str,
) -> tuple[str, ...]:
    """What was done to the data, in sentences; none where nothing was.

    Args:
        spec: what was asked for.
        labels: what came of it.
        true: the training part's true labels, [n].
        before: how many training examples there were before the imbalance.
        classes: the name of each class.
        told_map: what the classes become under asymmetric noise, in words.
    """
    noise, imbalance, said = parse_noise(spec.noise), parse_imbalance(spec.imbalance), []
    if noise:
        train, validation = (f"{share:.1%}" for share in labels.wrong)
        wrong, right = f"{train} of the training labels", "validation and the sealed test have"
        if not spec.clean_validation:
            wrong += f" and {validation} of the validation labels"
            right = "the sealed test has"
        said.append(f"Label noise {noise}: {wrong} are not the true ones; {right} true labels.")
    if noise.mapped:
        said.append(f"Classes became others by this map: {told_map}.")
    if imbalance:
        counts = np.bincount(true, minlength=len(classes))
        most, least = int(counts.argmax()), int(counts.argmin())
        said.append(
            f"Imbalance {imbalance}: {len(true)} of {before} training examples are left, from "
            f"{counts[most]} of class '{classes[most]}' to {counts[least]} of '{classes[least]}'; "
            "validation and the sealed test keep all of theirs."
        )
    if labels.clean is not None:
        said.append(
            f"{int(labels.clean.sum())} training examples keep their true labels: every algorithm "
            "trains on the same labels, and may know which of them are sure."
        )
    return tuple(said)


def _with_noise(
    true: Labels,
    column: Labels | None,
    noise: Noise,
    classes: int,
    rng: np.random.Generator,
    targets: Labels,
) -> Labels:
    if column is not None:
        return column.copy()
    return corrupt(true, classes, noise, rng, targets)


def _clean(
    spec: DataSpec, true: Labels, classes: int, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    if not spec.clean:
        return None
    count = int(spec.clean if spec.clean >= 1 else round(spec.clean * len(true)))
    found = np.zeros(len(true), dtype=np.bool_)
    found[class_balanced(true, classes, count, rng, "--clean")] = True
    return found


def _share(labels: Labels, true: Labels) -> float:
    return float((labels != true).mean())

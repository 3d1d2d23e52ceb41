"""Inputs that do not vary, and examples that are there more than once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.content import exact_hashes, example_hashes

_ROWS_AT_ONCE = 4096
# Below this share of different examples, tables of few categories repeat themselves by nature.
_NATURALLY_DIFFERENT = 0.25


def refuse_constant(inputs: NDArray[Any], name: str) -> None:
    """Refuses inputs [n, ...] that are all the same.

    Raises:
        InputError: there are several, and no two of them differ.
    """
    for start in range(0, len(inputs), _ROWS_AT_ONCE):
        if not np.array_equal(
            inputs[start : start + _ROWS_AT_ONCE],
            np.broadcast_to(inputs[0], inputs[start : start + _ROWS_AT_ONCE].shape),
        ):
            return
    if len(inputs) > 1:
        raise InputError(
            f"{name}: every input is the same, so there is nothing to learn from; were they read "
            "as they are meant?"
        )


def told_uniform(inputs: NDArray[Any]) -> tuple[str, ...]:
    """A sentence on training images [n, channels, height, width] without contrast, if any is."""
    if inputs.ndim != 4 or inputs.shape[2] * inputs.shape[3] == 1:
        return ()
    flat = inputs.reshape(*inputs.shape[:2], -1)
    count = int((flat.min(axis=2) == flat.max(axis=2)).all(axis=1).sum())
    return (
        (f"{count} of {len(inputs)} training images are of one colour throughout",)
        if count
        else ()
    )


def told_repeats(
    train: NDArray[Any],
    validation: NDArray[Any],
    test: NDArray[Any],
    unlabelled: NDArray[Any] | None,
    official: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sentences on examples of one part that are in another one too, by their inputs.

    Args:
        train: inputs to train on, [n, ...].
        validation: inputs by which is chosen, likewise.
        test: inputs of the sealed test, likewise.
        unlabelled: inputs without a label, likewise.
        official: where an official test is, for messages; empty if the test was split off.

    Returns:
        On validation and test, and those of them without which no result should be read.

    Raises:
        InputError: an official test that is wholly among the training examples.
    """
    (train_found, different), (validation_found, _), (test_found, _) = map(
        _found, (train, validation, test)
    )
    both = np.concatenate([train_found, validation_found])
    again = int(np.isin(test_found, both).sum())
    if official and again == len(test) and different >= _NATURALLY_DIFFERENT:
        raise InputError(
            f"{official}: all {len(test)} test examples are among the training examples too (the "
            "same inputs), so a test on them would mean nothing; give another test, or none."
        )
    notes, conditions = [], []
    in_training = int(np.isin(validation_found, train_found).sum())
    if in_training:
        notes.append(
            f"{in_training} of {len(validation)} validation examples are training examples too: "
            "the same inputs"
        )
    if again:
        conditions.append(
            f"{again} of {len(test)} examples of the sealed test are training or validation "
            "examples too: the same inputs."
        )
    if unlabelled is not None:
        seen = int(np.isin(test_found, _found(unlabelled)[0]).sum())
        if seen:
            conditions.append(
                f"{seen} of {len(test)} examples of the sealed test are unlabelled examples too: "
                "the same inputs."
            )
    return (*notes, *conditions), tuple(conditions)


def _found(inputs: NDArray[Any]) -> tuple[NDArray[np.uint64], float]:
    """The numbers of the examples that say something, and the share of different ones.

    Images are known again in another brightness too. Vectors have to be equal: where one feature
    is large, rows would else be taken for each other that differ in the small ones.
    """
    if inputs.ndim == 2:
        known = exact_hashes(inputs)
    else:
        hashes, telling = example_hashes(inputs)
        known = hashes[telling]
    return known, np.unique(known).size / max(1, known.size)

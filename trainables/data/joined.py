"""Examples of several parts put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.source import RawExamples


def joined(first: RawExamples, second: RawExamples) -> RawExamples:
    """The examples of both, with what is known of both.

    Raises:
        InputError: inputs of different shapes, or labels of which some are text and some are not.
    """
    if first.inputs.shape[1:] != second.inputs.shape[1:]:
        raise InputError(
            f"{second.inputs_name}: one input has shape {list(second.inputs.shape[1:])}, one of "
            f"{first.inputs_name} has {list(first.inputs.shape[1:])}; they must be the same."
        )
    labels = [label_list(each.labels) for each in (first, second)]
    if len({(each.ndim, each.dtype.kind in "SU") for each in labels}) > 1:
        raise InputError(
            f"{second.labels_name}: labels of type {labels[1].dtype} and shape "
            f"{list(labels[1].shape)}, those of {first.labels_name} are {labels[0].dtype} "
            f"{list(labels[0].shape)}; they must be alike."
        )
    found: dict[str, Any] = {
        "inputs": np.concatenate([first.inputs, second.inputs]),
        "labels": np.concatenate(labels),
    }
    for name in ("noisy_labels", "difficulty"):
        both = [getattr(first, name), getattr(second, name)]
        found[name] = None if any(each is None for each in both) else np.concatenate(both)
    texts = None
    if first.texts is not None and second.texts is not None:
        texts = [*first.texts, *second.texts]
    gaps = [_gaps(each) for each in (first, second)]
    missing = np.concatenate(gaps) if any(each.any() for each in gaps) else None
    return replace(first, **found, texts=texts, missing=missing)


def with_validation(
    examples: RawExamples, validation: RawExamples | None, test: RawExamples | None, name: str
) -> tuple[RawExamples, RawExamples | None, tuple[str, ...]]:
    """What becomes of a validation part: beside a test it joins training, else it is the test.

    Args:
        examples: the training part.
        validation: the other one, if there is one.
        test: the official test, likewise.
        name: what it is called, for notes.

    Returns:
        The training part, the test, and a note.
    """
    if validation is None:
        return examples, test, ()
    if test is None:
        return examples, validation, (f"the sealed test: {name}",)
    note = f"{name}: joined to the training part, as there is a test beside it"
    return joined(examples, validation), test, (note,)


def label_list(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels [n], which some keep as [n, 1]; others as they are."""
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _gaps(examples: RawExamples) -> NDArray[np.bool_]:
    if examples.missing is not None:
        return examples.missing
    return np.zeros(len(examples.inputs), dtype=np.bool_)

"""Data of which only some training examples have a label."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from search_spaces import InputError
from trainables.data import DataView, Examples, class_balanced
from trainables.foundation.randomness import derive_seed

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class PartlyLabelled(DataView):
    """A view whose training labels are unknown but for a few.

    The label of every other training example is -1 here; what it was cannot be reached. All
    training inputs are there, after them those that the data has without a label, and validation
    is as in any other view.
    """

    @property
    def labelled(self) -> NDArray[np.intp]:
        """The training examples whose label is known, in order."""
        return np.flatnonzero(self.train.labels != UNKNOWN)

    @classmethod
    def of(cls, view: DataView, labels: int | None, seed: int, unlabelled: int = 0) -> Self:
        """Keeps `labels` labels of a view, as many of each class as possible, drawn by the seed.

        Args:
            view: the data with all its labels.
            labels: how many to keep; None for all of data that has unlabelled inputs of its own.
            seed: decides which, and which unlabelled examples stay.
            unlabelled: how many of the other training inputs stay; 0 for all.

        Raises:
            InputError: if there are fewer examples, or more classes, than that.
        """
        if labels is None:
            labels = len(view.train)
        rng = np.random.default_rng(derive_seed(seed, "labels"))
        known = class_balanced(view.train.labels, view.num_classes, labels, rng)
        kept = np.full_like(view.train.labels, UNKNOWN)
        kept[known] = view.train.labels[known]
        columns = dict(view.train.columns)
        if "clean" in columns:
            columns["clean"] = columns["clean"] & (kept != UNKNOWN)
        train = replace(view.train, labels=kept, columns=columns)
        if view.unlabelled is not None:
            train = _joined(train, view.unlabelled)
        if unlabelled:
            train = train.take(np.sort(np.append(known, _drawn(train.labels, unlabelled, seed))))
        told = repr((view.fingerprint, labels, unlabelled, seed))
        fingerprint = hashlib.sha256(told.encode()).hexdigest()[:16]
        whole = {field.name: getattr(view, field.name) for field in fields(DataView)}
        changed = {"train": train, "fingerprint": fingerprint, "unlabelled": None}
        return cls(**{**whole, **changed})


def _joined(train: Examples, unlabelled: Examples) -> Examples:
    """Training examples and then those that came without a label, with what is known of both."""
    more = dict(unlabelled.columns)
    if "clean" in train.columns:
        more["clean"] = np.zeros(len(unlabelled), dtype=np.bool_)
    columns = {
        name: np.concatenate([column, more[name]])
        for name, column in train.columns.items()
        if name in more
    }
    return Examples(
        np.concatenate([train.inputs, unlabelled.inputs]),
        np.concatenate([train.labels, unlabelled.labels]),
        columns,
    )


def _drawn(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.intp]:
    """Some of the examples without a label, whatever their class."""
    others = np.flatnonzero(labels == UNKNOWN)
    if count > len(others):
        raise InputError(
            f"unlabelled: got {count}, expected at most the {len(others)} training examples "
            "without a label, or 0 for all."
        )
    rng = np.random.default_rng(derive_seed(seed, "unlabelled"))
    return rng.permutation(others)[:count]

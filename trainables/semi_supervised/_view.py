"""Data of which only some training examples have a label."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from search_spaces import InputError
from trainables.data import DataView, class_balanced
from trainables.randomness import derive_seed

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class PartlyLabelled(DataView):
    """A view whose training labels are unknown but for a few.

    The label of every other training example is -1 here; what it was cannot be reached. All
    training inputs are there, and validation is as in any other view.
    """

    @property
    def labelled(self) -> NDArray[np.intp]:
        """The training examples whose label is known, in order."""
        return np.flatnonzero(self.train.labels != UNKNOWN)

    @classmethod
    def of(cls, view: DataView, labels: int, seed: int, unlabelled: int = 0) -> Self:
        """Keeps `labels` labels of a view, as many of each class as possible, drawn by the seed.

        Args:
            view: the data with all its labels.
            labels: how many to keep.
            seed: decides which, and which unlabelled examples stay.
            unlabelled: how many of the other training inputs stay; 0 for all.

        Raises:
            InputError: if there are fewer examples, or more classes, than that.
        """
        rng = np.random.default_rng(derive_seed(seed, "labels"))
        known = class_balanced(view.train.labels, view.num_classes, labels, rng)
        kept = np.full_like(view.train.labels, UNKNOWN)
        kept[known] = view.train.labels[known]
        columns = dict(view.train.columns)
        if "clean" in columns:
            columns["clean"] = columns["clean"] & (kept != UNKNOWN)
        train = replace(view.train, labels=kept, columns=columns)
        if unlabelled:
            train = train.take(np.sort(np.append(known, _drawn(kept, unlabelled, seed))))
        told = repr((view.fingerprint, labels, unlabelled, seed))
        fingerprint = hashlib.sha256(told.encode()).hexdigest()[:16]
        whole = {field.name: getattr(view, field.name) for field in fields(DataView)}
        return cls(**{**whole, "train": train, "fingerprint": fingerprint})


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

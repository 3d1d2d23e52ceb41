"""Which class is taken for which other: the map of asymmetric noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError, unknown_name
from trainables.data.groups import class_groups
from trainables.data.labels.labels import shortened
from trainables.data.standardize import Standardization

_ROWS_AT_ONCE = 4096
_MOST_TOLD = 10


def class_map(
    given: Mapping[str, str],
    published: Mapping[str, str],
    classes: Sequence[str],
    inputs: NDArray[Any],
    labels: NDArray[np.int64],
) -> tuple[dict[str, str], str]:
    """What each class becomes, by name, and where that is from, in words.

    The first that there is of: what the user gave; for classes called GROUP/CLASS the next one of
    the group (as Patrini et al., CVPR 2017, do on CIFAR-100); what was published for the data;
    the class whose mean training input is nearest, features standardised.

    Args:
        given: the user's map; classes that it does not name keep their labels.
        published: the data set's, the same way.
        classes: the name of each class.
        inputs: of the training part, [n, ...].
        labels: the true ones, [n].

    Raises:
        InputError: the given map names a class that is not there.
    """
    if given:
        for name in (*given, *given.values()):
            if name not in classes:
                raise _no_class(name, classes)
        return {name: given[name] for name in classes if name in given}, "as given"
    groups = class_groups(classes).values()
    if any(len(group) > 1 for group in groups):
        pairs = [pair for group in groups for pair in zip(group, np.roll(group, -1), strict=True)]
        return {classes[a]: classes[b] for a, b in sorted(pairs) if a != b}, "within groups"
    if published and all(name in classes for name in (*published, *published.values())):
        return {name: published[name] for name in classes if name in published}, "as published"
    nearest = _nearest(inputs, labels, len(classes))
    found = {name: classes[nearest[number]] for number, name in enumerate(classes)}
    return found, "to the class with the nearest mean; --noise-map names others"


def as_targets(by_name: Mapping[str, str], classes: Sequence[str]) -> NDArray[np.int64]:
    """The class that each class becomes, [classes]; itself if the map does not name it."""
    return np.array([classes.index(by_name.get(name, name)) for name in classes], dtype=np.int64)


def in_words(by_name: Mapping[str, str]) -> str:
    """A map with arrows, not all of it if it is long."""
    return shortened([f"{a} -> {b}" for a, b in by_name.items()], most=_MOST_TOLD)


def checked_map(given: Any) -> dict[str, str]:
    """A map as the user gave it, with names as text.

    Raises:
        InputError: no mapping, an empty name, or a class that becomes itself.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"--noise-map: got {given!r}, expected CLASS=CLASS,CLASS=CLASS,….")
    found = {str(one): str(other) for one, other in given.items()}
    for one, other in found.items():
        if not one or not other or one == other:
            fault = f"'{one}' becomes itself" if one and one == other else "a name is empty"
            raise InputError(f"--noise-map: {fault} in {one}={other}; expected two classes.")
    return found


def _no_class(name: str, classes: Sequence[str]) -> InputError:
    few = len(classes) <= 100
    if few:
        return unknown_name("class in --noise-map", name, classes)
    return InputError(f"--noise-map: there is no class '{name}'; classes: {shortened(classes)}.")


def _nearest(inputs: NDArray[Any], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    scaling, totals = Standardization.fit(inputs), np.zeros((classes, inputs[0].size))
    for start in range(0, len(inputs), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        flat = scaling.apply(inputs[rows]).reshape(len(labels[rows]), -1)
        np.add.at(totals, labels[rows], flat)
    means = totals / np.bincount(labels, minlength=classes)[:, np.newaxis]
    squares = (means**2).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2.0 * means @ means.T
    np.fill_diagonal(distances, np.inf)
    return distances.argmin(axis=1)

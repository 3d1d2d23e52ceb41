"""Features that alone give the label: often the label again, under another name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.blocks import Block

_CELLS = 4_000_000  # of a first look at all features
_FEWEST_ROWS = 20
_MOST_ERRORS, _MOST_OF_GUESSING = 0.02, 0.05
_MOST_TOLD, _MOST_TRIED = 5, 100


def told_telling(
    inputs: NDArray[Any], labels: NDArray[np.int64], blocks: Sequence[Block]
) -> tuple[str, ...]:
    """Sentences on features from which alone the label can be told.

    A feature is tried by itself: a number by a tree with a leaf for each class, a column of
    categories by the most frequent class of each. It is told where that is wrong for at most 2 %
    of the examples, and a twentieth of those that the most frequent class of all is wrong for.

    Args:
        inputs: the training inputs, [n, features]; others are not looked at.
        labels: their labels, without noise.
        blocks: the columns that the features are of; without any, each is one by itself.
    """
    if inputs.ndim != 2 or len(labels) < _FEWEST_ROWS:
        return ()
    of_table = bool(blocks)
    blocks = blocks or [Block(str(i), 1, "number") for i in range(inputs.shape[1])]
    counts = np.bincount(labels)
    allowed = min(
        _MOST_ERRORS * len(labels), _MOST_OF_GUESSING * float(len(labels) - counts.max())
    )
    starts = np.cumsum([0, *(block.width for block in blocks)])
    suspects = _numbers(inputs, labels, blocks, starts, allowed)
    suspects += [place for place, block in enumerate(blocks) if block.kind == "categories"]
    found = list[tuple[float, str]]()
    for place in suspects:
        block, start = blocks[place], starts[place]
        mine = inputs[:, start : start + block.width]
        errors = (_errors_by_category if block.kind == "categories" else _errors_of_tree)(
            mine, labels
        )
        if errors <= allowed:
            found.append((errors, block.name))
    leave = "--drop-columns leaves it out" if of_table else "leave it out"
    said = [
        f"feature '{name}' alone gives the label of {1 - errors / len(labels):.1%} of the "
        f"training examples: if it is not known before the label is, {leave}"
        for errors, name in sorted(found)[:_MOST_TOLD]
    ]
    more = len(found) - len(said)
    return (*said, *([f"{more} more features alone give the label"] if more else []))


def _numbers(
    inputs: NDArray[Any],
    labels: NDArray[np.int64],
    blocks: Sequence[Block],
    starts: NDArray[np.intp],
    allowed: float,
) -> list[int]:
    """The columns of numbers along which labels change seldom.

    Along a feature that gives the label, sorted, they change once a class, and twice an error.
    """
    places = np.array([p for p, block in enumerate(blocks) if block.kind == "number"], dtype=int)
    if not len(places):
        return []
    step = max(1, len(labels) * len(places) // _CELLS)
    rows = np.arange(0, len(labels), min(step, max(1, len(labels) // 200)))
    classes, few = len(np.unique(labels)), labels[rows]
    rows = rows[np.argsort(few, kind="stable")]  # of the same value, those of a class together
    # Twice as many errors as are allowed, and one a class: only some of the rows are looked at.
    most = classes - 1 + 2 * (2 * allowed * len(rows) / len(labels) + classes)
    found = list[tuple[int, int]]()
    at_once = max(1, _CELLS // len(rows))
    for start in range(0, len(places), at_once):
        some = places[start : start + at_once]
        order = np.argsort(inputs[rows][:, starts[some]], axis=0, kind="stable")
        changes = (np.diff(labels[rows][order], axis=0) != 0).sum(axis=0)
        found += [(int(changes[i]), int(some[i])) for i in np.flatnonzero(changes <= most)]
    return [place for _, place in sorted(found)[:_MOST_TRIED]]


def _errors_of_tree(values: NDArray[Any], labels: NDArray[np.int64]) -> int:
    from sklearn.tree import DecisionTreeClassifier

    leaves = max(2, len(np.unique(labels)))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
    return int((tree.fit(values, labels).predict(values) != labels).sum())


def _errors_by_category(values: NDArray[Any], labels: NDArray[np.int64]) -> int:
    classes = int(labels.max()) + 1
    if values.shape[1] * 5 > len(labels):
        return len(labels)  # of few examples each says nothing
    cells = values.shape[1] * classes
    counts = np.bincount(values.argmax(axis=1) * classes + labels, minlength=cells)
    return len(labels) - int(counts.reshape(-1, classes).max(axis=1).sum())

"""A feature that alone gives the label is spoken of, and no other is."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from trainables.data import DataSpec, load_view
from trainables.data.blocks import Block
from trainables.data.telling import told_telling

RNG = np.random.default_rng(0)
ROWS = 400
LABELS = RNG.integers(0, 3, ROWS)
NOISE = RNG.normal(size=(ROWS, 3))


def wrong(labels: np.ndarray, share: float) -> np.ndarray:
    """The labels, a share of which are another's."""
    count = round(share * len(labels))
    found = labels.copy()
    found[:count] = (found[:count] + 1) % (labels.max() + 1)
    return found


@pytest.mark.parametrize(
    "column",
    [
        LABELS,
        -3.5 * LABELS + 1e6,
        LABELS + 0.2 * RNG.random(ROWS),
        np.exp(LABELS.astype(float)),
        wrong(LABELS, 0.005),
    ],
)
def test_a_number_that_is_the_label_in_another_way(column: np.ndarray) -> None:
    inputs = np.column_stack([NOISE, column])
    (said,) = told_telling(inputs, LABELS, [])
    assert "feature '3' alone gives the label of" in said
    blocks = [Block(name, 1, "number") for name in "abcd"]
    assert "feature 'd' alone" in told_telling(inputs, LABELS, blocks)[0]


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_categories_that_are_the_label_in_another_order(classes: int) -> None:
    labels = RNG.integers(0, classes, ROWS)
    order = RNG.permutation(classes)
    hot = np.eye(classes)[order[wrong(labels, 0.005)]]
    inputs = np.hstack([NOISE, hot])
    blocks = [*(Block(name, 1, "number") for name in "abc"), Block("again", classes, "categories")]
    (said,) = told_telling(inputs, labels, blocks)
    assert "feature 'again' alone gives the label of 99.5% of the training examples" in said


def test_what_tells_much_but_not_all_is_not_spoken_of() -> None:
    assert told_telling(np.column_stack([NOISE, wrong(LABELS, 0.1)]), LABELS, []) == ()
    assert told_telling(NOISE, LABELS, []) == ()
    rare = (np.arange(ROWS) < 8).astype(int)  # 2 % are of class 1: to say 0 is right for 98 %
    assert told_telling(NOISE, rare, []) == ()
    assert told_telling(np.column_stack([NOISE, rare]), rare, []) != ()
    assert told_telling(RNG.random((ROWS, 1, 8, 8)), LABELS, []) == ()
    few = np.arange(24) % 2
    assert told_telling(RNG.normal(size=(24, 2000)), few, []) == ()


@pytest.mark.parametrize(
    "load", [datasets.load_wine, datasets.load_breast_cancer, datasets.load_iris]
)
def test_honest_features_are_not_spoken_of(load: object) -> None:
    assert callable(load)
    inputs, labels = load(return_X_y=True)
    assert told_telling(inputs, labels, []) == ()


def test_many_columns_take_no_time() -> None:
    inputs = RNG.normal(size=(300, 10_000))
    inputs[:, 777] = LABELS[:300]
    start = time.process_time()
    (said,) = told_telling(inputs, LABELS[:300], [])
    assert "'777'" in said and time.process_time() - start < 10


def test_alive_stands_beside_survived(tmp_path: Path) -> None:
    lines = ["age,fare,alive,survived"]
    for i, age in enumerate(RNG.normal(30, 10, 300)):
        survived = int(RNG.random() < 0.4)
        alive = survived if i != 17 else 1 - survived
        lines.append(f"{age:.1f},{RNG.random() * 50:.2f},{['no', 'yes'][alive]},{survived}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    view = load_view(DataSpec(str(tmp_path / "t.csv")))
    (said,) = [note for note in view.notes if "alone gives" in note]
    assert "'alive'" in said and "--drop-columns" in said
    noisy = load_view(DataSpec(str(tmp_path / "t.csv"), noise="0.4"))
    assert any("'alive' alone gives" in note for note in noisy.notes)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, open_test

INPUTS = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([3, 7], ("3", "7")),
        ([10, 9], ("9", "10")),
        ([-1, 1], ("-1", "1")),
        ([2.0, 1.0], ("1", "2")),
        ([True, False], ("False", "True")),
        (["dog", "cat"], ("cat", "dog")),
        ([b"dog", b"cat"], ("cat", "dog")),
    ],
)
def test_labels_become_0_to_k_in_sorted_order(
    write_npz, values: list[Any], classes: tuple[str, ...]
) -> None:
    labels = np.array(values)[np.repeat([0, 1], [25, 15])]
    view = load_view(DataSpec(write_npz(x=INPUTS, y=labels)))
    assert view.classes == classes
    assert view.num_classes == 2
    larger = int(values[0] == sorted(values)[1])
    assert np.bincount(view.train.labels)[larger] == 15
    assert len(view.train) == 24


def test_a_column_of_labels_is_as_good_as_a_vector(write_npz) -> None:
    labels = np.arange(40) % 2
    column = load_view(DataSpec(write_npz("a.npz", x=INPUTS, y=labels[:, np.newaxis])))
    vector = load_view(DataSpec(write_npz("b.npz", x=INPUTS, y=labels)))
    np.testing.assert_array_equal(column.train.labels, vector.train.labels)


HALVES = np.arange(40) % 2


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(40, dtype=int), ["every label is '0'", "two classes"]),
        (np.where(np.arange(40) < 4, 8, 9), ["class '8'", "4 examples", "at least 5"]),
        (np.where(HALVES, np.nan, 1.0), ["20 labels are missing", "row 1"]),
        (np.where(HALVES, "a", ""), ["20 labels are missing", "row 0"]),
        (np.where(HALVES, 0.5, 1.0), ["whole numbers or strings", "0.5"]),
        (np.where(HALVES, np.inf, 1.0), ["whole numbers or strings", "inf"]),
        (HALVES.astype("datetime64[D]"), ["whole numbers or strings", "datetime64"]),
        (np.eye(2)[HALVES], ["one label for each", "[40, 2]"]),
        (np.array(1), ["one label for each", "[]"]),
        (np.where(HALVES, b"\xff", b"a"), ["UTF-8"]),
    ],
)
def test_bad_labels_are_named(write_npz, labels: np.ndarray, words: list[str]) -> None:
    path = write_npz(x=INPUTS, y=labels)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in [path, "key 'y'", *words] if word not in message] == []


@pytest.mark.parametrize("stranger", ["emu", "ape"])
def test_an_official_test_with_an_unseen_class_is_refused(write_npz, stranger: str) -> None:
    labels = np.where(HALVES, "cat", "dog")
    test_labels = np.array([stranger, "dog"])
    path = write_npz(x=INPUTS, y=labels, x_test=INPUTS[:2], y_test=test_labels)
    with pytest.raises(InputError, match=f"key 'y_test'.*class '{stranger}'.*cat, dog"):
        load_view(DataSpec(path))


def test_an_official_test_is_numbered_as_the_training_part(write_npz, log) -> None:
    path = write_npz(
        x=INPUTS,
        y=np.array([4, 6, 8, 4])[np.arange(40) % 4],
        x_test=INPUTS[:3] + 1.0,
        y_test=np.array([8.0, 4.0, 8.0]),
    )
    view = load_view(DataSpec(path))
    assert view.classes == ("4", "6", "8")
    test = open_test(DataSpec(path), log, view.fingerprint)
    assert test.labels.tolist() == [2, 0, 2]

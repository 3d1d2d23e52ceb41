"""Examples that are in two parts are counted, and a test that is training is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import ClassSplit, DataSpec, load_class_view, load_view

RNG = np.random.default_rng(0)
Y = np.arange(60) % 2


def inputs(kind: str, count: int) -> np.ndarray:
    shape = {"vectors": (count, 20), "few": (count, 2), "images": (count, 6, 6)}[kind]
    return RNG.normal(size=shape) if kind != "images" else RNG.integers(0, 256, shape)


@pytest.mark.parametrize("kind", ["vectors", "few", "images"])
def test_what_training_and_an_official_test_share_is_counted(write_npz: Any, kind: str) -> None:
    x, test = inputs(kind, 60), inputs(kind, 20)
    test[[3, 8, 15]] = x[[0, 30, 59]]
    view = load_view(DataSpec(write_npz(x=x, y=Y, x_test=test, y_test=Y[:20])))
    said = "3 of 20 examples of the sealed test are training or validation examples too"
    assert any(said in note for note in view.notes)
    assert any(said in condition for condition in view.conditions)


@pytest.mark.parametrize("kind", ["vectors", "few", "images"])
@pytest.mark.parametrize("rows", [slice(None), slice(10), slice(7, 8)])
def test_a_test_that_is_wholly_inside_training_is_refused(
    write_npz: Any, kind: str, rows: slice
) -> None:
    x = inputs(kind, 60)
    path = write_npz(x=x, y=Y, x_test=x[rows], y_test=1 - Y[rows])
    with pytest.raises(InputError, match=r"key 'x_test': all \d+ test examples are among") as no:
        load_view(DataSpec(path))
    assert "\n" not in str(no.value)


def test_rows_that_are_there_twice_are_counted_on_each_side_of_the_split(write_npz: Any) -> None:
    x = inputs("vectors", 60)
    x[30:] = x[:30]
    view = load_view(DataSpec(write_npz(x=x, y=np.arange(60) % 2)))
    assert [note.split(" of ")[1].split()[0] for note in view.notes] == ["12", "12"]
    assert "validation examples are training examples too" in view.notes[0]
    assert view.conditions == view.notes[1:]
    assert load_view(DataSpec(write_npz(x=inputs("vectors", 60), y=Y))).notes == ()


def test_categories_that_repeat_by_nature_are_counted_but_not_refused(write_npz: Any) -> None:
    grid = np.stack(np.meshgrid(*[[0, 1]] * 3), -1).reshape(-1, 3)
    path = write_npz(x=np.tile(grid, (10, 1)), y=np.arange(80) % 2, x_test=grid, y_test=Y[:8])
    view = load_view(DataSpec(path))
    assert any("8 of 8 examples of the sealed test" in note for note in view.conditions)


def test_rows_that_differ_in_a_small_feature_are_different(write_npz: Any) -> None:
    x = np.zeros((60, 20))
    x[:, 0], x[:, 1] = 1e6, np.arange(60)
    assert load_view(DataSpec(write_npz(x=x, y=Y))).notes == ()


def test_an_image_in_another_brightness_is_the_same(write_npz: Any) -> None:
    x, test = inputs("images", 60) // 2, inputs("images", 20)
    test[4] = x[5] * 2
    view = load_view(DataSpec(write_npz(x=x, y=Y, x_test=test, y_test=Y[:20])))
    assert any("1 of 20 examples of the sealed test" in note for note in view.notes)


@pytest.mark.parametrize("x", [np.zeros((60, 3)), np.full((60, 5, 5), 7, np.uint8)])
def test_inputs_that_do_not_vary_are_refused(write_npz: Any, x: np.ndarray) -> None:
    path = write_npz(x=x, y=Y)
    with pytest.raises(InputError, match="key 'x': every input is the same"):
        load_view(DataSpec(path))


def test_unlabelled_examples_that_are_the_tests_are_counted(write_npz: Any) -> None:
    x, test = inputs("vectors", 60), inputs("vectors", 20)
    path = write_npz(x=x, y=Y, x_test=test, y_test=Y[:20], x_unlabelled=test[:5])
    view = load_view(DataSpec(path), unlabelled=True)
    assert any("5 of 20 examples of the sealed test are unlabelled" in c for c in view.conditions)
    assert load_view(DataSpec(path)).conditions == ()


def test_classes_that_hold_the_same_inputs_are_told(write_npz: Any) -> None:
    x, y = inputs("vectors", 120), np.arange(120) % 12
    x[y == 11] = x[y == 0]
    wanted = ClassSplit(fewest_classes=2, fewest_examples=5)
    told = [load_class_view(DataSpec(write_npz(x=x, y=y), seed=seed), wanted) for seed in range(8)]
    shared = [note for view in told for note in view.notes if "the same inputs" in note]
    assert shared and all(note.startswith(("10 of 20", "10 of 30")) for note in shared)
    new = {"x_test": x[:40], "y_test": np.arange(40) % 4 + 50}
    with pytest.raises(InputError, match="all 40 test examples"):
        load_class_view(DataSpec(write_npz(x=x, y=y * 0 + np.arange(120) % 8, **new)), wanted)

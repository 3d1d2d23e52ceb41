from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, open_test

LABELS = np.arange(40) % 2


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(40, *shape), dtype=np.uint8)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ((7,), (7,)),
        ((8, 9), (1, 8, 9)),
        ((1, 8, 9), (1, 8, 9)),
        ((3, 8, 9), (3, 8, 9)),
        ((4, 8, 9), (4, 8, 9)),
        ((8, 9, 1), (1, 8, 9)),
        ((8, 9, 3), (3, 8, 9)),
        ((8, 9, 4), (4, 8, 9)),
        ((1, 4, 4), (1, 4, 4)),
        ((4, 4, 3), (3, 4, 4)),
    ],
)
def test_layouts(write_npz, raw: tuple[int, ...], canonical: tuple[int, ...]) -> None:
    view = load_view(DataSpec(write_npz(x=images(*raw), y=LABELS)))
    assert view.input_shape == canonical
    for examples in (view.train, view.validation):
        assert examples.inputs.dtype == np.float32
        assert examples.labels.dtype == np.int64
        assert examples.inputs.shape == (len(examples.labels), *canonical)


def test_channels_last_holds_the_same_pixels_as_channels_first(write_npz) -> None:
    last = images(8, 9, 3)
    first = np.transpose(last, (0, 3, 1, 2))
    from_last = load_view(DataSpec(write_npz("last.npz", x=last, y=LABELS)))
    from_first = load_view(DataSpec(write_npz("first.npz", x=first, y=LABELS)))
    np.testing.assert_array_equal(from_last.train.inputs, from_first.train.inputs)


@pytest.mark.parametrize("shape", [(), (5, 6, 7), (4, 4, 4), (1, 8, 3), (2, 3, 4, 5)])
def test_other_shapes_are_refused_by_name(write_npz, shape: tuple[int, ...]) -> None:
    path = write_npz(x=images(*shape), y=LABELS)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    assert f"'{path}', key 'x'" in str(caught.value)
    assert str([40, *shape]) in str(caught.value)


def test_vectors_are_standardised_per_feature_with_the_train_part_only(
    write_npz, toy_arrays, log
) -> None:
    toy_arrays["x"][:, 1] = 5
    toy_arrays["x"][:, 2] = toy_arrays["x"][:, 2] + 1.7e9
    spec = DataSpec(write_npz(**toy_arrays))
    view = load_view(spec)
    train = view.train.inputs.astype(np.float64)
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=0), [1, 0, 1, 1], atol=1e-6)
    for part in (view.validation, open_test(spec, log, view.fingerprint)):
        assert np.abs(part.inputs.mean(axis=0)[[0, 3]]).min() > 1e-3
        np.testing.assert_array_equal(part.inputs[:, 1], 0)


def test_a_feature_constant_in_train_only_does_not_blow_up(write_npz, toy_arrays, log) -> None:
    spec = DataSpec(write_npz("plain.npz", **toy_arrays))
    view = load_view(spec)
    test = open_test(spec, log, view.fingerprint)
    # The first feature is the row number, so its rank tells which row went where.
    parts = [part.inputs[:, 0] for part in (view.train, view.validation, test)]
    rows = np.argsort(np.argsort(np.concatenate(parts)))
    toy_arrays["x"][:, 1] = 7.1
    toy_arrays["x"][rows[: len(view.train)], 1] = 0.1
    view = load_view(DataSpec(write_npz("constant.npz", **toy_arrays)))
    np.testing.assert_allclose(view.train.inputs[:, 1], 0, atol=1e-6)
    np.testing.assert_allclose(view.validation.inputs[:, 1], 7.0, atol=1e-5)


def test_images_are_standardised_per_channel(write_npz) -> None:
    raw = images(3, 8, 9).astype(np.float64) * np.array([1, 10, 0]).reshape(3, 1, 1) + 4
    train = load_view(DataSpec(write_npz(x=raw, y=LABELS))).train.inputs.astype(np.float64)
    np.testing.assert_allclose(train.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=(0, 2, 3)), [1, 1, 0], atol=1e-6)
    assert np.abs(train.mean(axis=0)[:2]).max() > 0.1, "pixels must not have means of their own"


def vectors(**changes: Any) -> np.ndarray:
    inputs = np.random.default_rng(0).normal(size=(40, 3))
    for place, value in changes.items():
        row, column = map(int, place.removeprefix("at_").split("_"))
        inputs[row, column] = value
    return inputs


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        (vectors(at_7_1=np.nan), LABELS, ["key 'x'", "1 values", "row 7, column 1"]),
        (vectors(at_9_2=np.inf, at_30_0=-np.inf), LABELS, ["2 values", "row 9, column 2"]),
        (vectors(at_5_0=1e300), LABELS, ["1 values", "row 5, column 0"]),
        (np.where(images(8, 9) < 0, 0, np.nan), LABELS, ["row 0, column (0, 0)"]),
        (vectors(), LABELS[:39], ["key 'x'", "40 inputs but 39 labels", "key 'y'"]),
        (np.empty((0, 3)), np.empty(0, dtype=int), ["key 'x'", "empty", "[0, 3]"]),
        (np.empty((40, 0)), LABELS, ["key 'x'", "empty", "[40, 0]"]),
        (np.full((40, 3), "a"), LABELS, ["key 'x'", "numbers", "<U1"]),
        (np.full((40, 3), 1j), LABELS, ["key 'x'", "numbers", "complex128"]),
    ],
)
def test_bad_inputs_are_named(
    write_npz, inputs: np.ndarray, labels: np.ndarray, words: list[str]
) -> None:
    path = write_npz(x=inputs, y=labels)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in [path, *words] if word not in message] == []


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (vectors()[:, :2], ["key 'x_test'", "[2]", "[3]"]),
        (vectors(at_2_1=np.nan), ["key 'x_test'", "row 2, column 1"]),
        (vectors()[:0], ["key 'x_test'", "empty"]),
        (vectors()[:10], ["key 'x_test'", "10 inputs but 40 labels"]),
    ],
)
def test_a_bad_official_test_is_named(write_npz, inputs: np.ndarray, words: list[str]) -> None:
    path = write_npz(x=vectors(), y=LABELS, x_test=inputs, y_test=LABELS)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    assert [word for word in [path, *words] if word not in str(caught.value)] == []

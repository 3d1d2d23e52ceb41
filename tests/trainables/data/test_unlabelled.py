"""Examples without a label: taken where they are of use, and never as a class, test or choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, hashes_of, load_view, open_test

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), np.arange(60) % 2
OTHERS = RNG.normal(size=(20, 3)) + 9.0
HIDDEN = np.arange(60) % 3 == 0


def both(address: str, **options: Any) -> tuple[DataView, DataView]:
    """The data as a search takes it that has no use for unlabelled examples, and as one has it."""
    spec = DataSpec(address, options=options)
    return load_view(spec), load_view(spec, unlabelled=True)


def firsts(view: DataView, inputs: np.ndarray) -> list[float]:
    return np.sort((inputs * view.scale + view.mean)[:, 0]).round(3).tolist()


def test_arrays_without_labels(write_npz: Any) -> None:
    plain, taken = both(write_npz(x=X, y=Y, x_unlabelled=OTHERS))
    assert plain.unlabelled is None and len(plain.train) == 36
    assert plain.fingerprint == load_view(DataSpec(write_npz("bare.npz", x=X, y=Y))).fingerprint
    assert any("20 inputs are left out" in note for note in plain.notes)
    assert taken.unlabelled is not None and taken.fingerprint != plain.fingerprint
    assert (taken.unlabelled.labels == -1).all()
    assert firsts(taken, taken.unlabelled.inputs) == np.sort(OTHERS[:, 0]).round(3).tolist()
    assert np.array_equal(taken.train.labels, plain.train.labels)
    assert any("20 examples came without a label" in each for each in taken.conditions)
    everything = np.concatenate([taken.train.inputs, taken.unlabelled.inputs])
    np.testing.assert_allclose(everything.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("labels", [Y, Y.astype(float), Y * 4 + 3, np.arange(60) % 4])
def test_minus_one_is_no_class(write_npz: Any, log: Any, labels: np.ndarray) -> None:
    marked = np.where(HIDDEN, -1, labels)
    address = write_npz(x=X, y=marked)
    plain, taken = both(address)
    assert plain.classes[0] == "-1"
    assert any("20 of 60 are -1, which is a class of its own" in note for note in plain.notes)
    assert taken.classes == tuple(str(int(each)) for each in np.unique(labels))
    assert taken.unlabelled is not None
    assert firsts(taken, taken.unlabelled.inputs) == np.sort(X[HIDDEN, 0]).round(3).tolist()
    test = open_test(DataSpec(address), log, taken.fingerprint, unlabelled=True)
    known = np.concatenate([taken.train.inputs, taken.validation.inputs, test.inputs])
    assert firsts(taken, known) == np.sort(X[~HIDDEN, 0]).round(3).tolist()


@pytest.mark.parametrize("labels", [Y * 2 - 1, np.arange(60) % 3 - 2, np.arange(60) % 4 - 2])
def test_minus_one_among_numbers_below_zero_or_as_one_of_two_is_a_class(
    write_npz: Any, labels: np.ndarray
) -> None:
    plain, taken = both(write_npz(x=X, y=labels))
    assert "-1" in taken.classes and taken.classes == plain.classes
    assert taken.unlabelled is None and plain.notes == taken.notes == ()
    assert taken.fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    "labels",
    [
        np.where(HIDDEN, np.nan, Y),
        np.where(HIDDEN, "", np.where(Y == 1, "ant", "bee")),
        np.where(HIDDEN, b"", np.where(Y == 1, b"ant", b"bee")),
    ],
)
def test_labels_that_are_missing_in_arrays(write_npz: Any, labels: np.ndarray) -> None:
    spec = DataSpec(write_npz(x=X, y=labels))
    taken = load_view(spec, unlabelled=True)
    assert taken.num_classes == 2 and taken.unlabelled is not None
    assert len(taken.unlabelled) == 20
    with pytest.raises(InputError, match=r"(20 labels are missing|not UTF-8|class '')"):
        load_view(spec)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    "labels", [["ant", "bee", None], [0, 1, None], [True, False, None], [2**60, 2**60 + 1, None]]
)
def test_rows_without_a_label(tmp_path: Path, kind: str, labels: list[Any]) -> None:
    table = pa.table({"a": X[:, 0], "b": X[:, 1], "label": [labels[n % 3] for n in range(60)]})
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        from pyarrow import csv

        csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    spec = DataSpec(str(path))
    taken = load_view(spec, unlabelled=True)
    assert len(taken.classes) == 2 and taken.unlabelled is not None
    assert len(taken.unlabelled) == 20 and len(taken.train) == 24
    assert firsts(taken, taken.unlabelled.inputs) == np.sort(X[2::3, 0]).round(3).tolist()
    again = load_view(DataSpec(str(path), options=taken.options), unlabelled=True)
    assert again.fingerprint == taken.fingerprint
    with pytest.raises(InputError, match=r"20 labels are missing, the first in row 2 .*semi-"):
        load_view(spec)


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (4, 4)).astype(np.uint8)).save(path)


@pytest.mark.parametrize("name", ["unlabelled", "unlabeled"])
@pytest.mark.parametrize(("split", "place"), [("", ""), ("train", ""), ("train", "train")])
def test_a_folder_of_images_without_a_class(
    tmp_path: Path, name: str, split: str, place: str
) -> None:
    for number in range(12):
        image(tmp_path / split / "ab"[number % 2] / f"{number}.png")
    for number in range(7):
        image(tmp_path / place / name / ("", "deeper")[number % 2] / f"{number}.png")
    plain, taken = both(str(tmp_path))
    assert plain.classes == taken.classes == ("a", "b")
    assert any("7 inputs are left out" in note for note in plain.notes)
    assert taken.unlabelled is not None and taken.unlabelled.inputs.shape == (7, 1, 4, 4)
    assert taken.options == plain.options


def test_a_test_needs_every_label(write_npz: Any) -> None:
    spec = DataSpec(write_npz(x=X, y=Y, x_test=OTHERS, y_test=np.arange(20) % 3 - 1))
    with pytest.raises(InputError, match="7 labels of the test are -1"):
        load_view(spec, unlabelled=True)


def test_what_is_known_beside_labels_stays_with_the_rows(write_npz: Any) -> None:
    difficulty = X[:, 0] * 10
    path = write_npz(x=X, y=np.where(HIDDEN, -1, Y), hard=difficulty)
    taken = both(path, difficulty_column="hard")[1]
    assert taken.unlabelled is not None
    for part in (taken.train, taken.unlabelled):
        raw = (part.inputs * taken.scale + taken.mean)[:, 0]
        np.testing.assert_allclose(part.columns["difficulty"], raw * 10, atol=1e-3)


def test_noise_and_numbers_of_examples_know_them_apart(write_npz: Any) -> None:
    path = write_npz(x=X, y=np.where(HIDDEN, -1, Y))
    noisy = load_view(DataSpec(path, noise="0.5", clean=6), unlabelled=True)
    assert set(noisy.train.labels) == {0, 1} and noisy.train.columns["clean"].sum() == 6
    assert len(hashes_of(DataSpec(path), sealed=False, unlabelled=True)) == 52
    assert len(hashes_of(DataSpec(path), sealed=True, unlabelled=True)) == 60


def test_unlabelled_inputs_of_another_shape_are_named(write_npz: Any) -> None:
    spec = DataSpec(write_npz(x=X, y=Y, x_unlabelled=OTHERS[:, :2]))
    with pytest.raises(InputError, match=r"key 'x_unlabelled': one unlabelled input has shape"):
        load_view(spec, unlabelled=True)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y": np.where(HIDDEN, -1, Y)[:-1]}, "60 inputs but 59 labels"),
        ({"y": np.full(60, np.nan)}, "no example has a label"),
        ({"y": np.where(HIDDEN, -1, Y), "hard": np.zeros(7)}, "7 values for 60 examples"),
    ],
)
def test_what_does_not_fit_is_named_all_the_same(write_npz: Any, arrays: Any, words: str) -> None:
    options = {"difficulty_column": "hard"} if "hard" in arrays else {}
    with pytest.raises(InputError, match=words):
        load_view(DataSpec(write_npz(**{"x": X, **arrays}), options=options), unlabelled=True)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_minus_one_among_words_is_no_label_either(write_npz: Any, kind: str) -> None:
    words = np.where(HIDDEN, "-1", np.where(Y == 1, "cat", "dog")).astype(kind)
    supervised, taken = both(write_npz(x=X, y=words))
    assert taken.unlabelled is not None and len(taken.unlabelled) == HIDDEN.sum()
    texts = np.where(HIDDEN, "-1.0", np.where(Y == 1, "0.0", "1.0")).astype(kind)
    of_numbers = both(write_npz(x=X, y=texts))[1]
    assert of_numbers.classes == ("0.0", "1.0") and of_numbers.unlabelled is not None
    assert taken.classes == ("cat", "dog")
    assert supervised.classes == ("-1", "cat", "dog")
    assert any("-1, which is a class of its own" in each for each in supervised.notes)


@pytest.mark.parametrize("others", [("cat", "cat"), ("-2", "cat"), ("0", "-3.5")])
def test_minus_one_is_a_class_where_others_are_negative_or_alone(
    write_npz: Any, others: tuple[str, str]
) -> None:
    words = np.where(HIDDEN, "-1", np.where(Y == 1, *others))
    taken = both(write_npz(x=X, y=words))[1]
    assert taken.unlabelled is None and "-1" in taken.classes

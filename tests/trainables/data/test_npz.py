from __future__ import annotations

import io
import os
import pickle
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, open_test

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


@pytest.mark.parametrize("inputs", ["x", "X", "Inputs", "images", "data", "features", "x_train"])
@pytest.mark.parametrize("labels", ["y", "Labels", "TARGETS", "classes", "y_train"])
def test_keys_are_guessed_in_any_case(write_npz, inputs: str, labels: str) -> None:
    view = load_view(DataSpec(write_npz(**{inputs: X, labels: Y, "comment": np.array("hello")})))
    assert view.input_shape == (3,)
    assert len(view.train) == 24


def test_a_round_trip_keeps_every_example(write_npz, log) -> None:
    spec = DataSpec(write_npz(x=X, y=Y))
    view = load_view(spec)
    parts = [view.train, view.validation, open_test(spec, log, view.fingerprint)]
    # Standardising is affine and the same for all parts, so it can be solved for and undone.
    together = np.concatenate([part.inputs for part in parts]).astype(np.float64)
    undone = (together - together.mean(axis=0)) / together.std(axis=0) * X.std(axis=0)
    undone += X.mean(axis=0)
    order, expected = np.argsort(undone[:, 0]), np.argsort(X[:, 0])
    np.testing.assert_allclose(undone[order], X[expected], atol=1e-5)
    labels = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(labels[order], Y[expected])


def test_the_test_keys_may_have_other_names(write_npz, log) -> None:
    arrays = {"x_train": X, "y_train": Y, "x_TEST": X[:6] + 1.0, "labels_test": Y[:6]}
    spec = DataSpec(write_npz(**arrays))
    test = open_test(spec, log, load_view(spec).fingerprint)
    assert test.labels.tolist() == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": X, "y": Y}, ["found: pixels, y", "inputs, images", "targets"]),
        ({"x": X, "truth": Y}, ["found: x, truth", "labels, targets"]),
        ({"x": X, "data": X, "y": Y}, ["x and data", "inputs"]),
        ({"x": X, "y": Y, "labels": Y}, ["y and labels", "labels"]),
        ({"x": X, "y": Y, "x_test": X}, ["'x_test' has no labels", "y_test", "x_unlabelled"]),
        ({"x_test": X, "y_test": Y}, ["found: x_test, y_test"]),
    ],
)
def test_keys_that_do_not_fit_are_named(
    write_npz, arrays: dict[str, np.ndarray], words: list[str]
) -> None:
    path = write_npz(**arrays)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    assert [word for word in [path, *words] if word not in str(caught.value)] == []


@pytest.mark.parametrize("names", [("data", "target"), ("features", "label"), ("X", "TARGET")])
def test_one_label_an_example_may_be_the_word(write_npz, names: tuple[str, str]) -> None:
    view = load_view(DataSpec(write_npz(**dict(zip(names, (X, Y), strict=True)))))
    assert view.fingerprint == load_view(DataSpec(write_npz(x=X, y=Y))).fingerprint


def test_labels_of_a_test_without_inputs_are_named(write_npz) -> None:
    with pytest.raises(InputError, match="'y_test' has no inputs beside it, such as x_test"):
        load_view(DataSpec(write_npz(x=X, y=Y, y_test=Y)))


def test_thousands_of_names_are_looked_through_at_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for number in range(5000):
            archive.writestr(f"key{number}.npy", b"")
    started = time.process_time()
    with pytest.raises(InputError, match="5000 in all"):
        load_view(DataSpec(str(tmp_path / "many.npz")))
    assert time.process_time() - started < 1


class Trap:
    """Unpickling one of these would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_pickled_objects_are_never_read(tmp_path: Path, write_npz) -> None:
    sprung = tmp_path / "sprung"
    inside = write_npz("inside.npz", x=X, y=np.array([Trap(sprung)] * 40, dtype=object))
    whole = tmp_path / "whole.npz"
    whole.write_bytes(pickle.dumps(Trap(sprung)))
    for path in (inside, str(whole)):
        with pytest.raises(InputError) as caught:
            load_view(DataSpec(path))
        assert path in str(caught.value)
    assert not sprung.exists()
    pickle.loads(whole.read_bytes())
    assert sprung.exists(), "the trap does not work, so the test has shown nothing"


def test_damaged_files_are_named(tmp_path: Path, write_npz) -> None:
    whole = Path(write_npz(x=X, y=Y)).read_bytes()
    np.save(tmp_path / "array.npy", X)
    flipped = bytearray(whole)
    flipped[400] ^= 255
    contents = {
        "empty": b"",
        "text": b"hello\nworld\n",
        "cut": whole[: len(whole) // 2],
        "flipped": bytes(flipped),
        "array": (tmp_path / "array.npy").read_bytes(),
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_view(DataSpec(str(path)))
        assert f"'{path}': cannot be read as a NumPy archive" in str(caught.value)
        assert "\n" not in str(caught.value)


V, W = X[:8] + 10.0, Y[:8]
T, U = X[:6] + 20.0, Y[:6]


def raw_column(view, part) -> list[float]:
    return np.sort((part.inputs * view.scale + view.mean)[:, 0]).round(4).tolist()


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        ("train_X", "train_Y", "valid_X", "valid_Y", "testing_x", "testing_y"),
        ("x", "y", "validation_data", "targets_dev", "TEST.features", "test-classes"),
        ("Xtrain", "ytrain", "Xval", "yval", "Xtest", "ytest"),
    ],
)
def test_validation_joins_training_beside_a_test(write_npz, log, names: tuple[str, ...]) -> None:
    arrays = dict(zip(names, (X, Y, V, W, T, U), strict=True))
    spec = DataSpec(write_npz(**arrays))
    view = load_view(spec)
    assert len(view.train) + len(view.validation) == 48
    test = open_test(spec, log, view.fingerprint)
    assert raw_column(view, test) == np.sort(T[:, 0]).round(4).tolist()
    (note,) = view.notes
    assert f"{names[2]} and {names[3]}: joined to the training part" in note


def test_validation_is_the_test_where_there_is_no_other(write_npz, log) -> None:
    spec = DataSpec(write_npz(x_train=X, y_train=Y, x_val=V, y_val=W))
    view = load_view(spec)
    assert view.notes == ("the sealed test: x_val and y_val",)
    assert (
        raw_column(view, open_test(spec, log, view.fingerprint))
        == np.sort(V[:, 0]).round(4).tolist()
    )


def test_arrays_that_are_not_used_are_named(write_npz) -> None:
    view = load_view(DataSpec(write_npz(x=X, y=Y, ids=np.arange(40), y_extra=Y)))
    assert view.notes == ("arrays that are not used: ids, y_extra",)
    assert view.fingerprint == load_view(DataSpec(write_npz("bare.npz", x=X, y=Y))).fingerprint


def test_labels_of_another_name_are_found_in_every_part(write_npz, log) -> None:
    spec = DataSpec(
        write_npz(
            x_train=X,
            train_fine=Y,
            train_y=np.zeros(40, int),
            x_val=V,
            val_fine=W,
            x_test=T,
            test_fine=1 - U,
        ),
        options={"label_column": "train_fine"},
    )
    view = load_view(spec)
    assert len(view.train) + len(view.validation) == 48
    assert open_test(spec, log, view.fingerprint).labels.tolist() == (1 - U).tolist()
    assert "arrays that are not used: train_y" in view.notes


def test_validation_without_noisy_labels_is_left_out_with_a_note(write_npz) -> None:
    parts = {"x_val": V, "y_val": W, "x_test": T, "y_test": U}
    path = write_npz(x=X, y=Y, human=1 - Y, **parts)
    view = load_view(DataSpec(path, "column:human"))
    assert len(view.train) + len(view.validation) == 40
    assert any("x_val and y_val are not used" in note for note in view.notes)
    path = write_npz(x=X, y=Y, human=1 - Y, human_val=1 - W, **parts)
    view = load_view(DataSpec(path, "column:human"))
    assert len(view.train) + len(view.validation) == 48
    assert view.noise_rate == 1.0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x_val": V}, ["'x_val' has no labels", "y_val"]),
        ({"x_val": V[:, :2], "y_val": W, "x_test": T, "y_test": U}, ["key 'x_val'", "[2]", "[3]"]),
        ({"x_val": V, "y_val": W.astype(str), "x_test": T, "y_test": U}, ["key 'y_val'"]),
        ({"x_val": V, "y_val": W[:-1]}, ["key 'x_val'", "8 inputs but 7 labels"]),
    ],
)
def test_a_validation_part_that_does_not_fit_is_named(write_npz, arrays, words) -> None:
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(write_npz(x=X, y=Y, **arrays)))
    assert "\n" not in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []


def header(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    file = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, about)
    return file.getvalue()


def archive(path: Path, **members: bytes) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return str(path)


def stored(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zeros(path: Path, rows: int, labels: bytes) -> str:
    """An archive of [rows, 1000] zeros that were never held in memory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("y.npy", labels)
        with file.open("x.npy", "w", force_zip64=True) as member:
            member.write(header((rows, 1000), "|u1"))
            for _ in range(rows // 1000):
                member.write(bytes(1_000_000))
    return str(path)


LIES = {
    "more rows than bytes": header((10**12, 3)) + bytes(960),
    "more than an index can hold": header((10**30, 3)) + bytes(960),
    "fewer rows than bytes": header((2, 3)) + bytes(960),
    "rows below zero": header((-40, 3)) + bytes(960),
    "no bytes for each value": header((10**12, 3), "<U0"),
    "a huge header": b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 1000,
    "nothing": b"",
    "text": b"hello, world",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("key", ["x", "y"])
def test_headers_that_lie_are_refused_before_memory_is_taken(
    tmp_path: Path, lie: str, key: str
) -> None:
    members = {"x": stored(X), "y": stored(Y)} | {key: LIES[lie]}
    path = archive(tmp_path / "lies.npz", **members)
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert peak < 50e6


@pytest.mark.timeout(60)
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    rows = 300_000
    fitting = zeros(tmp_path / "fitting.npz", rows, stored(np.arange(rows) % 2))
    other = zeros(tmp_path / "other.npz", 3000, stored(Y))
    for path, words in ((fitting, "unpack to 0.3 GiB"), (other, "3000 inputs but 40 labels")):
        tracemalloc.start()
        with pytest.raises(InputError, match=words):
            load_view(DataSpec(path))
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()


def test_what_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch) -> None:
    path = zeros(tmp_path / "large.npz", 3000, stored(np.arange(3000) % 2))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.get)
    with pytest.raises(InputError, match=r"'x' has shape \[3000, 1000\].*this machine's memory"):
        load_view(DataSpec(path))


@pytest.mark.timeout(60)
def test_very_many_arrays(tmp_path: Path) -> None:
    path = tmp_path / "many.npz"
    one = stored(np.zeros(1))
    with zipfile.ZipFile(path, "w") as file:
        for number in range(20_000):
            file.writestr(f"array_{number}.npy", one)
    for options in ({}, {"label_column": "label"}):
        with pytest.raises(InputError) as caught:
            load_view(DataSpec(str(path), options=options))
        assert "(20000 in all)" in str(caught.value)
        assert len(str(caught.value)) < 3000
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("x.npy", stored(X))
        file.writestr("y.npy", stored(Y))
    (note,) = load_view(DataSpec(str(path))).notes
    assert "(20000 in all)" in note and len(note) < 1000


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match=r"pipe.npz': is a pipe"):
        load_view(DataSpec(str(tmp_path / "pipe.npz")))

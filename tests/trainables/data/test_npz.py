from __future__ import annotations

import pickle
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
    arrays = {"x_train": X, "y_train": Y, "x_TEST": X[:6], "labels_test": Y[:6]}
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
        ({"x": X, "y": Y, "x_test": X}, ["_test", "found: x, y, x_test"]),
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

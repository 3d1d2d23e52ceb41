from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, open_test

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "fashion-mnist"
FILES = [
    f"{part}-{kind}.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
]


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of the real names and format with 50 training and 20 test images of 6x7 pixels."""
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, size=(70, 6, 7))
    labels = np.arange(70) % 10
    for name, array in zip(
        FILES, (pixels[:50], labels[:50], pixels[50:], labels[50:]), strict=True
    ):
        write_idx(folder / name, array)
    return folder


def test_a_directory_of_idx_files_is_a_source(folder: Path, log) -> None:
    spec = DataSpec(str(folder))
    view = load_view(spec)
    assert view.input_shape == (1, 6, 7)
    assert (len(view.train), len(view.validation)) == (40, 10)
    assert view.classes == tuple("0123456789")
    test = open_test(spec, log, view.fingerprint)
    assert test.labels.tolist() == [*range(10), *range(10)]


@pytest.mark.parametrize("name", ["fashion-mnist", "fashion_mnist"])
def test_it_is_found_by_name_in_the_data_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AUTOML_CL_DATA", str(folder.parent))
    view = load_view(DataSpec(name))
    assert (len(view.train), view.name, view.classes[-1]) == (40, "fashion-mnist", "Ankle boot")


@pytest.mark.parametrize("place", ["data", "../shared/data"])
def test_it_is_found_beside_the_current_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.delenv("AUTOML_CL_DATA", raising=False)
    here = tmp_path / "project"
    here.mkdir()
    (here / place).mkdir(parents=True)
    folder.rename(here / place / folder.name)
    monkeypatch.chdir(here)
    assert load_view(DataSpec("fashion-mnist")).input_shape == (1, 6, 7)


def test_when_absent_the_places_and_files_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_CL_DATA", "/nowhere")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    with pytest.raises(InputError) as caught:
        load_view(DataSpec("fashion-mnist"))
    message = str(caught.value)
    places = ["$AUTOML_CL_DATA/fashion-mnist", "./data/fashion-mnist", "../shared/data"]
    assert [word for word in [*places, "/nowhere", *FILES] if word not in message] == []


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / FILES[2]).unlink()
    with pytest.raises(InputError, match=f"{folder}.*: {FILES[2]} missing"):
        load_view(DataSpec(str(folder)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(bytes((0, 0, 8, 1)) + struct.pack(">I", 50) + bytes(49)),
        gzip.compress(bytes((0, 0, 9, 1)) + struct.pack(">I", 50) + bytes(50)),
        gzip.compress(bytes((0, 0, 8, 1)) + struct.pack(">I", 50) + bytes(50))[:-9],
        gzip.compress(bytes((0, 0, 8, 1)) + struct.pack(">I", 2**32 - 1) + bytes(50)),
        gzip.compress(bytes((0, 0, 8, 1)) + struct.pack(">I", 50) + bytes(50_000_000), 1),
    ],
    ids=["empty", "other", "no header", "too short", "another type", "cut off", "lie", "bomb"],
)
def test_a_damaged_file_is_named(folder: Path, content: bytes) -> None:
    path = folder / FILES[1]
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(str(folder)))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert f"'{path}': cannot be read as a gzipped idx file" in str(caught.value)


def test_a_label_that_is_no_class_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(folder / FILES[1], np.repeat([0, 1, 2, 3, 10], 10))
    monkeypatch.setenv("AUTOML_CL_DATA", str(folder.parent))
    with pytest.raises(InputError, match=f"{FILES[1]}.*label 10"):
        load_view(DataSpec("fashion-mnist"))


@pytest.mark.skipif(not REAL.is_dir(), reason=f"Fashion-MNIST is not in {REAL}")
def test_the_real_thing(monkeypatch: pytest.MonkeyPatch, log) -> None:
    monkeypatch.setenv("AUTOML_CL_DATA", str(REAL.parent))
    spec = DataSpec("fashion-mnist")
    view = load_view(spec)
    assert view.input_shape == (1, 28, 28)
    assert view.num_classes == 10
    assert np.bincount(view.train.labels).tolist() == [4800] * 10
    assert np.bincount(view.validation.labels).tolist() == [1200] * 10
    assert view.train.inputs.std() == pytest.approx(1, abs=1e-3)
    test = open_test(spec, log, view.fingerprint)
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert view.classes[test.labels[0]] == "Ankle boot"

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, load_view, open_test

RNG = np.random.default_rng(0)
Write = Callable[..., None]


def write(path: Path, mode: str = "L", size: tuple[int, int] = (6, 5), value: int = -1) -> None:
    """One image, (width, height), its pixels at random or all of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], *([3] if mode == "RGB" else []))
    pixels = RNG.integers(0, 256, shape) if value < 0 else np.full(shape, value)
    Image.fromarray(pixels.astype(np.uint16 if mode == "I;16" else np.uint8)).save(path)


def folder_of(root: Path, count: int = 6, **image: Any) -> Path:
    for name in ("cat", "dog"):
        for number in range(count):
            write(root / name / f"{number}.png", **image)
    return root


def load(root: Path, **options: Any) -> DataView:
    return load_view(DataSpec(str(root), options=options))


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folders_are_classes(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "pets")
    write(root / "dog" / "more.JPG")
    for junk in (".DS_Store", "cat/.hidden.png", "cat/Thumbs.db"):
        (root / junk).write_text("junk")
    view = load(root)
    assert (view.classes, view.input_shape, view.name) == (("cat", "dog"), (1, 5, 6), "pets")
    assert view.notes == ()
    assert view.options == {"image_size": [5, 6], "color": "grey", "classes": ["cat", "dog"]}
    assert load(root, **view.options).fingerprint == view.fingerprint


def test_pixels_are_those_of_the_files(tmp_path: Path) -> None:
    for name, value in (("dark", 10), ("light", 200)):
        for number in range(5):
            write(tmp_path / name / f"{number}.png", "RGB", value=value)
    view = load(tmp_path)
    raw = view.train.inputs * view.scale + view.mean
    expected = np.where(view.train.labels == 0, 10, 200)[:, None, None, None]
    np.testing.assert_allclose(raw, np.broadcast_to(expected, (6, 3, 5, 6)), atol=1e-4)


def test_the_test_folder_is_the_sealed_test(tmp_path: Path, log: Any) -> None:
    folder_of(tmp_path / "train", 5)
    folder_of(tmp_path / "val", 5)
    spec = DataSpec(str(tmp_path))
    view = load_view(spec)
    assert len(view.train) + len(view.validation) == 10
    assert any("val/ is the sealed test" in note for note in view.notes)
    assert len(open_test(spec, log, view.fingerprint)) == 10
    folder_of(tmp_path / "test", 2)
    view = load_view(spec)
    assert len(view.train) + len(view.validation) == 20, "val joins the training part"
    assert len(open_test(spec, log, view.fingerprint)) == 4


@pytest.mark.parametrize("name", ["valid", "Validation", "dev"])
def test_validation_has_several_names(tmp_path: Path, name: str) -> None:
    folder_of(tmp_path / "train", 5)
    folder_of(tmp_path / name, 5)
    assert any(f"{name}/ is the sealed test" in note for note in load(tmp_path).notes)


def test_classes_that_the_test_lacks_are_spoken_of(tmp_path: Path) -> None:
    folder_of(tmp_path / "train", 5)
    folder_of(tmp_path / "test", 2)
    assert not any("in the official test" in note for note in load(tmp_path).notes)
    shutil.rmtree(tmp_path / "test" / "dog")
    assert any("in the official test: dog" in note for note in load(tmp_path).notes)


def test_images_of_several_sizes(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    write(root / "dog" / "odd.png", size=(9, 9))
    message = refusal(root)
    for word in ("2 sizes", "5x6 (12)", "9x9 (1)", "odd.png", "--image-size 5"):
        assert word in message
    assert load(root, image_size="4").input_shape == (1, 4, 4)
    view = load(root, image_size="4x8")
    assert view.input_shape == (1, 4, 8)
    assert any("13 of 13 resized to 4x8" in note for note in view.notes)


def test_grey_and_colour_together_are_colour(tmp_path: Path) -> None:
    root = folder_of(tmp_path, mode="RGB")
    write(root / "dog" / "grey.png", "L")
    view = load(root)
    assert view.input_shape == (3, 5, 6)
    assert any("1 of 13 are grey" in note for note in view.notes)
    assert load(root, color="grey").input_shape == (1, 5, 6)


def test_a_picture_taken_sideways_is_turned(tmp_path: Path) -> None:
    root = folder_of(tmp_path, size=(6, 5))
    turned = Image.fromarray(RNG.integers(0, 256, (6, 5)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(root / "cat" / "phone.png", exif=exif)
    assert load(root).input_shape == (1, 5, 6)


def test_files_that_are_no_images_are_left_out_and_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path)
    (root / "cat" / "notes.txt").write_text("meow")
    (root / "README.md").write_text("pets")
    (note,) = load(root).notes
    assert "left out" in note and "README.md" in note and "cat/notes.txt" in note


def damage(file: str, content: bytes) -> Callable[[Path], None]:
    return lambda root: (root / file).write_bytes(content) and None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damage("cat/0.png", b"hello"), ["cat/0.png", "cannot be read as an image"]),
        (damage("cat/0.png", b""), ["cat/0.png", "cannot be read as an image"]),
        (damage("loose.png", b"x"), ["loose.png", "outside the folders"]),
        (lambda root: (root / "cow").mkdir(), ["class 'cow' holds no images"]),
        (lambda root: (root / "cat" / "tom").mkdir(), ["cat'", "holds the folder 'tom'"]),
        (lambda root: write(root / "cow" / "1.png"), ["class 'cow' has 1 examples"]),
        (lambda root: folder_of(root / "train"), ["folder 'cat' stands beside 'train'"]),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, change: Callable[[Path], None], words: list[str]
) -> None:
    root = folder_of(tmp_path / "pets")
    change(root)
    message = refusal(root)
    assert [word for word in [str(root), *words] if word not in message] == []


def test_a_cut_off_image_is_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path, size=(40, 40))
    path = root / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:500])
    assert "3.png" in refusal(root)


def test_folders_without_classes_and_wrong_options(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no images found (nothing)" in refusal(tmp_path / "empty")
    for number in range(6):
        write(tmp_path / "flat" / f"{number}.png")
    assert "one folder for each class" in refusal(tmp_path / "flat")
    root = folder_of(tmp_path / "pets")
    assert "--image-size: got '0'" in refusal(root, image_size="0")
    assert "--image-size: got 'big'" in refusal(root, image_size="big")
    assert "--label-column is nothing for data" in refusal(root, label_column="x")
    assert "class 'cat' is not one of" in refusal(root, classes=["cow", "dog"])
    folder_of(tmp_path / "official" / "train")
    write(tmp_path / "official" / "test" / "cow" / "1.png")
    assert "the test has class 'cow'" in refusal(tmp_path / "official")


def test_images_inside_a_table(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "pets")
    files = sorted(root.rglob("*.png"))
    stored = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    columns = {"image": stored, "label": [file.parent.name for file in files]}
    pq.write_table(pa.table(columns), tmp_path / "pets.parquet")
    view = load(tmp_path / "pets.parquet")
    assert view.input_shape == (1, 5, 6)
    np.testing.assert_array_equal(view.train.inputs, load(root).train.inputs)
    columns["image"][3] = {"bytes": None, "path": "gone.png"}
    pq.write_table(pa.table(columns), tmp_path / "holes.parquet")
    message = refusal(tmp_path / "holes.parquet")
    assert "column 'image', row 3" in message and "gone.png" in message

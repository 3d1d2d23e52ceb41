"""Images of all depths and kinds: different values stay different, and nothing goes black."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, load_view, open_test

RNG = np.random.default_rng(0)
SIZE = (5, 6)


def load(root: Path, **options: Any) -> DataView:
    return load_view(DataSpec(str(root), options=options))


def raw_of(view: DataView) -> np.ndarray:
    return view.train.inputs * view.scale + view.mean


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def deep_png(path: Path, pixels: np.ndarray) -> None:
    """A PNG of 16 bits for each of the channels, [height, width, channels]."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def save(path: Path, pixels: np.ndarray, mode: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png" and pixels.ndim == 3 and pixels.dtype == np.uint16:
        deep_png(path, pixels)
    else:
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(path)


def folder_of(root: Path, pixels: list[np.ndarray], ending: str = ".png", mode: str = "") -> Path:
    for number, each in enumerate(pixels):
        save(root / "ab"[number % 2] / f"{number}{ending}", each, mode)
    return root


def deep(highest: int, kind: Any, channels: tuple[int, ...] = ()) -> list[np.ndarray]:
    found = [RNG.integers(0, highest + 1, (*SIZE, *channels)).astype(kind) for _ in range(10)]
    found[0][0, 0] = highest
    return found


@pytest.mark.parametrize("highest", [1, 255, 400, 4095, 65535])
@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
def test_sixteen_bits_keep_their_values(
    tmp_path: Path, highest: int, channels: tuple[int, ...]
) -> None:
    pixels = deep(highest, np.uint16, channels)
    for each in pixels:
        if channels in ((2,), (4,)):
            each[..., -1] = 65535  # opaque
    folder_of(tmp_path, pixels)
    raw = raw_of(load(tmp_path))
    assert raw.shape[1] == (3 if channels in ((3,), (4,)) else 1)
    kept = np.stack(pixels).reshape(10, *SIZE, -1)[..., : raw.shape[1]]
    stored = {each.tobytes() for each in np.moveaxis(kept, -1, 1).astype(np.uint16)}
    assert {each.tobytes() for each in np.rint(raw).astype(np.uint16)} <= stored
    assert any(f"up to {highest}, are kept" in note for note in load(tmp_path).notes)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 65535, 65536, 2_000_000], np.int32),
        ([-1000, 7], np.int32),
        ([0.0, 1.5, 3.5], np.float32),
    ],
)
def test_thirty_two_bits_and_floats_keep_their_values(
    tmp_path: Path, values: list[float], kind: Any
) -> None:
    pixels = [RNG.choice(np.array(values, kind), SIZE) for _ in range(10)]
    raw = raw_of(load(folder_of(tmp_path, pixels, ".tif")))
    np.testing.assert_allclose(np.unique(np.round(raw, 1)), sorted(values), atol=0.2)


def test_one_bright_pixel_darkens_nothing(tmp_path: Path) -> None:
    pixels = deep(100, np.uint16)
    pixels[0][0, 0] = 65535
    assert np.unique(np.rint(raw_of(load(folder_of(tmp_path, pixels))))).size > 60


def test_eight_and_twelve_bits_get_one_scale_that_is_kept(tmp_path: Path, log: Any) -> None:
    white8, white12 = np.full(SIZE, 255, np.uint8), np.full(SIZE, 4095, np.uint16)
    black = np.zeros(SIZE, np.uint8)
    folder_of(tmp_path / "train", [white8, white12, black] * 4)
    folder_of(tmp_path / "test", [white12, white8, white8, white12])
    view = load(tmp_path)
    assert np.unique(np.rint(raw_of(view))).tolist() == [0, 4095]
    assert view.options["white"] == 4095
    (note,) = (each for each in view.notes if "bits" in each)
    assert "6 of 16" in note and "255 of the others becomes 4095" in note
    spec = DataSpec(str(tmp_path), options=view.options)
    again = load_view(spec)
    assert again.fingerprint == view.fingerprint
    assert np.unique(open_test(spec, log, again.fingerprint).inputs).size == 1, "one white"
    other = folder_of(tmp_path / "other", [white8, black] * 6)
    (other / "a" / "6.png").rename(other / "b" / "6.png")
    assert np.unique(np.rint(raw_of(load(other, **view.options)))).tolist() == [0, 4095]
    assert "white: got 'no'" in refusal(other, white="no")


def drawn(inside: tuple[int, ...], outside: tuple[int, ...]) -> list[np.ndarray]:
    """Squares in several places of one colour and opacity, on another."""
    pixels = []
    for number in range(10):
        each = np.tile(np.array(outside, np.uint8), (*SIZE, 1))
        each[number % 4, number % 5] = inside
        pixels.append(each)
    return pixels


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_lies_below_transparency_is_not_seen(tmp_path: Path, mode: str) -> None:
    root = folder_of(tmp_path, drawn((0, 0, 0, 255), (0, 0, 0, 0)), ".png", mode)
    view = load(root)
    assert np.unique(np.rint(raw_of(view))).tolist() == [0, 255]
    assert view.options["background"] == "white"
    assert any("10 of 10 have transparent parts" in note for note in view.notes)
    message = refusal(root, background="black")
    assert "every input is the same" in message


def test_half_transparent_parts_are_mixed_with_what_lies_behind(tmp_path: Path) -> None:
    root = folder_of(tmp_path, drawn((0, 0, 0, 255), (100, 100, 100, 128)))
    assert np.unique(np.rint(raw_of(load(root)))).tolist() == [0, 177]
    raw = raw_of(load(root, background="black"))
    assert np.unique(np.rint(raw)).tolist() == [0, 50]


def test_deep_transparency_too(tmp_path: Path) -> None:
    pixels = [np.zeros((*SIZE, 4), np.uint16) for _ in range(10)]
    for number, each in enumerate(pixels):
        each[number % 4, number % 5] = (1000, 2000, 4095, 65535)
    raw = np.rint(raw_of(load(folder_of(tmp_path, pixels))))
    assert [np.unique(raw[:, c]).tolist() for c in range(3)] == [
        [1000, 4095],
        [2000, 4095],
        [4095],
    ]


def test_opaque_images_with_opacity_are_as_without(tmp_path: Path) -> None:
    pixels = deep(255, np.uint8, (4,))
    for each in pixels:
        each[..., 3] = 255
    with_opacity = load(folder_of(tmp_path / "with", pixels))
    without = load(folder_of(tmp_path / "without", [each[..., :3].copy() for each in pixels]))
    assert with_opacity.fingerprint == without.fingerprint
    assert with_opacity.notes == ()


def test_black_and_white_palettes_and_print_colours_are_read(tmp_path: Path) -> None:
    pixels = deep(255, np.uint8, (3,))
    assert load(folder_of(tmp_path / "1", pixels, ".png", "1")).input_shape == (1, *SIZE)
    for mode, ending in (("P", ".gif"), ("CMYK", ".jpg"), ("YCbCr", ".jpg")):
        view = load(folder_of(tmp_path / mode, pixels, ending, mode))
        assert view.input_shape == (3, *SIZE)
        assert np.unique(view.train.inputs).size > 12


def test_images_that_are_all_the_same_teach_nothing(tmp_path: Path) -> None:
    message = refusal(folder_of(tmp_path, [np.full(SIZE, 7, np.uint8)] * 10))
    assert str(tmp_path) in message and "every input is the same" in message


def test_images_of_one_colour_are_counted(tmp_path: Path) -> None:
    pixels = [np.full(SIZE, n, np.uint8) for n in range(9)] + deep(255, np.uint8)[:1]
    notes = load(folder_of(tmp_path, pixels)).notes
    assert any("of 6 training images are of one colour throughout" in note for note in notes)


def test_resizing_keeps_the_depth(tmp_path: Path) -> None:
    root = folder_of(tmp_path, [np.full(SIZE, 100 * n, np.uint16) for n in range(1, 11)])
    raw = np.rint(raw_of(load(root, image_size="3")))
    assert raw.shape[1:] == (1, 3, 3)
    assert set(np.unique(raw)) <= {100 * n for n in range(1, 11)}


def test_a_file_of_several_pictures_is_told(tmp_path: Path) -> None:
    root = folder_of(tmp_path, deep(255, np.uint8), ".tif")
    pages = [Image.fromarray(each) for each in deep(255, np.uint8)]
    pages[0].save(root / "a" / "0.tif", save_all=True, append_images=pages[1:3])
    (note,) = load(root).notes
    assert "1 of 10 files hold several" in note


def a_pipe(path: Path) -> str:
    os.mkfifo(path)
    return "a pipe"


def a_socket(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path may have some 100 characters only
        opened.bind(path.name)
        os.chdir(here)
    return "a socket"


def a_device(path: Path) -> str:
    path.symlink_to("/dev/zero")
    return "a device"


def a_loop(path: Path) -> str:
    path.symlink_to(path.name)
    return "cannot be read"


def a_lost_link(path: Path) -> str:
    path.symlink_to("gone.png")
    return "cannot be read"


def a_bomb(path: Path) -> str:
    Image.new("1", (20_000, 20_000)).save(path)
    return "more than the 89 million pixels"


def a_smaller_bomb(path: Path) -> str:
    Image.new("1", (10_000, 10_000)).save(path)
    return "more than the 89 million pixels"


def a_program(path: Path) -> str:
    Image.new("L", (5, 5)).save(path, format="EPS")
    return "EPS is not read"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "make",
    [a_pipe, a_socket, a_device, a_loop, a_lost_link, a_bomb, a_smaller_bomb, a_program],
)
def test_what_is_no_plain_image_is_refused(tmp_path: Path, make: Any) -> None:
    root = folder_of(tmp_path, deep(255, np.uint8))
    said = make(root / "a" / "odd.png")
    message = refusal(root)
    assert "odd.png" in message and said in message


@pytest.mark.timeout(20)
def test_folders_that_hold_themselves_are_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "pets", deep(255, np.uint8))
    (root / "a" / "again").symlink_to(root)
    assert "holds the folder 'again'" in refusal(root)
    (root / "a" / "again").unlink()
    (root / "train").symlink_to(root)
    assert "'" in refusal(root)


def deep_tiff(pixels: np.ndarray, planes: int = 1, photometric: int = 2) -> bytes:
    """A TIFF of 16 bits for each channel, [height, width, channels], in one or several planes."""
    height, width, channels = pixels.shape
    content = (pixels if planes == 1 else np.moveaxis(pixels, -1, 0)).astype("<u2").tobytes()
    strips = 1 if planes == 1 else channels
    entries = {256: width, 257: height, 259: 1, 262: photometric, 277: channels, 278: height}
    entries |= {284: planes}
    lists = {258: [16] * channels, 273: [], 279: [len(content) // strips] * strips}
    start = 8 + 2 + 12 * (len(entries) + len(lists)) + 4
    places, lists_at = b"", {}
    for tag, values in lists.items():
        lists_at[tag] = start + len(places)
        places += struct.pack(f"<{max(1, len(values) or strips)}I", *(values or [0] * strips))
    first = start + len(places)
    offsets = [first + n * len(content) // strips for n in range(strips)]
    at = lists_at[273] - start
    packed = struct.pack(f"<{strips}I", *offsets)
    places = places[:at] + packed + places[at + len(packed) :]
    lists[273] = offsets
    directory = b""
    for tag in sorted({**entries, **lists}):
        if tag in entries:
            directory += struct.pack("<HHIHH", tag, 3, 1, entries[tag], 0)
        else:
            values = lists[tag]
            where = values[0] if len(values) == 1 else lists_at[tag]
            directory += struct.pack("<HHII", tag, 4, len(values), where)
    count = struct.pack("<H", len(entries) + len(lists))
    return b"II*\0" + struct.pack("<I", 8) + count + directory + bytes(4) + places + content


@pytest.mark.parametrize("highest", [200, 65535])
def test_deep_colour_in_tiff(tmp_path: Path, highest: int) -> None:
    pixels = deep(highest, np.uint16, (3,))
    for number, each in enumerate(pixels):
        path = tmp_path / "ab"[number % 2] / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(deep_tiff(each))
    raw = np.rint(raw_of(load(tmp_path)))
    assert raw.max() <= highest and np.unique(raw).size > 90
    path.write_bytes(deep_tiff(pixels[0], planes=2))
    assert "in one plane, alone; convert it" in refusal(tmp_path)


def test_deep_colour_where_its_low_bits_cannot_be_had_is_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path, deep(255, np.uint8, (3,)))
    values = RNG.integers(0, 200, (*SIZE, 3)).astype(">u2").tobytes()
    (root / "a" / "deep.ppm").write_bytes(b"P6 6 5 4095\n" + values)
    assert "deep.ppm': colour of more than 8 bits" in refusal(root)
    pixels = RNG.integers(0, 200, (*SIZE, 4)).astype(np.uint16)
    (root / "a" / "deep.ppm").rename(root / "a" / "print.tif")
    (root / "a" / "print.tif").write_bytes(deep_tiff(pixels, photometric=5))
    assert "print.tif': colour of more than 8 bits" in refusal(root)


def test_a_white_beyond_all_numbers_is_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path, deep(255, np.uint8))
    for white in (1e30, -1, True, "inf", "nan", None):
        assert "white: got" in refusal(root, white=white)

"""One encoded image: what it is, and its pixels as numbers."""

from __future__ import annotations

import io
import struct
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError

GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "F")
LARGEST_OF_8_BITS = 255

_TURNED = 0x0112  # the EXIF tag that says how the camera was held
_UNSIGNED, _SAMPLE_FORMAT, _BITS = 1, 339, 258  # TIFF's tags, and a value of the first
_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2, as Pillow has it for 8 bits
_DAMAGED = (ArithmeticError, LookupError, TypeError, struct.error)
# Where the high byte of a number of 16 bits lies; read the other way round, Pillow gives the low.
_OTHER_BYTE = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}

Item = tuple[str, Path | bytes]
"""An image's name for messages, and its file or its bytes."""


@dataclass(frozen=True)
class Head:
    """What is known of an image before it is decoded.

    Attributes:
        size: height and width.
        mode: Pillow's name for its kind of pixels.
        deep: whether its numbers have more than 8 bits.
        one_of_many: whether the file holds more pictures than the first, which is read.
    """

    size: tuple[int, int]
    mode: str
    deep: bool
    one_of_many: bool


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image's numbers as they are stored.

    Attributes:
        values: [height, width, channels].
        opacity: from 0 to 1, [height, width]; None where no part is transparent.
    """

    values: NDArray[Any]
    opacity: NDArray[Any] | None


@dataclass(frozen=True)
class _Stored:
    """How a file has an image: Pillow's raw mode, and what follows from it."""

    raw_mode: str
    is_deep: bool
    known: bool  # whether all of its bits can be had
    unsigned: bool
    one_of_many: bool


def head_of(item: Item) -> Head:
    """An image's head, without decoding it.

    Raises:
        InputError: it is no image, a damaged one, or one of very many pixels.
    """
    with _opened(item) as (image, stored):
        if stored.is_deep and not stored.known:
            raise InputError(
                f"{item[0]}: colour of more than 8 bits is read from PNG, and from TIFF as RGB in "
                "one plane, alone; convert it."
            )
        mode = "LA" if stored.raw_mode.startswith("LA") else image.mode
        return Head((image.height, image.width), mode, stored.is_deep, stored.one_of_many)


def shallow_pixels(
    item: Item, size: tuple[int, ...], color: str, background: str
) -> tuple[NDArray[np.uint8], bool]:
    """The pixels of an image of 8 bits, [channels, height, width].

    Args:
        item: the image.
        size: the height and width that it gets.
        color: `grey` or `rgb`.
        background: what lies behind transparent parts, `white` or `black`.

    Returns:
        The pixels, and whether some part was transparent.
    """
    from PIL import Image

    with _opened(item) as (image, _):
        see_through = False
        if image.has_transparency_data:
            layers = image.convert("RGBA")
            see_through = layers.getchannel("A").getextrema()[0] < LARGEST_OF_8_BITS
            if see_through:
                behind = Image.new("RGBA", layers.size, background)
                image = Image.alpha_composite(behind, layers)
        flat = image.convert("L" if color == "grey" else "RGB")
        if (flat.height, flat.width) != size:
            flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(flat)
    return pixels[np.newaxis] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0), see_through


def deep_pixels(item: Item) -> Pixels:
    """The numbers of an image of more than 8 bits, all of them as they are stored."""
    with _opened(item) as (image, stored):
        mode = image.mode
        if mode in GREY:
            values = np.asarray(image)
            if stored.unsigned:
                values = values.view(np.uint32)
            return _with_hole(values[:, :, np.newaxis], image)
        high = np.asarray(image).astype(np.uint16)
    kind, _, order = stored.raw_mode.partition(";")
    if kind == "LA":
        return _with_opacity(_grey_with_opacity(item))
    with _opened(item, f"{kind};{_OTHER_BYTE[order]}") as (image, _):
        values = high << 8 | np.asarray(image)
        return _with_opacity(values) if mode == "RGBA" else _with_hole(values, image)


def as_wanted(
    pixels: Pixels, size: tuple[int, ...], color: str, behind: float
) -> NDArray[np.float64]:
    """Deep pixels in a size and colour, [channels, height, width].

    Args:
        pixels: as they are stored.
        size: height and width.
        color: `grey` or `rgb`.
        behind: the number that lies behind transparent parts.
    """
    values = pixels.values
    if pixels.opacity is not None:
        opacity = pixels.opacity[:, :, np.newaxis]
        values = opacity * values + (1.0 - opacity) * behind
    if values.shape[:2] != size:
        values = _resized(values, size)
    if color == "grey" and values.shape[2] == 3:
        values = (values @ np.array(_LUMA))[:, :, np.newaxis]
    if color == "rgb" and values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    return np.moveaxis(values, -1, 0).astype(np.float64)


@contextmanager
def _opened(item: Item, raw_mode: str = "") -> Iterator[tuple[Any, _Stored]]:
    """An image, upright; decoded as if it were stored in another raw mode, if one is named."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    name, content = item
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)
            with image:
                if image.format == "EPS":  # Pillow would hand it to another program
                    raise InputError(f"{name}: EPS is not read; convert it to PNG.")
                stored = _stored(image)
                if raw_mode:
                    image.tile = [_in_raw_mode(tile, raw_mode) for tile in image.tile]
                # Cameras store how they were held instead of turning the picture.
                turned = image.getexif().get(_TURNED, 1) != 1
                yield (ImageOps.exif_transpose(image) if turned else image), stored
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: cannot be read as an image; mend or remove it.") from error
    except bombs as error:
        most = Image.MAX_IMAGE_PIXELS or 0
        raise InputError(
            f"{name}: has more than the {most / 1e6:.0f} million pixels that are read in one "
            "image; shrink or remove it."
        ) from error
    # What Pillow's readers raise on damaged files has no common base.
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, *_DAMAGED) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{name}: cannot be read as an image ({reason}); mend or remove it."
        ) from error


def _stored(image: Any) -> _Stored:
    """Read before anything is decoded: afterwards Pillow knows no more of it."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0].args if tiles else ()
    listed = arguments if isinstance(arguments, tuple) else (arguments,)
    raw_mode, many = str(listed[0]) if listed else "", bool(getattr(image, "is_animated", False))
    kind, _, order = raw_mode.partition(";")
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS) or (8,)
    known = order in _OTHER_BYTE and (
        kind in ("RGB", "RGBA") or (kind == "LA" and image.format == "PNG")
    )
    deepest = listed[1] if image.format == "PPM" and len(listed) > 1 else 0
    grey = image.mode[0] in "IF"
    is_deep = grey or order.startswith("16") or max(bits) > 8 or int(deepest) > LARGEST_OF_8_BITS
    unsigned = image.mode == "I" and bits == (32,) and _is_unsigned(tags)
    return _Stored(raw_mode, is_deep, known or grey, unsigned, many)


def _in_raw_mode(tile: Any, raw_mode: str) -> Any:
    arguments = tile.args
    changed = (raw_mode, *arguments[1:]) if isinstance(arguments, tuple) else raw_mode
    return tile._replace(args=changed)


def _grey_with_opacity(item: Item) -> NDArray[Any]:
    """Grey and opacity of 16 bits each: the four bytes of a pixel, read as if they were four."""
    with _opened(item, "RGBA") as (image, _):
        stored = np.asarray(image).astype(np.uint16)
    return stored[:, :, ::2] << 8 | stored[:, :, 1::2]


def _with_opacity(stored: NDArray[Any]) -> Pixels:
    """Divides the last channel off, which is opacity."""
    opacity = stored[:, :, -1] / np.iinfo(np.uint16).max
    return Pixels(stored[:, :, :-1], None if opacity.min() == 1.0 else opacity)


def _with_hole(values: NDArray[Any], image: Any) -> Pixels:
    """Values of which one may stand for nothing, as PNG has it."""
    nothing = image.info.get("transparency")
    if not isinstance(nothing, int | tuple):
        return Pixels(values, None)
    opaque = (values != np.array(nothing)).any(axis=2)
    return Pixels(values, None if opaque.all() else opaque.astype(np.float64))


def _is_unsigned(tags: Any) -> bool:
    return int((tags.get(_SAMPLE_FORMAT) or (_UNSIGNED,))[0]) == _UNSIGNED


def _resized(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.float32]:
    from PIL import Image

    channels = [
        np.asarray(
            Image.fromarray(values[:, :, channel].astype(np.float32)).resize(
                (size[1], size[0]), Image.Resampling.BILINEAR
            )
        )
        for channel in range(values.shape[2])
    ]
    return np.stack(channels, axis=2)

"""Encoded images: decoded, made one size and one colour mode."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data._options import names, one_of, option

_MOST_VALUES = 2**31
_GREY = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I")

Item = tuple[str, Path | bytes]
"""An image's name for messages, and its file or its bytes."""


def _size(flag: str, given: Any) -> tuple[int, ...]:
    if isinstance(given, int) and not isinstance(given, bool):
        given = f"{given}"
    if isinstance(given, list | tuple):
        given = "x".join(map(str, given))
    match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", str(given))
    height, width = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not height or not width:
        raise InputError(f"{flag}: got {given!r}, expected a size such as 32, or HEIGHTxWIDTH.")
    return height, width


@dataclass(frozen=True)
class ImageOptions:
    """How images are read."""

    image_size: tuple[int, ...] = option(
        (), _size, "one size for all: N for N x N, or HEIGHTxWIDTH; needed where sizes differ"
    )
    color: str = option(
        "auto",
        one_of("auto", "grey", "rgb"),
        "`grey` or `rgb`; `auto` is grey where all images are",
    )


@dataclass(frozen=True)
class FolderOptions:
    """What a folder of images has besides."""

    classes: tuple[str, ...] = option((), names, "the classes in their order; found if not given")


@dataclass(frozen=True)
class Pictures:
    """Images as arrays.

    Attributes:
        parts: uint8 [n, channels, height, width] for each part that was asked for.
        chosen: the options with which the same arrays come out again.
        notes: what was made of them.
    """

    parts: list[NDArray[Any]]
    chosen: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def read_images(parts: Sequence[Sequence[Item]], where: str, options: ImageOptions) -> Pictures:
    """Reads images; all of them get the same size and colour mode.

    Raises:
        InputError: one is damaged, sizes differ and none was chosen, or they are too many.
    """
    items = [item for part in parts for item in part]
    heads = [_head(*item) for item in items]
    notes: list[str] = []
    size = _one_size(items, [head[0] for head in heads], where, options, notes)
    color = _one_color([head[1] for head in heads], options, notes)
    values = len(items) * size[0] * size[1] * (1 if color == "grey" else 3)
    if values > _MOST_VALUES:
        raise InputError(
            f"{where}: {len(items)} images of {size[0]}x{size[1]} are {4 * values / 2**30:.0f} "
            f"GiB, more than the {4 * _MOST_VALUES / 2**30:.0f} that are loaded at once; a "
            "smaller --image-size fits."
        )
    arrays = [_stacked(part, size, color) for part in parts]
    return Pictures(arrays, {"image_size": list(size), "color": color}, notes)


def _opened(name: str, stored: Path | bytes) -> Any:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(stored) if isinstance(stored, bytes) else stored)
        # Cameras store how they were held instead of turning the picture.
        return ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: cannot be read as an image; mend or remove it.") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{name}: cannot be read as an image ({reason}); mend or remove it.")


def _head(name: str, stored: Path | bytes) -> tuple[tuple[int, int], str]:
    """Height and width, and the colour mode, without decoding."""
    with _opened(name, stored) as image:
        if image.mode == "F":
            raise InputError(f"{name}: images of floating-point numbers are not read; use .npz.")
        return (image.height, image.width), image.mode


def _one_size(
    items: Sequence[Item],
    sizes: Sequence[tuple[int, int]],
    where: str,
    options: ImageOptions,
    notes: list[str],
) -> tuple[int, ...]:
    counted = Counter(sizes).most_common()
    if options.image_size:
        resized = sum(size != options.image_size for size in sizes)
        if resized:
            height, width = options.image_size
            notes.append(f"images: {resized} of {len(sizes)} resized to {height}x{width}")
        return options.image_size
    if not counted:
        return (1, 1)
    if len(counted) == 1:
        return counted[0][0]
    (height, width), _ = counted[0]
    listed = ", ".join(f"{h}x{w} ({count})" for (h, w), count in counted[:3])
    odd = items[next(i for i, size in enumerate(sizes) if size != (height, width))][0]
    more = f" and {len(counted) - 3} more" if len(counted) > 3 else ""
    raise InputError(
        f"{where}: the images (height x width) have {len(counted)} sizes, {listed}{more}, such as "
        f"{odd}; --image-size {height} (or HEIGHTxWIDTH) makes them one."
    )


def _one_color(modes: Sequence[str], options: ImageOptions, notes: list[str]) -> str:
    if options.color != "auto":
        return options.color
    grey = sum(mode in _GREY for mode in modes)
    if grey == len(modes):
        return "grey"
    if grey:
        notes.append(
            f"images: {grey} of {len(modes)} are grey, the others in colour; all are read as RGB "
            "(--data-option color=grey for the other way)"
        )
    return "rgb"


def _stacked(items: Sequence[Item], size: tuple[int, ...], color: str) -> NDArray[Any]:
    channels = 1 if color == "grey" else 3
    result = np.empty((len(items), channels, *size), dtype=np.uint8)
    for row, (name, stored) in enumerate(items):
        result[row] = _decoded(name, stored, size, color)
    return result


def _decoded(name: str, stored: Path | bytes, size: tuple[int, ...], color: str) -> NDArray[Any]:
    from PIL import Image

    with _opened(name, stored) as image:
        try:
            if image.mode.startswith("I"):  # 16 bits; Pillow would clip them to 8
                deep = np.asarray(image).astype(np.int64)
                image = Image.fromarray(np.clip(deep >> 8, 0, 255).astype(np.uint8))
            flat = image.convert("L" if color == "grey" else "RGB")
            if (flat.height, flat.width) != size:
                flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise _damaged(name, error) from error
    pixels = np.asarray(flat)
    return pixels[np.newaxis] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)

"""Encoded images: decoded, made one size, one colour mode and one scale."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.options import names, one_of, option
from trainables.data.pixels import (
    GREY,
    LARGEST_OF_8_BITS,
    Head,
    Item,
    as_wanted,
    deep_pixels,
    head_of,
    shallow_pixels,
)

_MOST_VALUES = 2**31
_MOST_WHITE = 2**53


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


def _white(flag: str, given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(given, bool) or not 0 < number <= _MOST_WHITE:
        raise InputError(f"{flag}: got {given!r}, expected a number above 0, such as 65535.")
    return int(number) if number.is_integer() else number


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
    background: str = option(
        "white", one_of("white", "black"), "what lies behind the transparent parts of images"
    )
    white: float = option(
        0,
        _white,
        "the number that is white where images have more than 8 bits, for the scale of those "
        "that have 8; found if not given",
    )


@dataclass(frozen=True)
class FolderOptions:
    """What a folder of images has besides."""

    classes: tuple[str, ...] = option((), names, "the classes in their order; found if not given")


@dataclass(frozen=True)
class Pictures:
    """Images as arrays.

    Attributes:
        parts: [n, channels, height, width] for each part that was asked for: uint8, or another
            type of numbers if some image has more than 8 bits.
        chosen: the options with which the same arrays come out again.
        notes: what was made of them.
    """

    parts: list[NDArray[Any]]
    chosen: dict[str, Any]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Scale:
    """One scale for the numbers of all images: the number that is white, and their type."""

    white: float
    type: Any


def read_images(parts: Sequence[Sequence[Item]], where: str, options: ImageOptions) -> Pictures:
    """Reads images; all of them get the same size, colour mode and scale.

    Images of more than 8 bits keep their numbers as they are. Where others stand beside them, the
    white of those, 255, becomes the white of all.

    Raises:
        InputError: one is damaged, sizes differ and none was chosen, or they are too many.
    """
    items = [item for part in parts for item in part]
    heads = [head_of(item) for item in items]
    notes: list[str] = []
    size = _one_size(items, [head.size for head in heads], where, options, notes)
    color = _one_color([head.mode for head in heads], options, notes)
    values = len(items) * size[0] * size[1] * (1 if color == "grey" else 3)
    if values > _MOST_VALUES:
        raise InputError(
            f"{where}: {len(items)} images of {size[0]}x{size[1]} are {4 * values / 2**30:.0f} "
            f"GiB, more than the {4 * _MOST_VALUES / 2**30:.0f} that are loaded at once; a "
            "smaller --image-size fits."
        )
    many = sum(head.one_of_many for head in heads)
    if many:
        notes.append(f"images: {many} of {len(items)} files hold several; the first is read")
    scale = _one_scale(items, heads, options, notes)
    chosen: dict[str, Any] = {"image_size": list(size), "color": color}
    if scale is not None:
        chosen["white"] = scale.white
    reading, heads_left = _Reading(size, color, options.background, scale), iter(heads)
    arrays = [reading.stacked([(item, next(heads_left)) for item in part]) for part in parts]
    if reading.transparent:
        chosen["background"] = options.background
        other = "black" if options.background == "white" else "white"
        notes.append(
            f"images: {reading.transparent} of {len(items)} have transparent parts, which become "
            f"{options.background} (--data-option background={other} for the other way)"
        )
    return Pictures(arrays, chosen, notes)


@dataclass
class _Reading:
    """How all images are read, and how many were found to be transparent."""

    size: tuple[int, ...]
    color: str
    background: str
    scale: _Scale | None
    transparent: int = 0

    def stacked(self, images: Sequence[tuple[Item, Head]]) -> NDArray[Any]:
        """The images of one part, [n, channels, height, width]."""
        channels = 1 if self.color == "grey" else 3
        kind = np.uint8 if self.scale is None else self.scale.type
        result = np.empty((len(images), channels, *self.size), dtype=kind)
        for row, (item, head) in enumerate(images):
            values = self._deep(item) if head.deep else self._shallow(item)
            rounded = values.dtype.kind == "f" and result.dtype.kind != "f"
            result[row] = np.rint(values) if rounded else values
        return result

    def _deep(self, item: Item) -> NDArray[Any]:
        assert self.scale is not None
        pixels = deep_pixels(item)
        self.transparent += pixels.opacity is not None
        behind = self.scale.white if self.background == "white" else 0.0
        return as_wanted(pixels, self.size, self.color, behind)

    def _shallow(self, item: Item) -> NDArray[Any]:
        values, see_through = shallow_pixels(item, self.size, self.color, self.background)
        self.transparent += see_through
        if self.scale is None or self.scale.white == LARGEST_OF_8_BITS:
            return values
        return values * (self.scale.white / LARGEST_OF_8_BITS)


def _one_scale(
    items: Sequence[Item], heads: Sequence[Head], options: ImageOptions, notes: list[str]
) -> _Scale | None:
    """The scale of all images; None where all have 8 bits and nothing else was asked for."""
    deep = [item for item, head in zip(items, heads, strict=True) if head.deep]
    if not deep:
        white = options.white
        return _Scale(white, _type_for(0.0, white, white != int(white))) if white else None
    low = high = 0.0
    fractions = False
    for item in deep:
        values = deep_pixels(item).values
        fractions |= values.dtype.kind == "f"
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        low = min(low, float(finite.min(initial=0)))
        high = max(high, float(finite.max(initial=0)))
    white = options.white or _whitest(high, fractions)
    said = f"images: {len(deep)} of {len(items)} have more than 8 bits; their values, up to "
    said += f"{high:.10g}, are kept"
    if len(deep) < len(items):
        said += f", and 255 of the others becomes {white:.10g}"
        said += " (--data-option white= for another number)"
    notes.append(said)
    return _Scale(white, _type_for(low, max(high, white), fractions or white != int(white)))


def _whitest(high: float, fractions: bool) -> float:
    """The number that white most likely is: 255, 511 and so on up to 2^n - 1, or 1."""
    if fractions and high <= 1.0:
        return 1
    return max(LARGEST_OF_8_BITS, (1 << math.ceil(high).bit_length()) - 1)


def _type_for(low: float, high: float, fractions: bool) -> Any:
    """The smallest type that holds all numbers as they are."""
    if fractions:
        return np.float32
    kinds = (np.uint8, np.uint16, np.int32, np.int64)
    return next(k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max)


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
    grey = sum(mode in GREY for mode in modes)
    if grey == len(modes):
        return "grey"
    if grey:
        notes.append(
            f"images: {grey} of {len(modes)} are grey, the others in colour; all are read as RGB "
            "(--data-option color=grey for the other way)"
        )
    return "rgb"

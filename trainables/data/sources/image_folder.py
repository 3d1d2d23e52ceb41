"""Folders of images, one folder a class."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np

from search_spaces.errors import InputError
from trainables.data.images import FolderOptions, ImageOptions, read_images
from trainables.data.labels.labels import shortened
from trainables.data.labels.unlabelled import without_labels
from trainables.data.pixels import Item
from trainables.data.regular_file import require_regular
from trainables.data.source import RawData, RawExamples, Source

_SUFFIXES = frozenset(
    ".png .jpg .jpeg .jpe .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm".split()
)
_TRAIN = ("train", "training")
_TEST = ("test", "testing")
_VALIDATION = ("val", "valid", "validation", "dev")
_UNLABELLED = ("unlabelled", "unlabeled")
_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass
class _Found:
    """Images by class, and what else was there."""

    images: dict[str, list[Path]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)

    def add(self, other: _Found) -> None:
        for name, files in other.images.items():
            self.images[name] = [*self.images.get(name, []), *files]
        self.others += other.others


@final
class ImageFolder(Source):
    """A folder of images with a sub-folder for each class, or train/ and test/ with these in them.

    test/ is the official, sealed test; where there is none, val/ is, and beside test/ it joins the
    training part. The folders' names are the classes; unlabelled/ holds images of no class. PNG,
    JPEG, BMP, GIF (first frame), WebP, TIFF and PNM are read; hidden files are ignored, other
    files left out, and that is said.
    """

    takes = (ImageOptions, FolderOptions)
    last_resort = True

    @classmethod
    def addresses(cls) -> str:
        return "FOLDER/ of images"

    @classmethod
    def claims(cls, address: str) -> bool:
        return bool(address) and os.path.isdir(Path(address).expanduser())

    @property
    def name(self) -> str:
        assert self.path is not None
        return self.path.absolute().name

    def load(self) -> RawData:
        root, notes = self.path, list[str]()
        assert root is not None
        parts, loose = _parts(root, notes)
        for found in parts:
            _check(found, root)
        others = [file for found in (*parts, loose) for file in found.others]
        if others:
            listed = shortened([str(file.relative_to(root)) for file in others], 3)
            notes.append(f"left out, since they are no images: {listed}")
        wanted = self._chosen(FolderOptions).classes
        items = [_items(found.images) for found in (*parts, loose)]
        pictures = read_images(items, f"'{root}'", self._chosen(ImageOptions))
        *known, unknown = pictures.parts
        examples = [
            RawExamples(
                pixels,
                np.array([name for name, files in found.images.items() for _ in files], np.str_),
                f"'{root}'",
                f"'{root}', folder names",
            )
            for pixels, found in zip(known, parts, strict=True)
        ]
        named = ", ".join(f"'{root / name}'" for name in loose.images)
        return RawData(
            examples[0],
            examples[1] if len(examples) > 1 else None,
            classes=wanted,
            options={**pictures.chosen, "classes": []},
            notes=(*notes, *pictures.notes),
            unlabelled=without_labels(unknown, named) if len(unknown) else None,
        )


def _items(images: Mapping[str, list[Path]]) -> list[Item]:
    return [(f"'{file}'", file) for files in images.values() for file in files]


def _parts(root: Path, notes: list[str]) -> tuple[list[_Found], _Found]:
    """The training part and, if it has one, the official test; and what has no class."""
    inside = {folder.name.lower(): folder for folder in _folders(root)}
    train, test, validation, unlabelled = (
        next((inside[name] for name in names if name in inside), None)
        for names in (_TRAIN, _TEST, _VALIDATION, _UNLABELLED)
    )
    loose = _Found() if unlabelled is None else _of_no_class(unlabelled)
    if train is None or not _folders(train):
        return [_classes_in(root, unlabelled)], loose
    within = next((each for each in _folders(train) if each.name.lower() in _UNLABELLED), None)
    if within is not None:
        loose.add(_of_no_class(within))
    for other in sorted(set(inside.values()) - {train, test, validation, unlabelled}):
        raise InputError(
            f"'{root}': the folder '{other.name}' stands beside '{train.name}' and is no class; "
            f"move it into '{train.name}' or away."
        )
    found = _classes_in(train, within)
    found.others += [file for file in _files(root)]
    if test is not None and validation is not None:
        found.add(_classes_in(validation))
        notes.append(f"{validation.name}/ joins {train.name}/, {test.name}/ is the sealed test")
    official = test or validation
    if official is None:
        notes.append(f"only {train.name}/ is there, so the test is split off it")
        return [found], loose
    if test is None:
        notes.append(f"{official.name}/ is the sealed test")
    return [found, _classes_in(official)], loose


def _of_no_class(folder: Path) -> _Found:
    """The images of a folder and of the folders in it, as one group called like the folder."""
    found, waiting, seen = _Found(), [folder], set[tuple[int, int]]()
    for place in waiting:
        status = place.stat()
        if (status.st_dev, status.st_ino) in seen:
            raise InputError(f"'{place}': a link to a folder that it lies in; remove it.")
        seen.add((status.st_dev, status.st_ino))
        waiting += _folders(place)
        images = _files(place, images=True)
        for file in images:
            require_regular(file, f"'{file}'")
        found.add(_Found({folder.name: images}, _files(place, images=False)))
    return found


def _classes_in(folder: Path, besides: Path | None = None) -> _Found:
    """The images of a folder by class, but for a folder of those that have none."""
    classes = [each for each in _folders(folder) if each != besides]
    found = _Found(others=_files(folder, images=False))
    loose = _files(folder, images=True)
    if loose and not classes:
        raise InputError(
            f"'{folder}': holds images, such as {loose[0].name}, but no folders; expected one "
            "folder for each class."
        )
    if loose:
        raise InputError(
            f"'{loose[0]}': an image outside the folders of the classes; move it into one."
        )
    for below in classes:
        deeper = _folders(below)
        if deeper:
            raise InputError(
                f"'{below}': holds the folder '{deeper[0].name}' where images were expected; "
                "expected one folder for each class, with or without train/ and test/ above."
            )
        found.images[below.name] = _files(below, images=True)
        for file in found.images[below.name]:
            require_regular(file, f"'{file}'")
        found.others += _files(below, images=False)
    return found


def _check(found: _Found, root: Path) -> None:
    if not any(found.images.values()):
        there = shortened([str(file.relative_to(root)) for file in found.others], 3) or "nothing"
        raise InputError(
            f"'{root}': no images found ({there}); expected one folder of images for each "
            f"class ({', '.join(sorted(_SUFFIXES))})."
        )
    for name, files in found.images.items():
        if not files:
            raise InputError(
                f"'{root}': the folder of class '{name}' holds no images; fill or remove it."
            )


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.is_dir()]


def _files(folder: Path, images: bool | None = None) -> list[Path]:
    files = [entry for entry in _visible(folder) if not entry.is_dir()]
    if images is None:
        return files
    return [file for file in files if (file.suffix.lower() in _SUFFIXES) is images]


def _visible(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"'{folder}': cannot be read ({error.strerror}).") from error
    return [folder / n for n in names if not n.startswith(".") and n.lower() not in _JUNK]

"""What a data source is: a class that loads raw arrays from one place or one kind of file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.errors import InputError
from trainables.data.blocks import Block
from trainables.data.options import read_options
from trainables.data.regular_file import require_regular

Options = TypeVar("Options")


@dataclass(frozen=True, eq=False)
class RawExamples:
    """Examples as a source stores them.

    Attributes:
        inputs: [n, ...], numbers.
        labels: [n], whole numbers or strings.
        inputs_name: where the inputs are, for messages: the file, and the key or column.
        labels_name: where the labels are, for messages.
        columns: the names of the features, if they have any.
        blocks: which column gives how many of them, if they are of a table.
        noisy_labels: [n], labels of the same classes that may be wrong, where there are such.
        noisy_labels_name: where they are, for messages.
        difficulty: [n], numbers: how hard the user takes each example to be.
        difficulty_name: where they are, for messages.
        texts: [n], the text that inputs were made of; None where it is missing.
        missing: bool [n], which labels are missing; None if none is, or if the labels say so
            themselves, being NaN or empty.
        missing_hint: what to do if they are none, for messages.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    inputs_name: str
    labels_name: str
    columns: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    noisy_labels: NDArray[Any] | None = None
    noisy_labels_name: str = ""
    difficulty: NDArray[Any] | None = None
    difficulty_name: str = ""
    texts: Sequence[str | None] | None = None
    missing: NDArray[np.bool_] | None = None
    missing_hint: str = ""

    def take(self, rows: NDArray[np.bool_]) -> RawExamples:
        """Those of the examples that are marked, [n]."""
        arrays: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("inputs", "labels", "noisy_labels", "difficulty", "missing")
        }
        texts = self.texts
        if texts is not None:
            texts = [text for text, taken in zip(texts, rows, strict=True) if taken]
        return replace(self, **arrays, texts=texts)


@dataclass(frozen=True)
class PublishedClassSplit:
    """Which classes others validate and test on; all that are not named are trained on.

    Attributes:
        name: what the split is called.
        validation: names of classes.
        test: names of classes.
        note: what to know before results are compared.
    """

    name: str
    validation: tuple[str, ...]
    test: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, eq=False)
class RawData:
    """All that a source holds.

    Attributes:
        examples: everything, or the official training part where there is an official test.
        official_test: the test examples that the data set's makers set aside.
        unlabelled: examples of which no label is known; what stands for theirs means nothing.
        class_names: the name of class i, for labels that are numbers from 0.
        class_split: a published division of all classes, the official test's among them; of no use
            by itself where some that it names are missing.
        class_groups: what the groups of classes called GROUP/CLASS are.
        turned_classes: whether few-shot learning by custom takes each class turned by 90, 180
            and 270 degrees for three classes more.
        mirror_keeps_class: whether an image and its mirror image are of one class, as of clothes
            and not of digits; None where nobody has said.
        classes: the classes that there have to be, in their order; empty if any will do.
        options: the options with which this very data is loaded again, guesses made certain. With
            a key `classes` in it, the classes that are found are put there.
        notes: sentences on what was guessed or left out.
        similar_classes: which class others took for which in asymmetric noise, by name.
        missing_as_mean: whether values that are missing become the training part's mean.
    """

    examples: RawExamples
    official_test: RawExamples | None = None
    class_names: tuple[str, ...] | None = None
    class_split: PublishedClassSplit | None = None
    class_groups: str = "groups"
    turned_classes: bool = False
    mirror_keeps_class: bool | None = None
    classes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    similar_classes: Mapping[str, str] = field(default_factory=dict)
    missing_as_mean: bool = False
    unlabelled: RawExamples | None = None

    def resolved(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """The options, with the classes that were found if they belong there."""
        found = dict(self.options)
        return {**found, "classes": list(classes)} if "classes" in found else found


class Source(ABC):
    """One data source; a module of this package holds exactly one, named like the module.

    Args:
        address: where the user says the data is; a named source can do without.
        options: how it is to be read.

    Attributes:
        takes: the dataclasses whose fields are this source's options.
        last_resort: whether it is asked only about what no other source claims.
    """

    takes: ClassVar[tuple[type, ...]] = ()
    last_resort: ClassVar[bool] = False

    def __init__(self, address: str = "", options: Mapping[str, Any] | None = None) -> None:
        self.address = address
        self.path = Path(address).expanduser() if address else None
        self._given = dict(options or {})
        self._options = read_options(self.takes, self._given, self.name)

    def _chosen(self, kind: type[Options]) -> Options:
        """The options of one of the kinds that it takes."""
        chosen: Options = self._options[kind]
        return chosen

    @property
    def name(self) -> str:
        """What the data set is called in reports."""
        return self.path.name if self.path else self.module_name()

    @classmethod
    def module_name(cls) -> str:
        """The name of the source itself."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def addresses(cls) -> str:
        """How the addresses look that it claims, for messages."""
        return cls.module_name()

    @classmethod
    def claims(cls, address: str) -> bool:
        """True if this source is the one to load what is at `address`."""
        return False

    @classmethod
    def located(cls, address: str) -> str:
        """The same address, but one that means the same in any working directory."""
        path = Path(address).expanduser()
        return str(path.absolute()) if os.path.exists(path) else address

    @abstractmethod
    def load(self) -> RawData:
        """Reads the raw arrays.

        Raises:
            InputError: the data is missing, unreadable or not in the form this source reads.
        """


class FileSource(Source):
    """A source that reads any file with a certain suffix."""

    suffixes: ClassVar[tuple[str, ...]]

    @classmethod
    def addresses(cls) -> str:
        return ", ".join(f"*{suffix}" for suffix in cls.suffixes)

    @classmethod
    def claims(cls, address: str) -> bool:
        return address.lower().endswith(cls.suffixes)

    def load(self) -> RawData:
        assert self.path is not None
        if os.path.isdir(self.path) or not os.path.lexists(self.path):
            raise InputError(f"data file '{self.path}': there is no such file.")
        require_regular(self.path, f"data file '{self.path}'")
        return self._read(self.path)

    @abstractmethod
    def _read(self, path: Path) -> RawData:
        """Reads an existing file."""


def unreadable(path: Path, error: Exception, expected: str) -> InputError:
    """The error for a file that is damaged or is not what its name says."""
    reason = " ".join(str(error)[:1000].split()) or type(error).__name__
    reason = reason if len(reason) <= 300 else f"{reason[:300]}…"
    return InputError(f"data file '{path}': cannot be read as {expected}: {reason}")

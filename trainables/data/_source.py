"""What a data source is: a class that loads raw arrays from one place or one kind of file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from search_spaces.errors import InputError


@dataclass(frozen=True, eq=False)
class RawExamples:
    """Examples as a source stores them.

    Attributes:
        inputs: [n, ...], numbers.
        labels: [n], whole numbers or strings.
        inputs_name: where the inputs are, for messages: the file, and the key or column.
        labels_name: where the labels are, for messages.
        columns: the names of the features, if they have any.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    inputs_name: str
    labels_name: str
    columns: tuple[str, ...] = ()


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
        class_names: the name of class i, for labels that are numbers from 0.
        class_split: a published division of all classes, the official test's among them.
        class_groups: what the groups of classes called GROUP/CLASS are.
        turned_classes: whether few-shot learning by custom takes each class turned by 90, 180
            and 270 degrees for three classes more.
    """

    examples: RawExamples
    official_test: RawExamples | None = None
    class_names: tuple[str, ...] | None = None
    class_split: PublishedClassSplit | None = None
    class_groups: str = "groups"
    turned_classes: bool = False


class Source(ABC):
    """One data source; a module of this package holds exactly one, named like the module.

    Args:
        path: where the user says the data is; a named source can do without.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """What the data set is called in reports."""
        module = type(self).__module__.rpartition(".")[2]
        return self.path.name if self.path else module.replace("_", "-")

    @classmethod
    def claims(cls, path: Path) -> bool:
        """Whether this source is the one to load `path`."""
        return False

    @abstractmethod
    def load(self) -> RawData:
        """Reads the raw arrays.

        Raises:
            InputError: the data is missing, unreadable or not in the form this source reads.
        """


class FileSource(Source):
    """A source that reads any file with a certain suffix."""

    suffix: ClassVar[str]

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = path

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.suffix.lower() == cls.suffix

    def load(self) -> RawData:
        if not self._file.is_file():
            raise InputError(f"data file '{self._file}': there is no such file.")
        return self._read(self._file)

    @abstractmethod
    def _read(self, path: Path) -> RawData:
        """Reads an existing file."""


def unreadable(path: Path, error: Exception, expected: str) -> InputError:
    """The error for a file that is damaged or is not what its name says."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"data file '{path}': cannot be read as {expected}: {reason}")

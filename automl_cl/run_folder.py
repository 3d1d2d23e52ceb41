"""A run folder: what is where in it, and that nothing in it is written over."""

from __future__ import annotations

import os
import time
from itertools import chain, count
from pathlib import Path

from search_spaces import InputError

RUNS = Path("runs")


class RunFolder:
    """The folder of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "search.yaml"
        self.journal = path / "journal.jsonl"
        self.checkpoints = path / "checkpoints"
        self.trials = path / "trials.parquet"
        self.verdict = path / "verdict.json"
        self.tuned = path / "tuned.yaml"
        self.report = path / "report.html"
        self.studies = path / "optuna.jsonl"
        self.tensorboard = path / "tensorboard"
        self.stop_file = path / ".stop"

    @staticmethod
    def place(path: Path | None) -> Path:
        """Where a run folder goes that was given as a path, or not at all."""
        return RUNS / "new" if path is None else path

    @staticmethod
    def require_free(path: Path | None) -> None:
        """Refuses a folder that holds anything, before time is spent on what would go there.

        Raises:
            InputError: if the path is a file, a folder that is not empty, or cannot be made.
        """
        path = RunFolder.place(path)
        try:
            if path.exists():
                _require_empty(path)
            place = next(each for each in (path, *path.absolute().parents) if each.exists())
        except OSError as error:
            raise InputError(f"--output: cannot make {path}: {error.strerror}.") from error
        if not place.is_dir():
            raise InputError(f"--output: cannot make {path}: {place} is not a folder.")
        if not os.access(place, os.W_OK | os.X_OK):
            raise InputError(f"--output: cannot make {path}: {place} cannot be written to.")

    @classmethod
    def create(cls, path: Path | None, name: str) -> RunFolder:
        """A new, empty run folder; without a path, one under `runs/` named by the time.

        Raises:
            InputError: if the folder exists and is not empty, or cannot be made.
        """
        if path is None:
            path = _unused(RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}")
        cls.require_free(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--output: cannot make {path}: {error.strerror}.") from error
        return cls(path.absolute())

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """A run folder that a search made.

        Raises:
            InputError: if it is not one.
        """
        if not path.exists():
            raise InputError(f"run folder {path}: there is no such folder.")
        folder = cls(path.absolute())
        for needed in (folder.spec, folder.journal):
            if not needed.is_file():
                raise InputError(f"{path} is not a run folder: it has no {needed.name}.")
        return folder

    def of_trial(self, number: int) -> Path:
        """Where a trial's checkpoints are."""
        return self.checkpoints / f"{number:06d}"


def _require_empty(path: Path) -> None:
    if not path.is_dir():
        raise InputError(f"--output: {path} is a file; name a new folder.")
    if any(path.iterdir()):
        raise InputError(f"--output: {path} is there already and not empty; name a new folder.")


def _unused(path: Path) -> Path:
    """The path, with a number after it if there is something already."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(each for each in chain([path], numbered) if not each.exists())


def write_whole(path: Path, content: str) -> None:
    """Writes a text file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)

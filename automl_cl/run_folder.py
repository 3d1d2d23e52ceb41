"""A run folder: what is where in it, and that nothing in it is written over."""

from __future__ import annotations

import os
import time
from pathlib import Path

from search_spaces import InputError


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
        self.tensorboard = path / "tensorboard"
        self.stop_file = path / ".stop"

    @staticmethod
    def require_free(path: Path | None) -> None:
        """Refuses a folder that holds anything, before time is spent on what would go there.

        Raises:
            InputError: if the path is a file, or a folder that is not empty.
        """
        if path is not None and path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise InputError(
                f"--output: {path} is there already and not empty; name a new folder."
            )

    @classmethod
    def create(cls, path: Path | None, name: str) -> RunFolder:
        """A new, empty run folder; without a path, one under `runs/` named by the time.

        Raises:
            InputError: if the folder exists and is not empty, or cannot be made.
        """
        if path is None:
            path = Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
            if path.exists():
                path = path.with_name(f"{path.name}-{os.getpid()}")
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
        folder = cls(path.absolute())
        for needed in (folder.spec, folder.journal):
            if not needed.is_file():
                raise InputError(f"{path} is not a run folder: it has no {needed.name}.")
        return folder

    def of_trial(self, number: int) -> Path:
        """Where a trial's checkpoints are."""
        return self.checkpoints / f"{number:06d}"


def write_whole(path: Path, content: str) -> None:
    """Writes a text file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)

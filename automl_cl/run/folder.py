"""A run folder: what is where in it, and that nothing in it is written over.

It may be at a URI. The files that the driver alone makes are then made in a working folder on this
machine, and put there whole by `publish`; journal and checkpoints are written there directly.
"""

from __future__ import annotations

import atexit
import os
import shlex
import time
from itertools import chain, count
from pathlib import Path

from search_spaces import InputError
from trainables.foundation.storage import (
    Place,
    RemotePath,
    StorageError,
    place,
    require_writable,
    writing,
)
from trainables.foundation.temporary import make_folder, remove_folder

RUNS = Path("runs")
_READ_BACK = ("search.yaml", "tuned.yaml", "optuna.jsonl")
_BOARDS = "tensorboard"


class RunFolder:
    """The folder of one search.

    Attributes:
        place: where it is; what users know it by.
        path: the same on a disk, the working folder of one at a URI.
    """

    def __init__(self, where: Place) -> None:
        self.place = where
        self.path = where if isinstance(where, Path) else _working_folder()
        path = self.path
        self.spec = path / "search.yaml"
        self.journal = where / "journal.jsonl" if isinstance(where, Path) else where / "journal"
        self.checkpoints = where / "checkpoints"
        self.trials = path / "trials.parquet"
        self.verdict = path / "verdict.json"
        self.tuned = path / "tuned.yaml"
        self.report = path / "report.html"
        self.studies = path / "optuna.jsonl"
        self.tensorboard = path / _BOARDS
        self.failures = path / "failures"
        self.stop_file = where / ".stop"
        self._published: dict[Path, float] = {}

    def __str__(self) -> str:
        return str(self.place)

    @staticmethod
    def given(output: str | Place | None) -> Place:
        """Where a run folder goes that was given, or not at all."""
        return RUNS / "new" if output is None else place(output, "--output")

    @staticmethod
    def require_free(output: str | Place | None) -> None:
        """Refuses a folder that holds anything, before time is spent on what would go there.

        Raises:
            InputError: if the path is a file, a folder that is not empty, or cannot be made.
        """
        path = RunFolder.given(output)
        if isinstance(path, RemotePath):
            _require_free_prefix(path)
            return
        try:
            if path.exists():
                _require_empty(path)
            above = next(each for each in (path, *path.absolute().parents) if each.exists())
        except OSError as error:
            raise InputError(f"--output: cannot make {path}: {error.strerror}.") from error
        if not above.is_dir():
            raise InputError(f"--output: cannot make {path}: {above} is not a folder.")
        if not os.access(above, os.W_OK | os.X_OK):
            raise InputError(f"--output: cannot make {path}: {above} cannot be written to.")

    @classmethod
    def create(cls, output: str | Place | None, name: str) -> RunFolder:
        """A new, empty run folder; if none is given, one under `runs/` named by the time.

        Raises:
            InputError: if the folder exists and is not empty, or cannot be made.
        """
        if output is None:
            output = _unused(RUNS / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}")
        cls.require_free(output)
        path = place(output)
        if isinstance(path, RemotePath):
            return cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / "journal.jsonl").unlink(missing_ok=True)  # see `_is_unbegun`
        except OSError as error:
            raise InputError(f"--output: cannot make {path}: {error.strerror}.") from error
        return cls(path.absolute())

    @classmethod
    def existing(cls, run: str | Place) -> RunFolder:
        """A run folder that a search made.

        Raises:
            InputError: if it is not one.
        """
        path = place(run, "run folder")
        if isinstance(path, RemotePath):
            return cls._existing_at(path)
        if not path.exists():
            raise InputError(f"run folder {path}: there is no such folder.")
        folder = cls(path.absolute())
        if _is_unbegun(path):
            raise _unbegun(path)
        for needed in (folder.spec, path.absolute() / "journal.jsonl"):
            if not needed.is_file():
                raise InputError(f"{path} is not a run folder: it has no {needed.name}.")
        return folder

    @classmethod
    def _existing_at(cls, path: RemotePath) -> RunFolder:
        try:
            there = {each.base_name for each in path.entries(patient=False)}
        except StorageError as error:
            raise InputError(f"run folder {path}: {error.strerror}.") from error
        if not there:
            raise InputError(f"run folder {path}: there is no such folder.")
        if _is_unbegun_at(there):
            raise _unbegun(path)
        for needed in ("search.yaml", "journal"):
            if needed not in there:
                raise InputError(f"{path} is not a run folder: it has no {needed}.")
        folder = cls(path)
        for name in _READ_BACK:
            if name in there:
                (folder.path / name).write_bytes((path / name).read_bytes())
        if _BOARDS in there:
            # An empty folder says that this trial's log has been written.
            for each in (path / _BOARDS).entries():
                (folder.tensorboard / each.base_name).mkdir(parents=True, exist_ok=True)
        folder._published = folder._on_disk()
        return folder

    def publish(self) -> None:
        """Puts the files that are new or have changed where the run is, if that is a URI."""
        if isinstance(self.place, Path):
            return
        for path, changed in self._on_disk().items():
            if self._published.get(path) != changed:
                (self.place / path.as_posix()).write_bytes((self.path / path).read_bytes())
                self._published[path] = changed

    def _on_disk(self) -> dict[Path, float]:
        """The finished files of the working folder, with when each was changed."""
        found = (each for each in self.path.rglob("*") if each.is_file())
        times = {each.relative_to(self.path): each.stat().st_mtime_ns for each in found}
        drafts = {path for path in times if any(part[0] == "." for part in path.parts)}
        return {path: when for path, when in times.items() if path not in drafts}

    def shown(self, file: Path) -> Place:
        """Where users find one of its files."""
        if isinstance(self.place, Path) or not file.is_relative_to(self.path):
            return file
        return self.place / file.relative_to(self.path).as_posix()

    def traceback_of(self, number: int) -> Path:
        """Where the traceback of a trial is kept that failed."""
        return self.failures / f"{number:06d}.txt"

    def keep_traceback(self, number: int, text: str | None) -> None:
        """Keeps what Python said of a trial that failed, if it said anything."""
        if text is not None:
            self.failures.mkdir(exist_ok=True)
            write_whole(self.traceback_of(number), text)

    def of_trial(self, number: int) -> Place:
        """Where a trial's checkpoints are.

        Raises:
            InputError: if a link leads out of the run folder there.
        """
        return self._inside(self.checkpoints / f"{number:06d}")

    def checkpoint(self, number: int, noted: str) -> Place:
        """A trial's checkpoint or weights that the journal names.

        Whatever path it names, they are in the trial's folder: the run may have been moved.

        Raises:
            InputError: if a link leads out of the run folder there.
        """
        return self._inside(self.of_trial(number) / name_of(noted))

    def _inside(self, found: Place) -> Place:
        if isinstance(found, Path) and not found.resolve().is_relative_to(self.path.resolve()):
            raise InputError(f"{found} leads out of the run folder {self}.")
        return found


def _working_folder() -> Path:
    path = make_folder("run")
    atexit.register(remove_folder, path)
    return path


def name_of(address: str) -> str:
    """The last part of a path or URI, as a name that leads nowhere else."""
    return place(address).name.replace("..", "") or "unnamed"


def _require_free_prefix(path: RemotePath) -> None:
    if not path.path:
        raise InputError(f"--output: got '{path}', expected a folder in it: {path}NAME.")
    try:
        there = {each.base_name for each in path.entries(patient=False)}
        taken = bool(there) and not _is_unbegun_at(there)
    except StorageError as error:
        raise InputError(f"--output: cannot make {path}: {error.strerror}.") from error
    if taken:
        raise InputError(f"--output: {path} is there already and not empty; name a new folder.")
    require_writable(path, "--output")


def _require_empty(path: Path) -> None:
    if not path.is_dir():
        raise InputError(f"--output: {path} is a file; name a new folder.")
    if any(path.iterdir()) and not _is_unbegun(path):
        raise InputError(f"--output: {path} is there already and not empty; name a new folder.")


def _is_unbegun(path: Path) -> bool:
    """True if a search made this folder, and was killed before the first event of its journal.

    A journal or its lock is what tells: a `search.yaml` alone may be somebody's own.
    """
    journal, lock = path / "journal.jsonl", path / "journal.jsonl.lock"
    if not path.is_dir() or not (journal.is_file() or lock.is_file()):
        return False
    ours = ("search.yaml", journal.name, lock.name)
    if any(e.name not in ours and not e.name.startswith(".search.yaml.") for e in path.iterdir()):
        return False
    return not journal.exists() or (journal.is_file() and b"\n" not in journal.read_bytes())


def _is_unbegun_at(names: set[str]) -> bool:
    """The same of what is in a folder at a URI."""
    return "journal.lock" in names and names <= {"search.yaml", "journal.lock"}


def _unbegun(path: Place) -> InputError:
    spec = path / "search.yaml"
    known = isinstance(spec, Path) and spec.is_file()
    search = f"--from {shlex.quote(str(spec))}" if known else "…"
    again = f"automl-cl search {search} --output {shlex.quote(str(path))}"
    return InputError(
        f"run folder {path}: its search ended before it had begun, so there is nothing to go on "
        f"with; begin it again: {again}"
    )


def _unused(path: Path) -> Path:
    """The path, with a number after it if there is something already."""
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(each for each in chain([path], numbered) if not each.exists())


def write_whole(path: Path, content: str) -> None:
    """Writes a text file whole or not at all."""
    with writing(path) as file:
        file.write(content.encode())

"""A search made ready to be shipped to a cluster: itself, our code, the files that it names."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl_cl.spec.search_spec import SearchSpec
from automl_cl.spec.trust import trust_flag
from cluster.connection import package_folder
from search_spaces import InputError
from trainables.foundation.storage import is_uri, place
from trainables.foundation.temporary import temporary_folder
from trainables.foundation.user_code import is_address

PACKAGES = ("automl_cl", "trainables", "search_spaces", "cluster")
SPEC = "automl_cl.search.yaml"
# Settings that can name files; the others never do, whatever lies in the folder.
_WITH_PATHS = ("data", "data_options", "model", "settings", "space", "warm_start")
_HUB = "hf:"
# A .gitignore would make Ray leave out data that is not under version control.
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".git", ".gitignore", ".venv")


@dataclass(frozen=True)
class Job:
    """A search as a job.

    Attributes:
        spec: the search, all its paths relative to the folder that is shipped.
        root: the user's working folder.
        files: what of it is shipped, relative to it.
        output: the run folder on the cluster.
        command: what is run there, in the shipped folder.
    """

    spec: SearchSpec
    root: Path
    files: tuple[Path, ...]
    output: str
    command: str


def package(spec: SearchSpec, root: Path, ship: Sequence[Path], output: str | None) -> Job:
    """The job that a search comes to.

    Args:
        spec: the search.
        root: the working folder; nothing outside it is shipped.
        ship: files and folders in it to ship besides those that the spec names.
        output: the run folder on the cluster; None for a new one in its home folder.

    Raises:
        InputError: a path leaves the working folder or is not there, or the output is no absolute
            path.
    """
    if spec.history is not None and not is_uri(spec.history):
        raise InputError(
            "history: a search on a cluster keeps its history beside its run folder, or at a "
            "URI: leave it out, and name the run folder with --output."
        )
    inside = _Inside(root.resolve())
    given = spec.to_dict()
    moved = {name: inside.moved(given[name], name) for name in _WITH_PATHS}
    for each in ship:
        inside.add(inside.require(str(each), "--ship"), "--ship")
    place = _place(output, spec)
    home, rest = ('"$HOME"/', place[2:]) if place.startswith("~/") else ("", place)
    search = f"python -m automl_cl search --from {SPEC} --address auto"
    # Whoever submits has named the code or trusted it: there, the file alone names it.
    command = f"{search}{trust_flag(spec)} --output {home}{shlex.quote(rest)}"
    return Job(replace(spec, **moved), inside.root, tuple(inside.files), place, command)


@contextmanager
def shipped_with(job: Job) -> Iterator[Path]:
    """The folder to ship, as long as it is entered."""
    with temporary_folder("job") as temporary:
        folder = temporary / "shipped"
        folder.mkdir()
        for name in PACKAGES:
            shutil.copytree(package_folder(name), folder / name, ignore=_LEFT_OUT)
        for path in job.files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            source = job.root / path
            if source.is_dir():
                shutil.copytree(source, folder / path, ignore=_LEFT_OUT, dirs_exist_ok=True)
            else:
                shutil.copy2(source, folder / path)
        job.spec.write(folder / SPEC)
        yield folder


class _Inside:
    """Paths of a spec, seen from the working folder, which none of them may leave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[Path] = []

    def moved(self, value: Any, where: str) -> Any:
        """A setting with its paths relative to the working folder; what they name is shipped."""
        if isinstance(value, dict):
            return {key: self.moved(each, f"{where}.{key}") for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.moved(each, where) for each in value]
        return self._text(value, where) if isinstance(value, str) and value else value

    def _text(self, text: str, where: str) -> str:
        if is_uri(text):
            return text
        if is_address(text):
            self._add_module(text.partition(":")[0].partition(".")[0], where)
            return text
        prefix = _HUB if text.startswith(_HUB) else ""
        rest = text.removeprefix(prefix)
        pointing = Path(rest).is_absolute() or rest.startswith("~") or ".." in Path(rest).parts
        if not pointing and not _there(self.root / rest):
            return text  # a name, or a word of some other kind
        path = self.require(rest, where)
        if path != Path("."):  # the folder itself is where own modules are looked for
            self.add(path, where)
        return f"{prefix}{path}"

    def require(self, text: str, where: str) -> Path:
        """A path inside the working folder, relative to it."""
        path = (self.root / Path(text).expanduser()).resolve()
        if not path.is_relative_to(self.root):
            raise InputError(
                f"{where}: '{text}' is outside the working folder {self.root}, and only what is "
                "in it is shipped: move it there, or submit from a folder above it."
            )
        if not path.exists():
            raise InputError(f"{where}: '{text}': there is no such file or folder.")
        return path.relative_to(self.root)

    def add(self, path: Path, where: str) -> None:
        """Notes that something is shipped, after a look at where its links lead."""
        if path == Path("."):
            raise InputError(f"{where}: name what is to be shipped of {self.root}, not all of it.")
        for each in (self.root / path).rglob("*"):
            if each.is_symlink():
                self.require(str(each), where)
        if path not in self.files:
            self.files.append(path)

    def _add_module(self, name: str, where: str) -> None:
        """A module of the user's own is shipped if it is here; else it is installed there."""
        for found in (Path(name), Path(f"{name}.py")):
            if (self.root / found).exists():
                self.add(self.require(str(found), where), where)


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no path at all, such as a text that is too long
        return False


def _place(output: str | None, spec: SearchSpec) -> str:
    if output is None:
        return f"~/automl-cl-runs/{time.strftime('%Y%m%d-%H%M%S')}-{spec.scenario}"
    if is_uri(output):
        return str(place(output, "--output"))
    if not output.startswith(("/", "~/")):
        raise InputError(
            f"--output: got '{output}', expected an absolute path on the cluster, on a disk that "
            "all its nodes share, such as /shared/runs/first, or a URI."
        )
    return output

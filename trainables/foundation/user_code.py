"""Functions of the user's own, named MODULE:FUNCTION: found, imported and called.

This is the only place that imports what an address names. `guarded` says which of it may be
imported where a file that came from somewhere else does the naming.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import search_spaces
from search_spaces.errors import InputError, unknown_name

ADDRESSES = "MODULE:FUNCTION"
_ADDRESS = re.compile(r"(?!hf:)([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")


def is_address(text: str) -> bool:
    """True if a text is of the form MODULE:FUNCTION."""
    return _ADDRESS.fullmatch(text) is not None


@dataclass(frozen=True)
class Code:
    """Code that something names.

    Attributes:
        address: MODULE:FUNCTION; nothing if only the folder is named.
        folder: where the module is to be looked for first, or nothing.
        what: what the address is given as, such as `--data`.
    """

    address: str
    folder: str = ""
    what: str = "--model"

    def __str__(self) -> str:
        where = f" in {self.folder}" if self.folder else ""
        return f"{self.what} {self.address or 'of any name'}{where}"


def code_in(given: Any) -> list[Code]:
    """The code that configs, spaces or events name, wherever in them.

    A part that runs code holds its address in a field `address`, and the module's folder in a
    field `folder`; a space file may write them as the end of a dotted path.
    """
    found: list[Code] = []
    if is_dataclass(given) and not isinstance(given, type):
        given = vars(given)
    if isinstance(given, Mapping):
        ends = {str(key).rpartition(".")[2]: value for key, value in given.items()}
        folders = [text for text in _texts(ends.get("folder")) if text] or [""]
        addresses = [text for text in _texts(ends.get("address")) if is_address(text)]
        if folders != [""] and "address" not in ends:
            addresses = [""]
        found += [Code(address, folder) for address in addresses for folder in folders]
        found += [each for value in given.values() for each in code_in(value)]
    elif isinstance(given, list | tuple):
        found += [each for value in given for each in code_in(value)]
    return list(dict.fromkeys(found))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    below = value.values() if isinstance(value, Mapping) else value
    return [t for each in below for t in _texts(each)] if isinstance(below, Iterable) else []


@dataclass
class _Guard:
    """Which code may be imported: what is in `known`, by address and folder."""

    origin: str
    how: str
    known: set[tuple[str, str]] = field(default_factory=set)


_guards: list[_Guard] = []


@contextmanager
def guarded(
    origin: str, trusted: bool, named: Iterable[Code] = (), how: str = "--trust-code"
) -> Iterator[None]:
    """Lets no code be imported meanwhile, in the whole process, but what is trusted.

    Args:
        origin: the file that may name code, for messages.
        trusted: whether all code is.
        named: code that the user named, and no file.
        how: what the user says to trust it all.
    """
    if trusted:
        yield
        return
    guard = _Guard(origin, how, {(each.address, each.folder) for each in named})
    _guards.append(guard)
    try:
        yield
    finally:
        _guards.remove(guard)


def refuse_code(found: Iterable[Code], origin: str, how: str = "--trust-code") -> None:
    """Refuses code that a file names.

    Raises:
        InputError: there is some; says what would have been run, and how to allow it.
    """
    shown = list(dict.fromkeys(map(str, found)))
    if not shown:
        return
    more = f", and {len(shown) - 3} more" if len(shown) > 3 else ""
    raise InputError(
        f"{origin} names code to run: {', '.join(shown[:3])}{more}. Nothing of it was imported; "
        f"if you trust it, say {how}."
    )


def _require_trusted(code: Code) -> None:
    for guard in _guards:
        if (code.address, code.folder) not in guard.known:
            refuse_code([code], guard.origin, guard.how)


def _trust_where_found(address: str, asked: str, found: str) -> None:
    """What is trusted by its address alone is trusted where it was found."""
    for guard in _guards:
        if (address, asked) in guard.known:
            guard.known.add((address, found))


class UserFunction:
    """A function that the user named.

    The module is looked for in `folder`, if one is given, in the working directory and wherever
    Python looks (PYTHONPATH).

    Args:
        address: MODULE:FUNCTION.
        folder: where the module was found before, or nothing.
        what: what the address was given as, for messages, such as `--data`.

    Raises:
        InputError: there is no such module or function, or importing the module raises.
    """

    def __init__(self, address: str, folder: str, what: str) -> None:
        self.address, self.what = address, what
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise InputError(f"{what}: got '{address}', expected {ADDRESSES}.")
        _require_trusted(Code(address, folder, what))
        self._module = _imported(match[1], folder, f"{what} {address}")
        functions = [name for name, each in vars(self._module).items() if callable(each)]
        if match[2] not in functions:
            public = [name for name in functions if not name.startswith("_")]
            raise unknown_name(f"function in {what} {address}:", match[2], public)
        self._function: Callable[..., Any] = getattr(self._module, match[2])
        _trust_where_found(address, folder, self.folder)

    @property
    def folder(self) -> str:
        """Where the module is to be looked for; nothing if it is installed."""
        top = sys.modules[self._module.__name__.partition(".")[0]]
        file = getattr(top, "__file__", None)
        if file is None:
            places = list(getattr(top, "__path__", []))
            return str(Path(places[0]).parent) if places else ""
        inside = Path(file).parent.parent if hasattr(top, "__path__") else Path(file).parent
        return "" if inside.is_relative_to(sys.prefix) else str(inside)

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function.

        Raises:
            InputError: it raises; says what, and in which line of which file.
        """
        try:
            return self._function(*arguments)
        except (Exception, SystemExit) as error:
            raise own_fault(f"{self.what} {self.address}", error) from error


def _imported(name: str, folder: str, what: str) -> ModuleType:
    for place in (str(Path.cwd()), folder):
        if place and place not in sys.path and Path(place).is_dir():
            sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise own_fault(what, error) from error
        own = [folder, str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        places = list(dict.fromkeys(Path(place) for place in own if place))
        near = {found.stem for place in places for found in place.glob("*.py")}
        listed = ", ".join(map(str, places))
        unknown = unknown_name(f"module in {listed}:", error.name, near)
        raise InputError(f"{what}: {unknown}") from error
    except (Exception, SystemExit) as error:
        raise own_fault(what, error) from error


def own_fault(what: str, error: BaseException) -> InputError:
    """The error for user code that raised: its own last line, and where it was."""
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError) and error.filename:
        return InputError(f"{what}: {error.filename}:{error.lineno}: {said}")
    fault = user_fault(error)
    return InputError(f"{what}: {said}" if fault is None else f"{what}: {fault[0]}: {said}")


def user_fault(error: BaseException) -> tuple[str, BaseException] | None:
    """Where in the user's own code an error came from, and as what it was raised there.

    Where the user's code called other code that raised, it is the line of that call.

    Returns:
        FILE:LINE and the error, or the one that it was raised from; None if no line of the user's
        is involved.
    """
    source: BaseException | None = error
    while source is not None:
        frames = traceback.extract_tb(source.__traceback__)
        own = [frame for frame in frames if _is_users(frame.filename)]
        # Ours that has a cause only passes it on.
        if own and (source.__cause__ is None or not isinstance(source, InputError)):
            return f"{own[-1].filename}:{own[-1].lineno}", source
        source = source.__cause__
    return None


def _is_users(file: str) -> bool:
    """True if a file is neither ours nor installed nor Python's own."""
    path = Path(file)
    installed = any(part in ("site-packages", "dist-packages") for part in path.parts)
    if installed or not path.is_file():
        return False
    return not any(path.is_relative_to(folder) for folder in _not_users())


@cache
def _not_users() -> list[Path]:
    """The folders of Python's own modules and of ours, which a checkout has beside the user's."""
    here, spaces = Path(__file__).parents[1], Path(search_spaces.__file__).parent
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    python = [Path(sysconfig.get_path(name)) for name in names]
    return [here, spaces, *(here.parent / name for name in ("automl_cl", "cluster")), *python]

"""Functions of the user's own, named MODULE:FUNCTION: found, imported and called."""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from search_spaces.errors import InputError, unknown_name

ADDRESSES = "MODULE:FUNCTION"
_ADDRESS = re.compile(r"(?!hf:)([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")


def is_address(text: str) -> bool:
    """Whether a text is of the form MODULE:FUNCTION."""
    return _ADDRESS.fullmatch(text) is not None


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
        self._module = _imported(match[1], folder, f"{what} {address}")
        functions = [name for name, each in vars(self._module).items() if callable(each)]
        if match[2] not in functions:
            public = [name for name in functions if not name.startswith("_")]
            raise unknown_name(f"function in {what} {address}:", match[2], public)
        self._function: Callable[..., Any] = getattr(self._module, match[2])

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
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_users(frame.filename)]
    if not own:
        return InputError(f"{what}: {said}")
    return InputError(f"{what}: {own[-1].filename}:{own[-1].lineno}: {said}")


def _is_users(file: str) -> bool:
    """Whether a file is neither ours nor installed nor Python's own."""
    path = Path(file)
    ours = path.is_relative_to(Path(__file__).parent)
    return (
        path.is_file()
        and not ours
        and not path.is_relative_to(sys.prefix)
        and (not path.is_relative_to(sys.base_prefix))
    )

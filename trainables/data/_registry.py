"""Finding sources by their place: every public module of this package is one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from search_spaces.errors import InputError, unknown_name
from trainables.data._source import FileSource, Source

_PACKAGE = __name__.rpartition(".")[0]


def data_sources() -> dict[str, type[Source]]:
    """Every source by its name on the command line; the first docstring line describes it."""
    return {module.replace("_", "-"): _source_class(module) for module in _module_names()}


def find_source(source: str, others: Iterable[str] = ()) -> Source:
    """The source for a name or a path.

    Args:
        source: the name or path.
        others: more names that could have been meant.

    Raises:
        InputError: no source has that name or reads such a path.
    """
    module = source.replace("-", "_")
    if module in _module_names():
        named = _source_class(module)
        if issubclass(named, FileSource):
            raise InputError(f"data '{source}': give the path of a file, as *{named.suffix}.")
        return named()
    sources = data_sources()
    path = Path(source).expanduser()
    for candidate in sources.values():
        if candidate.claims(path):
            return candidate(path)
    allowed = [
        f"*{found.suffix}" if issubclass(found, FileSource) else name
        for name, found in sources.items()
    ]
    raise unknown_name("data", source, [*allowed, *others])


def _module_names() -> list[str]:
    places = importlib.import_module(_PACKAGE).__path__
    found = (module.name for module in pkgutil.iter_modules(places))
    return sorted(name for name in found if not name.startswith("_"))


def _source_class(name: str) -> type[Source]:
    module = importlib.import_module(f"{_PACKAGE}.{name}")
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Source) and member.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must hold exactly one Source, it holds {len(found)}")
    return found[0]

"""Finding sources by their place: each module of `sources` is one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from search_spaces.errors import InputError, unknown_name
from trainables.data.source import Source
from trainables.data.spec import DataSpec

_PACKAGE = f"{__package__}.sources"
# Options that say which columns are labels and features, and so what is known of those.
_OF_FEATURES = ("label_column", "feature_columns", "drop_columns", "text_column")


def data_sources() -> dict[str, type[Source]]:
    """Every source by its name on the command line; the first docstring line describes it."""
    return {module.replace("_", "-"): _source_class(module) for module in _module_names()}


def find_source(
    address: str, options: Mapping[str, Any] | None = None, others: Iterable[str] = ()
) -> Source:
    """The source for a name, a path or another address.

    Args:
        address: what the user typed.
        options: the source's options; those not given are at their defaults, or guessed.
        others: more names that could have been meant.

    Raises:
        InputError: no source has that name or claims the address, or an option is none of its.
    """
    module = address.replace("-", "_")
    if module in _module_names():
        named = _source_class(module)
        if named.addresses() != named.module_name():
            raise InputError(f"data '{address}': give the place itself, as {named.addresses()}.")
        return named(options=options)
    claimant = _claimant(address)
    if claimant is not None:
        return claimant(address, options)
    known = [found.addresses() for found in data_sources().values()]
    raise unknown_name("data", address, [*known, *others])


def located(address: str) -> str:
    """A file or folder by its absolute path; every other address as it is."""
    if not address or address.replace("-", "_") in _module_names():
        return address
    return (_claimant(address) or Source).located(address)


def carried_over(
    before: DataSpec | None, given: Mapping[str, Any], address: str
) -> dict[str, Any]:
    """The options for data at another address: as some data was read before, but for the given.

    What is about a file's format is not carried over, nor is what the two sources do not share.
    Where columns are named anew, nothing that was known of the old ones holds.

    Raises:
        InputError: no source claims the address.
    """
    kinds, old = find_source(address).takes, _claimant(before.source) if before else None
    options = before.options if before else {}
    shared = [kind for kind in kinds if old is not None and kind in old.takes]
    known = {each.name: each for kind in shared for each in fields(kind)}
    anew = any(name in _OF_FEATURES for name in given)
    kept = {
        name: value
        for name, value in options.items()
        if name in known
        and known[name].metadata["carried"]
        and not (anew and known[name].metadata["of_columns"])
    }
    return {**kept, **given}


def _claimant(address: str) -> type[Source] | None:
    # False sorts before True: those who are asked last come last.
    asked = sorted(data_sources().values(), key=lambda source: source.last_resort)
    return next((source for source in asked if source.claims(address)), None)


def _module_names() -> list[str]:
    places = importlib.import_module(_PACKAGE).__path__
    return sorted(module.name for module in pkgutil.iter_modules(places))


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

"""Options of data: frozen dataclasses whose fields say how they are read and what they are for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from search_spaces.errors import InputError, unknown_name

FLAGS = ("label_column", "feature_columns", "drop_columns", "image_size")
"""Options that have a flag of their own on the command line; others are `--data-option`s."""

Read = Callable[[str, Any], Any]


def option(
    default: Any, read: Read, what: str, *, carried: bool = True, of_columns: bool = False
) -> Any:
    """A field of a dataclass of options.

    Args:
        default: its value where nobody gave one.
        read: makes the value of what was given, with the option's flag for messages; raises
            InputError.
        what: what the option is for, in half a sentence.
        carried: whether it also says how *other* data is to be read. Otherwise it is about how
            one file is written.
        of_columns: whether it holds only for the columns that it was found with.
    """
    about = {"read": read, "what": what, "carried": carried, "of_columns": of_columns}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=about)
    return dataclasses.field(default=default, metadata=about)


def flag_of(name: str) -> str:
    """How an option is written on the command line."""
    return "--" + name.replace("_", "-") if name in FLAGS else f"--data-option {name}"


def read_options(kinds: Iterable[type], given: Mapping[str, Any], source: str) -> dict[type, Any]:
    """An instance of each dataclass of options, from options of all of them together.

    Raises:
        InputError: an option that the source does not have, or a value that is not allowed.
    """
    known = {field.name: field for kind in kinds for field in dataclasses.fields(kind)}
    for name in given:
        if name not in known:
            raise _unknown_option(name, known, source)
    values = {
        name: known[name].metadata["read"](flag_of(name), value) for name, value in given.items()
    }
    return {
        kind: kind(
            **{f.name: values[f.name] for f in dataclasses.fields(kind) if f.name in values}
        )
        for kind in kinds
    }


def _unknown_option(name: str, known: Mapping[str, Any], source: str) -> InputError:
    if not known:
        return InputError(f"{flag_of(name)}: data '{source}' takes no options.")
    if name in FLAGS:
        allowed = ", ".join(flag_of(each) for each in known)
        return InputError(f"{flag_of(name)} is nothing for data '{source}'; allowed: {allowed}.")
    return unknown_name(f"--data-option of '{source}':", name, known)


def text(flag: str, given: Any) -> str:
    """Any text."""
    if not isinstance(given, str) or not given:
        raise InputError(f"{flag}: got {given!r}, expected a name.")
    return given


def names(flag: str, given: Any) -> tuple[str, ...]:
    """Several names: a list, or text with commas."""
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not all(isinstance(n, str) for n in listed):
        raise InputError(f"{flag}: got {shown(given)}, expected names with commas between them.")
    found = tuple(name.strip() if isinstance(given, str) else name for name in listed)
    if "" in found:
        raise InputError(f"{flag}: a name is empty in {shown(given)}.")
    return _different(flag, found, given)


def marks(flag: str, given: Any) -> tuple[str, ...]:
    """Several texts, as `names`; there may be none, and an empty one says nothing."""
    listed = given.split(",") if isinstance(given, str) else given
    if not isinstance(listed, list | tuple) or not all(isinstance(n, str) for n in listed):
        raise InputError(f"{flag}: got {shown(given)}, expected texts with commas between them.")
    found = tuple(dict.fromkeys(each.strip() for each in listed if each.strip()))
    if sum(map(len, found)) > _LONGEST_MARKS:  # what reads them is made for few
        raise InputError(
            f"{flag}: {len(found):,} texts, of more than {_LONGEST_MARKS:,} characters together, "
            "are too many."
        )
    return found


_LONGEST_MARKS = 2000


def _different(flag: str, found: tuple[str, ...], given: Any) -> tuple[str, ...]:
    seen = set[str]()
    for name in found:
        if name in seen:
            raise InputError(f"{flag}: '{name}' is named twice in {shown(given)}.")
        seen.add(name)
    return found


def shown(given: Any, most: int = 200) -> str:
    """A value for messages, cut if it is long."""
    said = repr(given)
    return said if len(said) <= most else f"{said[:most]}…"


def whole(low: int, high: int) -> Read:
    """A whole number in a range."""

    def read(flag: str, given: Any) -> int:
        number = int(given) if isinstance(given, str) and given.isdecimal() else given
        if type(number) is not int or not low <= number <= high:
            raise InputError(
                f"{flag}: got {given!r}, expected a whole number from {low} to {high}."
            )
        return number

    return read


def one_of(*allowed: str) -> Read:
    """One of some words."""

    def read(flag: str, given: Any) -> str:
        if given not in allowed:
            raise unknown_name(f"value of {flag}:", given, allowed)
        return str(given)

    return read


def categories(flag: str, given: Any) -> dict[str, tuple[str, ...]]:
    """For each column, its categories; the empty text may be one."""
    if not isinstance(given, Mapping):
        raise InputError(
            f"{flag}: got {shown(given)}, expected a mapping of columns to categories."
        )
    found = dict[str, tuple[str, ...]]()
    for column, each in given.items():
        if not isinstance(each, list | tuple) or not all(isinstance(one, str) for one in each):
            raise InputError(
                f"{flag}.{column}: got {shown(each)}, expected a list of texts, numbers in quotes."
            )
        if not each:
            raise InputError(f"{flag}.{column}: the list of categories is empty.")
        found[str(column)] = _different(f"{flag}.{column}", tuple(each), given)
    return found


def plain(value: Any) -> Any:
    """An option's value as YAML and JSON can hold it."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value

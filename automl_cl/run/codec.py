"""Plain values, as JSON gives them, to values of a declared type: each is checked on the way.

Understood are `str`, `bool`, `int`, `float`, `Any`, `Literal`, enumerations, `X | None`, `list`,
`dict` with texts as keys, dataclasses, `TypedDict` (which may hold more than it declares), and
`Annotated` with further checks: functions, or types that the value has to be of as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from enum import Enum
from functools import cache
from types import FunctionType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Reader = Callable[[Any], Any]
SHOWN = 60


class Misfit(ValueError):
    """A value that is not of its type.

    Attributes:
        path: where it stands, from the outermost name on.
        what: what is wrong with it.
    """

    def __init__(self, what: str, path: tuple[str, ...] = ()) -> None:
        self.what, self.path = what, path
        where = "".join(path).replace(": .", ": ").lstrip(".").rstrip(": ")
        super().__init__(f"{where}: {what}" if where else what)

    def inside(self, part: str) -> Misfit:
        """The same, told from one level further out."""
        return Misfit(self.what, (part, *self.path))


def shown(value: object) -> str:
    """A value in a message, cut to a length that can be read."""
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def at_least(low: float) -> Reader:
    """A check for `Annotated`: a number that is not below `low`."""

    def read(value: Any) -> Any:
        if value < low:
            raise _unexpected(f"at least {low:g}", value)
        return value

    return read


def at_most(high: float) -> Reader:
    """A check for `Annotated`: a number that is not above `high`, nor below its negative."""

    def read(value: Any) -> Any:
        if abs(value) > high:
            raise _unexpected(f"at most {high:g} either way", value)
        return value

    return read


def so_many(count: int) -> Reader:
    """A check for `Annotated`: a list of `count` members."""

    def read(value: Any) -> Any:
        if len(value) != count:
            raise _unexpected(f"{count} members", value)
        return value

    return read


def among(*allowed: str) -> Reader:
    """A check for `Annotated`: one of these."""
    return _one_of(allowed)


def _unexpected(expected: str, value: object) -> Misfit:
    return Misfit(f"expected {expected}, got {shown(value)}")


@cache
def reader(kind: Any) -> Reader:
    """What turns a plain value into one of a type, or raises `Misfit`."""
    origin = get_origin(kind)
    if kind is Any:
        return lambda value: value
    if kind in _PLAIN:
        return _plain(kind)
    if origin is Annotated:
        return _annotated(*get_args(kind))
    if origin is Literal:
        return _one_of(get_args(kind))
    if origin in (Union, UnionType):
        return _optional(kind)
    if origin is list:
        return _list(reader(get_args(kind)[0]))
    if origin is dict:
        return _dict(reader(get_args(kind)[1]))
    if is_typeddict(kind):
        return _typed_dict(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    return _dataclass(kind)


_PLAIN: dict[Any, tuple[str, tuple[type, ...]]] = {
    str: ("a text", (str,)),
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (float, int)),
}


def _plain(kind: Any) -> Reader:
    expected, allowed = _PLAIN[kind]

    def read(value: Any) -> Any:
        if type(value) not in allowed or value in (math.inf, -math.inf):
            raise _unexpected(expected, value)
        return value

    return read


def _annotated(kind: Any, *more: Any) -> Reader:
    first = reader(kind)
    checks = [each if isinstance(each, FunctionType) else reader(each) for each in more]

    def read(value: Any) -> Any:
        value = first(value)
        for check in checks:
            check(value)
        return value

    return read


def _one_of(allowed: tuple[Any, ...]) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise _unexpected(f"one of {', '.join(allowed)}", value)
        return allowed[allowed.index(value)]

    return read


def _enum(kind: type[Enum]) -> Reader:
    check = _one_of(tuple(str(each.value) for each in kind))
    return lambda value: kind(check(value))


def _optional(kind: Any) -> Reader:
    (some,) = (each for each in get_args(kind) if each is not NoneType)
    inner = reader(some)
    return lambda value: None if value is None else inner(value)


def _list(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise _unexpected("a list", value)
        found: list[Any] = []
        try:
            for each in value:
                found.append(inner(each))
        except Misfit as misfit:
            raise misfit.inside(f"[{len(found)}]") from None
        return found

    return read


def _dict(inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected("a mapping", value)
        name = ""
        try:
            found = {}
            for name, each in value.items():
                found[name] = inner(each)
        except Misfit as misfit:
            raise misfit.inside(f".{name}") from None
        return found

    return read


def _typed_dict(kind: Any) -> Reader:
    hints = get_type_hints(kind, include_extras=True)
    inner = {name: reader(_without_marks(hint)) for name, hint in hints.items()}
    required = [name for name, hint in hints.items() if get_origin(hint) is not NotRequired]

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected("a mapping", value)
        for name in required:
            if name not in value:
                raise Misfit("it is missing", (f".{name}",))
        for name, each in value.items():
            if name in inner:
                _inside(name, inner[name], each)
        return value

    return read


def _without_marks(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is NotRequired else hint


def _inside(name: str, inner: Reader, value: Any) -> Any:
    try:
        return inner(value)
    except Misfit as misfit:
        raise misfit.inside(f".{name}") from None


def _dataclass(kind: Any) -> Reader:
    """Reads a mapping of exactly the fields; those with a default may be missing.

    A class may name others, which are passed over, in `passed_over`.
    """
    hints = get_type_hints(kind, include_extras=True)
    known = [each for each in fields(kind) if get_origin(hints[each.name]) is not ClassVar]
    inner = {each.name: reader(hints[each.name]) for each in known}
    required = [each.name for each in known if _is_required(each)]
    passed_over = frozenset(getattr(kind, "passed_over", ()))

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected("a mapping", value)
        for name in required:
            if name not in value:
                raise Misfit("it is missing", (f".{name}",))
        given = {}
        for name, each in value.items():
            if name in inner:
                given[name] = _inside(name, inner[name], each)
            elif name not in passed_over:
                raise Misfit(f"there is no such field{_nearest(name, inner)}", (f".{name}",))
        return kind(**given)

    return read


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _nearest(name: str, known: Any) -> str:
    found = get_close_matches(str(name), list(known), 1)
    return f"; did you mean '{found[0]}'?" if found else ""

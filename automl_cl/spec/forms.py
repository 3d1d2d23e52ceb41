"""Forms of a setting's value: how it is read, the same from command line, file and Python.

Nothing slow is imported until a value is read, because `--help` lists the settings too.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NoReturn

_DURATION = re.compile(r"(?:\d+(?:\.\d*)?[dhms])+")
_UNIT_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


class Form(ABC):
    """What a value looks like; `None` never comes here unless a form says so."""

    parameter: ClassVar[Any] = str
    """As what the command line hands it over."""
    takes_none: ClassVar[bool] = False

    @abstractmethod
    def read(self, given: Any, flag: str) -> Any:
        """The value as a spec holds it; what was read before comes back the same.

        Raises:
            InputError: if it is not allowed.
        """


def refuse(flag: str, given: Any, expected: str) -> NoReturn:
    """Refuses a value.

    Raises:
        InputError: always.
    """
    from search_spaces import InputError

    raise InputError(f"{flag}: got {given!r}, expected {expected}.")


@dataclass(frozen=True)
class Whole(Form):
    """A whole number of a range; `why` follows it in messages."""

    parameter: ClassVar[Any] = int
    low: int
    high: int
    why: str = ""

    def read(self, given: Any, flag: str) -> Any:
        right = isinstance(given, int) and not isinstance(given, bool)
        if not right or not self.low <= given <= self.high:
            between = f"from {self.low:g} to {self.high:g}{self.why}"
            refuse(flag, given, f"a whole number {between}")
        return given


@dataclass(frozen=True)
class Number(Form):
    """A number of a range."""

    parameter: ClassVar[Any] = float
    low: float
    high: float

    def read(self, given: Any, flag: str) -> Any:
        right = isinstance(given, int | float) and not isinstance(given, bool)
        if not right or not self.low <= given <= self.high:
            refuse(flag, given, f"a number from {self.low:g} to {self.high:g}")
        return given


@dataclass(frozen=True)
class Duration(Form):
    """Seconds, or an amount of time such as `10m` or `1h30m`; `none` for no limit.

    Attributes:
        low, high: the range of seconds.
        ends: refuses to be without limit.
    """

    takes_none: ClassVar[bool] = True
    low: float = 1.0
    high: float = 1e9
    ends: bool = False

    def read(self, given: Any, flag: str) -> Any:
        if not self.ends and (given is None or given == "none"):
            return None
        seconds = self._seconds(given)
        if seconds is None:
            more = "" if self.ends else "; or none for no limit"
            refuse(flag, given, f"seconds, or an amount such as 10m or 1h30m{more}")
        return Number(self.low, self.high).read(seconds, flag)

    def _seconds(self, given: Any) -> float | None:
        if isinstance(given, str) and _DURATION.fullmatch(given):
            parts = re.findall(r"([\d.]+)([dhms])", given)
            return sum(float(amount) * _UNIT_SECONDS[unit] for amount, unit in parts)
        try:
            right = isinstance(given, str | int | float) and not isinstance(given, bool)
            return float(given) if right else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Memory(Form):
    """Bytes, or an amount such as `1.5GB`."""

    def read(self, given: Any, flag: str) -> Any:
        from automl_cl.strategy.units import bytes_of

        return Whole(1, 10**18).read(bytes_of(given, flag), flag)


@dataclass(frozen=True)
class Workers(Form):
    """A number of workers, or the fewest and the most, such as `2-4`."""

    def read(self, given: Any, flag: str) -> Any:
        from automl_cl.strategy.units import workers_of

        fewest, most = workers_of(given, flag)
        return fewest if fewest == most else f"{fewest}-{most}"


@dataclass(frozen=True)
class Switch(Form):
    """True or false; on the command line its flag says true."""

    parameter: ClassVar[Any] = bool

    def read(self, given: Any, flag: str) -> Any:
        if not isinstance(given, bool):
            refuse(flag, given, "true or false")
        return given


@dataclass(frozen=True)
class Name(Form):
    """A name or an address.

    Attributes:
        numbers: takes a number for the text of it.
        empty: takes an empty text, for what is refused where the names are known.
    """

    numbers: bool = False
    empty: bool = False

    def read(self, given: Any, flag: str) -> Any:
        if self.numbers and type(given) in (int, float):
            return str(given)
        if not isinstance(given, str) or not (given or self.empty):
            refuse(flag, given, "a name")
        return given


@dataclass(frozen=True)
class Names(Form):
    """Names, each of them once."""

    parameter: ClassVar[Any] = list[str]

    def read(self, given: Any, flag: str) -> Any:
        from search_spaces import InputError

        if not isinstance(given, list | tuple) or not all(isinstance(n, str) for n in given):
            refuse(flag, given, "a list of names")
        twice = next((name for name in given if list(given).count(name) > 1), None)
        if twice is not None:
            raise InputError(f"{flag}: '{twice}' is given twice; give it once.")
        return tuple(given)


@dataclass(frozen=True)
class OneOf(Form):
    """One of some words."""

    words: tuple[str, ...]

    def read(self, given: Any, flag: str) -> Any:
        from search_spaces import unknown_name

        if given not in self.words:
            raise unknown_name(flag, given, self.words)
        return given


@dataclass(frozen=True)
class ChoiceOfPart(Form):
    """What a hyperparameter of a part allows; the part is named as MODULE:CLASS."""

    part: str
    hyperparameter: str

    def read(self, given: Any, flag: str) -> Any:
        from search_spaces import Categorical
        from search_spaces.parts import field_types

        allowed = field_types(_named(self.part))[self.hyperparameter].allowed
        assert isinstance(allowed, Categorical)
        return OneOf(tuple(map(str, allowed.choices))).read(given, flag)


@dataclass(frozen=True)
class OptionOf(Form):
    """An option of a family, which is named as MODULE:CLASS."""

    family: str

    def read(self, given: Any, flag: str) -> Any:
        from search_spaces import option

        option(_named(self.family), given)  # refuses what is none
        return given


@dataclass(frozen=True)
class Folder(Form):
    """A folder or URI."""

    def read(self, given: Any, flag: str) -> Any:
        from trainables.foundation.storage import place

        given = str(given) if isinstance(given, Path) else given
        if not isinstance(given, str) or not given:
            refuse(flag, given, "a folder")
        place(given, flag)  # refuses a URI that is none, or holds a secret
        return given


@dataclass(frozen=True)
class SpaceFile(Form):
    """A mapping that narrows a space, the file that holds one, or a preset's name."""

    takes_none: ClassVar[bool] = True

    def read(self, given: Any, flag: str) -> Any:
        from search_spaces import read_narrowing

        if isinstance(given, str | Path):
            return dict(read_narrowing(str(given)))
        return _mapping({} if given is None else given, flag)


@dataclass(frozen=True)
class ClassMap(Form):
    """Classes by class: a mapping, or A=B,B=C; as YAML if names have commas or equals signs."""

    takes_none: ClassVar[bool] = True

    def read(self, given: Any, flag: str) -> Any:
        from search_spaces import InputError, parse_yaml

        if isinstance(given, str) and given.startswith("{"):
            given = parse_yaml(given, flag)
        if not isinstance(given, str):
            return _mapping({} if given is None else given, flag)
        found: dict[str, str] = {}
        for each in given.split(","):
            name, equals, other = (part.strip() for part in each.partition("="))
            if not equals or not name or not other:
                raise InputError(f"{flag}: got '{each}' in '{given}', expected CLASS=CLASS.")
            if name in found:
                raise InputError(f"{flag}: class '{name}' is given twice in '{given}'.")
            found[name] = other
        return found


@dataclass(frozen=True)
class Pairs(Form):
    """Values by name: a mapping, or a list of NAME=VALUE.

    Attributes:
        text: whether a value of the list is text as it stands, unless it is a YAML mapping or
            list; else all of them are YAML. With it, `no` does not become False.
    """

    parameter: ClassVar[Any] = list[str]
    takes_none: ClassVar[bool] = True
    text: bool = False

    def read(self, given: Any, flag: str) -> Any:
        if isinstance(given, list | tuple):
            return self._pairs(given, flag)
        return _mapping({} if given is None else given, flag)

    def _pairs(self, given: Iterable[Any], flag: str) -> dict[str, Any]:
        from search_spaces import InputError, parse_yaml

        found: dict[str, Any] = {}
        for each in given:
            name, equals, value = str(each).partition("=")
            if not equals or not name:
                raise InputError(f"{flag}: got '{each}', expected NAME=VALUE.")
            if name in found:
                raise InputError(f"{flag}: '{name}' is given twice; give it once.")
            yaml = not self.text or value.startswith(("{", "["))
            found[name] = parse_yaml(value, f"{flag} {name}") if yaml else value
        return found


@dataclass(frozen=True)
class AsGiven(Form):
    """What is checked where it is used, such as a number of labels."""

    parameter: Any = str  # type: ignore[misc]

    def read(self, given: Any, flag: str) -> Any:
        return given


def _mapping(given: Any, flag: str) -> Any:
    if not isinstance(given, Mapping):
        refuse(flag, given, "a mapping")
    return given


def _named(address: str) -> Any:
    module, _, name = address.partition(":")
    return getattr(import_module(module), name)

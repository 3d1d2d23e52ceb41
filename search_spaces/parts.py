"""Parts: the named, exchangeable pieces that a config is put together from.

A part is a frozen dataclass; its fields are its hyperparameters. The base class of a family
(algorithm, optimizer, pacing, ...) names the package of its options in `options_in`. Each module
of that package holds one option: `trainables/parts/optimizers/adamw.py` is the optimizer `adamw`.
Nothing is registered anywhere.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Container, Hashable, Mapping, Sequence
from functools import cache, wraps
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from search_spaces.errors import InputError, unknown_name
from search_spaces.overrides import Only, Override
from search_spaces.ranges import Legal, Range, Within, in_range, plain

Config = dict[str, Any]
P = TypeVar("P", bound="Part")


class Part:
    """Base of everything that a config can name.

    A part with an illegal hyperparameter cannot be made, in whatever way: by its constructor, by
    `dataclasses.replace` or from a config.

    Attributes:
        kind: what the family is called in messages and in configs, such as `optimizer`.
        options_in: the package that holds the family's options, one a module; empty for a part
            that has no alternatives.
        needs_column: the column of the data without which the part cannot be used, if any.
        column_from: what gives data that column, as the end of a sentence.
        optional: whether a config may leave the part out, whose defaults it then means.
        overrides: hyperparameters of other sections that have no effect where this part is chosen.
        published: by other section, values of it that belong to the part, as a config has them,
            such as `{"optimizer": {"name": "sgd", "lr": 0.01}}`: the defaults of its arm.
    """

    kind: ClassVar[str] = "part"
    options_in: ClassVar[str] = ""
    needs_column: ClassVar[str | None] = None
    column_from: ClassVar[str] = ""
    optional: ClassVar[bool] = False
    published: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    overrides: ClassVar[tuple[Override, ...]] = ()

    def __post_init__(self) -> None:
        """Refuses illegal hyperparameters; whole numbers become floats where floats belong."""
        for name, field in field_types(type(self)).items():
            value = getattr(self, name)
            legal = field.value(f"{type(self).__name__}.{name}", value)
            if legal is not value:
                object.__setattr__(self, name, legal)

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        own = vars(cls).get("__post_init__")
        if own is None:
            return

        @wraps(own)
        def checked(self: Part) -> None:
            Part.__post_init__(self)
            own(self)

        cls.__post_init__ = checked  # type: ignore[method-assign]

    @classmethod
    def part_name(cls) -> str:
        """The name in configs and on the command line: that of the module."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        """True if the part can be used on inputs of this shape (without the batch axis)."""
        return True

    @classmethod
    def lacks(cls, columns: Container[str]) -> str | None:
        """What data with these columns lacks that the part needs, and how it gets it, or None."""
        if cls.needs_column is None or cls.needs_column in columns:
            return None
        return f"the data has no column '{cls.needs_column}'; {cls.column_from}"

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(cls) or "").partition("\n")[0]


def is_family(cls: type[Part]) -> bool:
    """Return True if a part stands for a whole family of options rather than for itself."""
    return bool(cls.options_in) and not cls.__module__.startswith(f"{cls.options_in}.")


def is_named(cls: type) -> bool:
    """True if configs say which one it is: of a family, and of the options of one."""
    return any(is_part(base) and is_family(base) for base in cls.__mro__)


def option_names(package: str) -> list[str]:
    """The options of a family, from its file names; nothing in the package's modules is run."""
    found = importlib.import_module(package).__path__
    # A name with an underscore is private, as anywhere in Python.
    return sorted(m.name for m in pkgutil.iter_modules(found) if not m.name.startswith("_"))


def option(base: type[P], name: object) -> type[P]:
    """The class of one option of a family.

    Raises:
        InputError: if there is no such option; names the nearest.
        RuntimeError: if the option's module does not hold exactly one final part.
    """
    package = base.options_in
    if name not in option_names(package):
        raise unknown_name(base.kind, name, options(base))
    found = _part_in(f"{package}.{name}")
    if not issubclass(found, base):
        raise unknown_name(f"{base.kind} of this kind", name, options(base))
    return found


def options(base: type[P]) -> dict[str, type[P]]:
    """Every option of a family by name; of a family inside a larger one, those that belong."""
    package = base.options_in
    found = {name: _part_in(f"{package}.{name}") for name in option_names(package)}
    return {name: part for name, part in found.items() if issubclass(part, base)}


def _part_in(module_name: str) -> type[Part]:
    """The one final part that a module holds."""
    module = importlib.import_module(module_name)
    found = [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, Part)
        and member.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise RuntimeError(f"{module_name} must hold exactly one final part")
    return found[0]


def hyperparameters(cls: type) -> list[dataclasses.Field[Any]]:
    """The fields that a config sets; a part's other fields are state."""
    return [field for field in dataclasses.fields(cls) if field.init]


@dataclasses.dataclass(frozen=True)
class Formerly:
    """The value that is meant by configs from before the field existed."""

    value: Any


@dataclasses.dataclass(frozen=True)
class FieldType:
    """What a field may hold.

    Attributes:
        hint: its type.
        legal: what it may hold at all; None if its type says that.
        searched: what of it is searched; None if it is fixed by hand.
        only: where it has an effect; None if that is everywhere.
        formerly: the value where a config lacks it; None if a config must not.
    """

    hint: Any
    legal: Legal | None = None
    searched: Range | None = None
    only: Only | None = None
    formerly: Formerly | None = None

    @property
    def allowed(self) -> Legal | None:
        """The range that is searched, or where nothing is, what is legal."""
        return self.legal if self.searched is None else self.searched

    def value(self, path: str, value: Any) -> Any:
        """A value as the field's own type.

        Raises:
            InputError: if it is not legal; the message names `path`.
        """
        if self.legal is not None:
            return in_range(path, value, self.legal)
        if is_part(self.hint) and not isinstance(value, self.hint):
            raise InputError(f"{path}: got {value!r}, expected a {self.hint.kind}.")
        return of_type(path, value, self.hint) if self.hint in (int, float, bool, str) else value


def field_types(cls: type) -> dict[str, FieldType]:
    """Type and range of every field of a part or recipe that a config sets."""
    return _field_types(cls)


@cache
def _field_types(cls: Hashable) -> dict[str, FieldType]:
    assert isinstance(cls, type)
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: _field_type(hints[field.name]) for field in hyperparameters(cls)}


def _field_type(annotation: Any) -> FieldType:
    if get_origin(annotation) is not Annotated:
        return FieldType(annotation)
    hint, *extras = get_args(annotation)
    searched = _first(extras, Range)
    within = _first(extras, Within)
    legal = searched if within is None else within.allowed
    return FieldType(hint, legal, searched, _first(extras, Only), _first(extras, Formerly))


def _first(extras: Sequence[Any], kind: type) -> Any:
    return next((extra for extra in extras if isinstance(extra, kind)), None)


def is_part(hint: Any) -> bool:
    """True if a field's type is a part of its own."""
    return isinstance(hint, type) and issubclass(hint, Part)


def of_type(path: str, value: Any, hint: Any) -> Any:
    """A value without a range, checked against its field's type (int, float, str or bool).

    Raises:
        InputError: if it is of another type.
    """
    value = plain(value)
    if hint is float and type(value) in (int, float):
        if not abs(value) <= sys.float_info.max:
            raise InputError(f"{path}: got {value!r}, expected a finite number.")
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{path}: got {value!r}, expected {hint.__name__}.")
    return value

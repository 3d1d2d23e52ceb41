"""Parts: the named, exchangeable pieces that a config is put together from.

A part is a frozen dataclass; its fields are its hyperparameters. The base class of a family
(algorithm, optimizer, pacing, ...) stands in a module whose name begins with an underscore, and
each other module of that folder holds one option: `trainables/optimizers/adamw.py` is the
optimizer `adamw`. Nothing is registered anywhere.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Container, Sequence
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from search_spaces.errors import InputError, unknown_name
from search_spaces.ranges import Range, Within, in_range

Config = dict[str, Any]
P = TypeVar("P", bound="Part")


class Part:
    """Base of everything that a config can name.

    Attributes:
        kind: what the family is called in messages and in configs, such as `optimizer`.
        needs_column: the column of the data without which the part cannot be used, if any.
        column_from: what gives data that column, as the end of a sentence.
        optional: whether a config may leave the part out, whose defaults it then means.
    """

    kind: ClassVar[str] = "part"
    needs_column: ClassVar[str | None] = None
    column_from: ClassVar[str] = ""
    optional: ClassVar[bool] = False

    @classmethod
    def part_name(cls) -> str:
        """The name in configs and on the command line: that of the module."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def suits(cls, input_shape: Sequence[int]) -> bool:
        """Whether the part can be used on inputs of this shape (without the batch axis)."""
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


def folder_of(base: type[Part]) -> str:
    """The package that holds a family's options."""
    return base.__module__.rpartition(".")[0]


def is_family(cls: type) -> bool:
    """Whether a part stands for a whole family of options rather than for itself."""
    return cls.__module__.rpartition(".")[2].startswith("_")


def is_named(cls: type) -> bool:
    """Whether configs say which one it is: of a family, and of the options of one."""
    return any(is_part(base) and is_family(base) for base in cls.__mro__)


def option_names(package: str) -> list[str]:
    """The options of a family, from its file names; nothing in the package's modules is run."""
    found = importlib.import_module(package).__path__
    return sorted(m.name for m in pkgutil.iter_modules(found) if not m.name.startswith("_"))


def option(base: type[P], name: object) -> type[P]:
    """The class of one option of a family.

    Raises:
        InputError: if there is no such option; names the nearest.
        RuntimeError: if the option's module does not hold exactly one final part.
    """
    package = folder_of(base)
    if name not in option_names(package):
        raise unknown_name(base.kind, name, options(base))
    found = _part_in(f"{package}.{name}")
    if not issubclass(found, base):
        raise unknown_name(f"{base.kind} of this kind", name, options(base))
    return found


def options(base: type[P]) -> dict[str, type[P]]:
    """Every option of a family by name; of a family inside a larger one, those that belong."""
    package = folder_of(base)
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
class FieldType:
    """What a field may hold: its type, its range if it has one, and whether that is searched."""

    hint: Any
    allowed: Range | None = None
    searched: bool = False


def field_types(cls: type) -> dict[str, FieldType]:
    """Type and range of every field of a part or recipe that a config sets."""
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, FieldType] = {}
    for field in hyperparameters(cls):
        annotation = hints[field.name]
        if get_origin(annotation) is not Annotated:
            found[field.name] = FieldType(annotation)
            continue
        hint, *extras = get_args(annotation)
        found[field.name] = FieldType(hint)
        for extra in extras:
            if isinstance(extra, Range):
                found[field.name] = FieldType(hint, extra, searched=True)
            elif isinstance(extra, Within):
                found[field.name] = FieldType(hint, extra.allowed)
    return found


def is_part(hint: Any) -> bool:
    """Whether a field's type is a part of its own."""
    return isinstance(hint, type) and issubclass(hint, Part)


def from_config(cls: type[Any], config: Any, path: str = "") -> Any:
    """Builds a part or a recipe from its part of a config.

    Raises:
        InputError: for a key that is missing, unknown, of another type or out of range.
    """
    where = path or "config"
    if not isinstance(config, dict):
        raise InputError(f"{where}: got {config!r}, expected a mapping.")
    given = dict(config)
    if is_part(cls) and is_family(cls) and "name" not in given:
        raise InputError(f"{where}.name is missing.")
    if is_named(cls) and "name" in given:
        cls = option(cls, given.pop("name"))
    types = field_types(cls)
    for key in given:
        if key not in types:
            raise unknown_name(f"key in {where}", key, types)
    values = {}
    for name, field in types.items():
        below = f"{path}.{name}" if path else name
        if name not in given and is_part(field.hint) and field.hint.optional:
            continue
        if name not in given:
            raise InputError(f"{below} is missing.")
        values[name] = _field_value(field, given[name], below)
    return cls(**values)


def _field_value(field: FieldType, value: Any, path: str) -> Any:
    if is_part(field.hint):
        return from_config(field.hint, value, path)
    if field.allowed is not None:
        return in_range(path, value, field.allowed)
    return of_type(path, value, field.hint)


def of_type(path: str, value: Any, hint: Any) -> Any:
    """A value without a range, checked against its field's type (int, float, str or bool).

    Raises:
        InputError: if it is of another type.
    """
    if hint is float and type(value) in (int, float):
        if not abs(value) <= sys.float_info.max:
            raise InputError(f"{path}: got {value!r}, expected a finite number.")
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{path}: got {value!r}, expected {hint.__name__}.")
    return value


def to_config(part: Any) -> Config:
    """The config that builds this part or recipe: the inverse of `from_config`.

    An optional part at its defaults is left out.
    """
    config: Config = {}
    if is_named(type(part)):
        config["name"] = part.part_name()
    for field in hyperparameters(type(part)):
        value = getattr(part, field.name)
        if isinstance(value, Part) and value.optional and value == type(value)():
            continue
        config[field.name] = to_config(value) if isinstance(value, Part) else value
    return config

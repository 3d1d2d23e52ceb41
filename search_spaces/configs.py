"""Configs: plain nested mappings, and the parts and recipes that they describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from search_spaces.errors import InputError, unknown_name
from search_spaces.parts import (
    Config,
    FieldType,
    Part,
    field_types,
    hyperparameters,
    is_family,
    is_named,
    is_part,
    option,
)
from search_spaces.ranges import plain

Path = tuple[str, ...]


def from_config(cls: type[Any], config: Any, path: str = "") -> Any:
    """Builds a part or a recipe from its part of a config.

    Any legal value is taken, searched or not. What has no effect may be left out.

    Raises:
        InputError: for a key that is missing, unknown, of another type or illegal.
    """
    return _built(cls, config, path, (), without_effect(cls, config))


def _built(cls: type[Any], config: Any, path: str, here: Path, unused: set[Path]) -> Any:
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
        below, there = f"{path}.{name}" if path else name, (*here, name)
        if name in given and is_part(field.hint):
            values[name] = _built(field.hint, given[name], below, there, unused)
        elif name in given:
            values[name] = field.value(below, given[name])
        elif field.formerly is not None:
            values[name] = field.formerly.value
        elif not (_is_optional(field) or there in unused):
            raise InputError(f"{below} is missing.")
    return cls(**values)


def _is_optional(field: FieldType) -> bool:
    return is_part(field.hint) and bool(field.hint.optional)


def to_config(part: Any) -> Config:
    """The config that builds this part or recipe: the inverse of `from_config`.

    An optional part at its defaults is left out, and what has no effect is.
    """
    return in_effect(type(part), _written(part))


def _written(part: Any) -> Config:
    config: Config = {}
    if is_named(type(part)):
        config["name"] = part.part_name()
    for field in hyperparameters(type(part)):
        value = getattr(part, field.name)
        if isinstance(value, Part) and value.optional and value == type(value)():
            continue
        config[field.name] = _written(value) if isinstance(value, Part) else value
    return config


def as_today(cls: type[Any], config: Config) -> Config:
    """A config of an older version as it would be written today.

    It has the hyperparameters that have come since, and lacks those without effect. A config that
    cannot be read stays as it is.
    """
    try:
        return to_config(from_config(cls, config))
    except InputError:
        return config


def in_effect(cls: type[Any], config: Config) -> Config:
    """A config of a part or recipe without the hyperparameters that have no effect in it."""
    for path in without_effect(cls, config):
        config = _less(config, path)
    return config


def _less(config: Config, path: Path) -> Config:
    step, *rest = path
    if step not in config:
        return config
    if not rest:
        return {name: value for name, value in config.items() if name != step}
    if not isinstance(config[step], dict):
        return config
    return {**config, step: _less(config[step], tuple(rest))}


def without_effect(cls: type[Any], config: Any) -> set[Path]:
    """The paths of hyperparameters that have no effect in a config, which may be malformed."""
    return set(_without_effect(cls, config, ()))


def _without_effect(cls: type[Any], config: Any, here: Path) -> Iterator[Path]:
    if not isinstance(config, dict):
        return
    if is_named(cls) and "name" in config:
        cls = option(cls, config["name"])
    if not is_dataclass(cls):
        return  # a family, of which the config names no member
    types = field_types(cls)
    values = {field.name: config.get(field.name, field.default) for field in hyperparameters(cls)}
    for override in getattr(cls, "overrides", ()):
        if all(_is_one_of(values[name], (value,)) for name, value in override.when.items()):
            yield tuple(override.path.split("."))
    for name, field in types.items():
        only = field.only
        if only is not None and not _is_one_of(values[only.sibling], only.values):
            yield (*here, name)
        if is_part(field.hint):
            yield from _without_effect(field.hint, config.get(name), (*here, name))


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    """True if a value of a config, which may be anything, is one of some plain values."""
    value = plain(value)
    return isinstance(value, str | bool | int | float) and value in values

"""Command line options of the settings, made from the fields that declare them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING
from typing import Annotated, Any, TypeVar

import typer

from automl_cl.spec.settings import READING, Named, Setting, Settings, named_settings

Function = TypeVar("Function", bound=Callable[..., None])


def of_search(setting: Setting) -> bool:
    """Whether `search` has an option for it: always."""
    return True


def of_fork(setting: Setting) -> bool:
    """Whether a fork may change it."""
    return setting.in_fork


def of_reading(setting: Setting) -> bool:
    """Whether it says how data is read."""
    return setting.panel == READING


def with_settings(
    holder: type[Settings],
    after: str,
    which: Callable[[Setting], bool],
    with_defaults: bool = False,
) -> Callable[[Function], Function]:
    """Gives a command an option for each setting, in place of its `**settings`.

    Args:
        holder: the class whose fields are the settings.
        after: the parameter after which they come in `--help`.
        which: which of them.
        with_defaults: shows their defaults; else what is not given is None.
    """

    def changed(function: Function) -> Function:
        own = inspect.signature(function, eval_str=True)
        chosen = [each for each in named_settings(holder).values() if which(each.setting)]
        made: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                made.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            if parameter.name == after:
                made += [_parameter(each, with_defaults) for each in _ordered(chosen)]
        # Typer reads both.
        function.__annotations__ = {each.name: each.annotation for each in made}
        function.__signature__ = own.replace(parameters=made)  # type: ignore[attr-defined]
        return function

    return changed


def _ordered(chosen: list[Named]) -> list[Named]:
    """Settings, the short names before the mapping that they are part of."""
    ordered: list[Named] = []
    for each in chosen:
        if each.setting.part_of is None:
            ordered += [short for short in chosen if short.setting.part_of == each.name]
            ordered.append(each)
    return ordered


def _parameter(named: Named, with_default: bool) -> inspect.Parameter:
    kind, setting = named.setting.form.parameter, named.setting
    default = _default(named) if with_default else None
    hint = kind | None if default is None else kind
    about: dict[str, Any] = {"help": setting.help, "show_default": setting.default_shown}
    what = (
        typer.Argument(**(about | {"show_default": False}))
        if setting.positional
        else typer.Option(named.flag, rich_help_panel=setting.panel, **about)
    )
    return inspect.Parameter(
        named.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[hint, what],
    )


def _default(named: Named) -> Any:
    """A default as the command line shows it."""
    if named.default is MISSING or named.setting.form.parameter == list[str]:
        return None
    if named.setting.form.parameter is str and isinstance(named.default, int | float):
        return f"{named.default:g}"
    return named.default

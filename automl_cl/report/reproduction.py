"""The commands that do a search again."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automl_cl.spec import SearchSpec
from search_spaces import InputError, parse_yaml, to_yaml
from trainables.data import flag_of

SPACE_FILE = "space.yaml"


def commands(spec: SearchSpec, budgets: Sequence[int]) -> list[str]:
    """The command of a search, and one for each time it was extended.

    Args:
        spec: the search.
        budgets: the trials it was extended to, in order.
    """
    words = ["automl-cl", "search", spec.scenario, "--data", spec.data]
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if field.name not in ("scenario", "data") and value != _default(field):
            words += _option(field.name, value)
    extended = [["automl-cl", "resume", "RUN", "--trials", str(budget)] for budget in budgets]
    return [shlex.join(each) for each in (words, *extended)]


def space_file(spec: SearchSpec) -> str:
    """The space file that the command names, or nothing where it names none."""
    return to_yaml(dict(spec.space)) if spec.space else ""


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def _option(name: str, value: Any) -> Iterator[str]:
    flag = "--" + name.replace("_", "-")
    if name == "space":
        yield from (flag, SPACE_FILE)
    elif name == "data_options":
        for key, each in value.items():
            yield from _data_option(key, each)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from ("--set", f"{key}={_as_yaml(each)}")
    elif value is True:
        yield flag
    elif isinstance(value, list | tuple):
        for each in value:
            yield from (flag, str(each))
    else:
        yield from (flag, f"{value:g}" if isinstance(value, float) else str(value))


def _data_option(name: str, value: Any) -> list[str]:
    if not isinstance(value, str):
        return ["--data-option", f"{name}={json.dumps(value)}"]
    flag, _, other = flag_of(name).partition(" ")
    return [flag, f"{other}={value}" if other else value]


def _as_yaml(value: Any) -> str:
    """A setting as `--set` reads it; a text that YAML would take for something else is quoted."""
    if isinstance(value, str):
        try:
            if parse_yaml(value, "") == value:
                return value
        except InputError:
            pass  # not YAML as it stands, so it is quoted
    return json.dumps(value)

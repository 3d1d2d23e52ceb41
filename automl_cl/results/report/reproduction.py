"""The commands that do a search again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automl_cl.run.events import Event, Extend, beginning, told
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.spec.settings import named_settings
from automl_cl.spec.trust import trust_flag
from search_spaces import InputError, parse_yaml, to_yaml
from trainables.data import flag_of

SPACE_FILE = "space.yaml"
BUDGETS = ("trials", "total_compute", "time_limit")


def commands(spec: SearchSpec, events: Sequence[Event]) -> list[str]:
    """The command of a search or fork, and one for each time it was extended.

    Args:
        spec: the search.
        events: of its journal.
    """
    forked = beginning(events).fork
    if forked is None:
        words = ["automl-cl", "search", spec.scenario, "--data", spec.data]
        given = {name: getattr(spec, name) for name in named_settings(type(spec))}
        chosen = {
            name: value
            for name, value in given.items()
            if value != named_settings(type(spec))[name].unset and name not in ("scenario", "data")
        }
    else:
        words, chosen = ["automl-cl", "fork", forked["run"]], forked["given"]
    for name, value in chosen.items():
        words += _option(name, value)
    found = [words]
    for event in events:
        if isinstance(event, Extend):
            budgets = told(event)
            options = [
                part
                for name in BUDGETS
                if name in budgets
                for part in _option(name, budgets[name])
            ]
            found.append(["automl-cl", "resume", "RUN", *options, *trust_flag(spec).split()])
    return [shlex.join(each) for each in found]


def space_file(spec: SearchSpec) -> str:
    """The space file that the command names, or nothing where it names none."""
    return to_yaml(dict(spec.space)) if spec.space else ""


def _option(name: str, value: Any) -> Iterator[str]:
    flag = named_settings(SearchSpec)[name].flag
    if name == "space":
        yield from (flag, SPACE_FILE)
    elif name == "data_options":
        for key, each in value.items():
            yield from _data_option(key, each)
    elif name == "noise_map":
        yield from (flag, json.dumps(dict(value), ensure_ascii=False))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from (flag, f"{key}={_as_yaml(each)}")
    elif value is True:
        yield flag
    elif value is None:
        yield from (flag, "none")
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

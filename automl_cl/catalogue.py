"""What there is to choose from: every family of parts, found from the scenarios' recipes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from search_spaces import Part, options, unknown_name
from search_spaces.parts import field_types, is_family, is_part
from search_spaces.ranges import Range, describe_range
from trainables.data import data_sources
from trainables.scenario import load_scenario, scenario_names

Entry = dict[str, str]


def kinds() -> list[str]:
    """Everything that can be listed."""
    found = {f"{base.kind}s" for name in scenario_names() for base in _families(name)}
    return sorted(found | {"data", "scenarios"})


def entries(kind: str, scenario: str | None = None) -> list[Entry]:
    """The names of a kind, with the scenario they belong to and what they are.

    Raises:
        InputError: if there is no such kind or scenario.
    """
    scenarios = scenario_names() if scenario is None else [load_scenario(scenario).name]
    if kind not in kinds():
        raise unknown_name("kind", kind, kinds())
    if kind == "data":
        return [_entry(name, "any", source) for name, source in sorted(data_sources().items())]
    if kind == "scenarios":
        return [_entry(name, name, type(load_scenario(name))) for name in scenarios]
    found: dict[tuple[str, str], Entry] = {}
    for name in scenarios:
        for base in _families(name):
            if f"{base.kind}s" == kind:
                found |= {(name, o): _entry(o, name, cls) for o, cls in options(base).items()}
    return list(found.values())


def described(name: str) -> list[tuple[type[Part], list[Entry]]]:
    """Every part of this name, with its hyperparameters.

    Raises:
        InputError: if no part has it.
    """
    found: dict[type[Part], list[Entry]] = {}
    names: set[str] = set()
    for scenario in scenario_names():
        for base in _families(scenario):
            for option_name, cls in options(base).items():
                names.add(option_name)
                if option_name == name:
                    found[cls] = _hyperparameters(cls)
    if not found:
        raise unknown_name("name", name, names)
    return list(found.items())


def _families(scenario: str) -> list[type[Part]]:
    """The families of a scenario's recipe, and those inside their options."""
    return list(dict.fromkeys(_inside(load_scenario(scenario).recipe)))


def _inside(cls: type) -> Iterator[type[Part]]:
    for hint, _ in field_types(cls).values():
        if is_part(hint) and is_family(hint):
            yield hint
            for option in options(hint).values():
                yield from _inside(option)


def _entry(name: str, scenario: str, cls: type) -> Entry:
    first = (inspect.getdoc(cls) or "").partition("\n")[0]
    return {"name": name, "scenario": scenario, "what": first}


def _hyperparameters(cls: type[Part]) -> list[Entry]:
    default = cls()
    return [
        {
            "name": name,
            "default": _value(getattr(default, name)),
            "allowed": _allowed(hint, allowed),
        }
        for name, (hint, allowed) in field_types(cls).items()
    ]


def _value(value: Any) -> str:
    return value.part_name() if isinstance(value, Part) else str(value)


def _allowed(hint: Any, allowed: Range | None) -> str:
    if allowed is not None:
        return describe_range(allowed)
    if is_part(hint):
        return "one of " + ", ".join(options(hint))
    return f"{hint.__name__}, not searched"

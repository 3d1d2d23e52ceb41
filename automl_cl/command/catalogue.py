"""What there is to choose from: every family of parts, found from the scenarios' recipes."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_cl.strategy.sampler import Sampler
from automl_cl.strategy.scheduler import Scheduler
from search_spaces import Part, options, unknown_name
from search_spaces.parts import FieldType, field_types, is_family, is_part
from search_spaces.ranges import describe_range
from trainables.data import data_sources, flag_of
from trainables.scenarios.scenario import load_scenario, scenario_names

Entry = dict[str, str]

UNTUNED = ("data", "scenario")
"""Kinds whose members are no parts of a config."""

OF_SEARCHES: tuple[type[Part], ...] = (Sampler, Scheduler)
"""Families of which a search has one member, whatever its scenario."""


@dataclass(frozen=True)
class Description:
    """What there is to say of one thing that has a name; of data, options for hyperparameters."""

    kind: str
    text: str
    hyperparameters: list[Entry]


def kinds() -> list[str]:
    """Everything that can be listed."""
    found = {f"{base.kind}s" for name in scenario_names() for base in _families(name)}
    found |= {f"{base.kind}s" for base in OF_SEARCHES}
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
        found_data = [_entry(n, "any", source) for n, source in sorted(data_sources().items())]
        for name in scenarios:
            own = load_scenario(name).own_data()
            found_data += [_entry(each, name, cls) for each, cls in sorted(own.items())]
        return found_data
    if kind == "scenarios":
        return [_entry(name, name, type(load_scenario(name))) for name in scenarios]
    for base in OF_SEARCHES:
        if f"{base.kind}s" == kind:
            return [_entry(name, "any", cls) for name, cls in options(base).items()]
    found: dict[tuple[str, str], Entry] = {}
    for name in scenarios:
        for base in _families(name):
            if f"{base.kind}s" == kind:
                found |= {(name, o): _entry(o, name, cls) for o, cls in options(base).items()}
    return list(found.values())


def markdown_table(found: Sequence[Entry]) -> str:
    """Entries as a Markdown table, such as the table in `docs/algorithms.md`."""
    lines = ["| name | scenario | what |", "|---|---|---|"]
    lines += [f"| `{each['name']}` | {each['scenario']} | {each['what']} |" for each in found]
    return "\n".join(lines)


def described(name: str) -> list[Description]:
    """Everything of this name.

    Raises:
        InputError: if nothing has it.
    """
    found = {cls: _described_part(cls) for cls in _parts() if cls.part_name() == name}
    own = [load_scenario(each).own_data() for each in scenario_names()]
    others: dict[str, dict[str, type]] = {
        "data": {**data_sources(), **{n: cls for some in own for n, cls in some.items()}},
        "scenario": {each: type(load_scenario(each)) for each in scenario_names()},
    }
    more = [
        Description(kind, inspect.getdoc(names[name]) or "", _options(names[name]))
        for kind, names in others.items()
        if name in names
    ]
    if not found and not more:
        known = {cls.part_name() for cls in _parts()}
        raise unknown_name("name", name, known.union(*others.values()))
    return [*found.values(), *more]


def _parts() -> Iterator[type[Part]]:
    """Every part: the options of all families, and what has none."""
    for family in OF_SEARCHES:
        yield from options(family).values()
    for scenario in scenario_names():
        for base in _inside(load_scenario(scenario).recipe):
            yield from options(base).values() if is_family(base) else [base]


def _families(scenario: str) -> list[type[Part]]:
    """The families of a scenario's recipe, and those inside their options."""
    found = _inside(load_scenario(scenario).recipe)
    return list(dict.fromkeys(base for base in found if is_family(base)))


def _inside(cls: type) -> Iterator[type[Part]]:
    for field in field_types(cls).values():
        if is_part(hint := field.hint):
            yield hint
            for below in options(hint).values() if is_family(hint) else [hint]:
                yield from _inside(below)


def _options(cls: type) -> list[Entry]:
    """The options of a data source; nothing for what is none."""
    return [
        {
            "name": flag_of(field.name),
            "default": ", ".join(map(str, default))
            if isinstance(default, tuple)
            else str(default),
            "allowed": field.metadata["what"],
        }
        for kind in getattr(cls, "takes", ())
        for field in dataclasses.fields(kind)
        for default in [getattr(kind(), field.name) or ""]
    ]


def _entry(name: str, scenario: str, cls: type) -> Entry:
    first = (inspect.getdoc(cls) or "").partition("\n")[0]
    return {"name": name, "scenario": scenario, "what": first}


def _described_part(cls: type[Part]) -> Description:
    default = cls()
    hyperparameters = [
        {
            "name": name,
            "default": _value(getattr(default, name)),
            "allowed": _allowed(field),
        }
        for name, field in field_types(cls).items()
    ]
    hyperparameters += [
        {"name": path, "default": str(value), "allowed": "the default where this is chosen"}
        for section, values in cls.published.items()
        for path, value in _published(section, values)
    ]
    return Description(cls.kind, inspect.getdoc(cls) or "", hyperparameters)


def _published(path: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Published values of a section, by path; a section's own is the name of its option."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _published(f"{path}.{name}", value)
        else:
            yield (path if name == "name" else f"{path}.{name}"), value


def _value(value: Any) -> str:
    return value.part_name() if isinstance(value, Part) else str(value)


def _allowed(field: FieldType) -> str:
    if is_part(field.hint):
        return "one of " + ", ".join(options(field.hint))
    words = field.hint.__name__ if field.allowed is None else describe_range(field.allowed)
    if field.searched is None:
        words += ", not searched"
    elif field.legal is not None and field.legal != field.searched:
        words += f"; legal: {describe_range(field.legal)}"
    if field.only is not None:
        words += f"; only with {field.only}"
    return words

"""Configs of every algorithm: defaults, the way through YAML and back, and wrong values."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from search_spaces import (
    Categorical,
    Config,
    InputError,
    Int,
    from_config,
    options,
    read_yaml,
    to_config,
    to_yaml,
)
from search_spaces.ranges import in_range
from search_spaces.space import Choice, Fixed, Group, Leaf, Node
from trainables.computing import Computing
from trainables.scenario import load_scenario, scenario_names

COLUMNS = dict.fromkeys(("text_length", "word_rarity", "difficulty"))
IMAGES = SimpleNamespace(input_shape=(1, 6, 6), train=SimpleNamespace(columns=COLUMNS))
ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
every_algorithm = pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
every_scenario = pytest.mark.parametrize("scenario", scenario_names())


def leaves(node: Node, path: str, choices: dict[str, str]) -> Iterator[tuple[str, Node, dict]]:
    """Every field below a node: its path in a config, and the choices that bring it in."""
    match node:
        case Group():
            for name, below in node.fields.items():
                yield from leaves(below, f"{path}.{name}".lstrip("."), choices)
        case Choice():
            for name, group in node.options.items():
                yield from leaves(group, path, {**choices, path: name})
        case _:
            yield path, node, choices


@cache
def root_of(scenario: str) -> Group:
    """A scenario's whole space: made once, since hundreds of fields are checked."""
    return load_scenario(scenario).space(IMAGES).root


def config_with(scenario: str, choices: dict[str, str]) -> Config:
    """The default config in which these options are chosen, outer choices first."""
    config: Config = chosen(root_of(scenario), "", choices)
    return config


def chosen(node: Node, path: str, choices: dict[str, str]) -> Any:
    match node:
        case Group():
            return {
                name: chosen(below, f"{path}.{name}".lstrip("."), choices)
                for name, below in node.fields.items()
            }
        case Choice():
            name = choices.get(path, node.default)
            return {"name": name, **chosen(node.options[name], path, choices)}
        case Leaf():
            return node.default
        case Fixed():
            return node.value


def replaced(config: Config, path: str, value: Any) -> Config:
    step, _, rest = path.partition(".")
    return {**config, step: replaced(config[step], rest, value) if rest else value}


def wrong_values(node: Leaf | Fixed) -> list[Any]:
    """Values of another type, and outside the range, if there is one."""
    if isinstance(node, Fixed):
        return [[], None, "7" if node.type is not str else 7, 7 if node.type is bool else True]
    if isinstance(node.allowed, Categorical):
        return [[], None, "no such choice", 17]
    allowed = node.allowed
    outside = [allowed.low - 1, allowed.high + 1, math.nan, math.inf, True, None, "1e-3", []]
    return outside + ([allowed.low + 0.5] if isinstance(allowed, Int) else [])


FIELDS = [
    pytest.param(scenario, path, node, choices, id="-".join([scenario, path, *choices.values()]))
    for scenario in scenario_names()
    for path, node, choices in leaves(root_of(scenario), "", {})
]
every_field = pytest.mark.parametrize(("scenario", "path", "node", "choices"), FIELDS)


def test_the_fields_of_nested_parts_are_among_those_checked() -> None:
    found = {(param.values[1], *param.values[3].values()) for param in FIELDS}
    assert ("algorithm.lam", "superloss") in found
    assert ("algorithm.pacing.power", "easy_to_hard", "root") in found
    assert ("optimizer.momentum", "sgd") in found
    assert ("training.epochs",) in found


@every_field
def test_published_defaults_lie_in_their_ranges(scenario, path, node, choices) -> None:
    if isinstance(node, Leaf):
        assert in_range(path, node.default, node.allowed) == node.default
    else:
        assert type(node.value) is node.type
    recipe = load_scenario(scenario).recipe
    built = from_config(recipe, config_with(scenario, choices))
    written = to_config(built)
    assert from_config(recipe, written) == built
    # What is optional is not written while it is at its defaults.
    assert {"computing": to_config(Computing()), **written} == config_with(scenario, choices)


@every_field
def test_wrong_values_are_refused_with_the_fields_name(scenario, path, node, choices) -> None:
    recipe, config = load_scenario(scenario).recipe, config_with(scenario, choices)
    for value in wrong_values(node):
        with pytest.raises(InputError, match=rf"^{re.escape(path)}: got .+, expected "):
            from_config(recipe, replaced(config, path, value))


@every_field
def test_missing_and_misspelt_fields_are_refused_by_name(scenario, path, node, choices) -> None:
    recipe, config = load_scenario(scenario).recipe, config_with(scenario, choices)
    above, _, name = path.rpartition(".")
    section: Any = config
    for step in above.split("."):
        section = section[step]
    value = section.pop(name)
    with pytest.raises(InputError, match=rf"^{re.escape(path)} is missing"):
        from_config(recipe, config)
    section |= {name: value, f"{name}_": value}
    with pytest.raises(InputError, match=f"'{name}_'.*Did you mean '{name}'"):
        from_config(recipe, config)


@every_algorithm
def test_a_config_survives_yaml(tmp_path, scenario: str, algorithm: str) -> None:
    config = config_with(scenario, {"algorithm": algorithm})
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    read = read_yaml(tmp_path / "config.yaml")
    assert read == config
    recipe = load_scenario(scenario).recipe
    assert from_config(recipe, read) == from_config(recipe, config)


@every_scenario
def test_the_baseline_is_among_the_algorithms_and_the_default(scenario: str) -> None:
    kind = load_scenario(scenario)
    assert kind.space(IMAGES).options("algorithm")[0] == kind.baseline
    assert kind.recipe() == from_config(kind.recipe, config_with(scenario, {}))
    assert to_config(kind.recipe()) == kind.space(IMAGES).default()


@every_algorithm
def test_the_docstring_cites_its_paper(scenario: str, algorithm: str) -> None:
    cls = options(load_scenario(scenario).algorithm)[algorithm]
    assert "__doc__" in vars(cls)
    text = inspect.getdoc(cls) or ""
    venue = r"[A-Z][A-Za-z]*[A-Z][A-Za-z]*( MM)?"  # NeurIPS, ICML, NAACL, ACM MM
    assert re.search(rf"{venue},? (19|20)\d\d\b|arXiv[: ]\d{{4}}\.\d{{4,5}}", text), text

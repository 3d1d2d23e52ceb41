"""Configs of every algorithm: defaults, the way through YAML and back, and wrong values."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from search_spaces import (
    InputError,
    from_config,
    options,
    read_yaml,
    to_config,
    to_yaml,
)
from search_spaces.configs import in_effect
from search_spaces.ranges import in_range
from search_spaces.space import Leaf
from tests.trainables.fields import (
    IMAGES,
    built_at,
    config_with,
    leaves,
    meant,
    replaced,
    root_of,
    wrong_values,
)
from trainables.parts.sections.computing import Computing
from trainables.scenarios.scenario import load_scenario, scenario_names

ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
every_algorithm = pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
every_scenario = pytest.mark.parametrize("scenario", scenario_names())


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


@pytest.mark.exhaustive
@every_field
def test_published_defaults_lie_in_their_ranges(scenario, path, node, choices) -> None:
    if isinstance(node, Leaf):
        assert in_range(path, node.default, node.allowed) == node.default
    else:
        assert type(node.value) is node.type
    recipe, config = load_scenario(scenario).recipe, config_with(scenario, choices)
    built = from_config(recipe, config)
    written = to_config(built)
    assert from_config(recipe, written) == built
    # What is optional is not written while it is at its defaults, nor what has no effect.
    whole = {"computing": to_config(Computing()), **written}
    assert whole == in_effect(recipe, config)


@pytest.mark.exhaustive
@every_field
def test_wrong_values_are_refused_with_the_fields_name(scenario, path, node, choices) -> None:
    recipe, config = load_scenario(scenario).recipe, config_with(scenario, choices)
    for value in wrong_values(node):
        with pytest.raises(InputError, match=rf"^{re.escape(path)}: got .+, expected "):
            from_config(recipe, replaced(config, path, value))


@pytest.mark.exhaustive
@every_field
def test_missing_and_misspelt_fields_are_refused_by_name(scenario, path, node, choices) -> None:
    recipe, config = load_scenario(scenario).recipe, config_with(scenario, choices)
    above, _, name = path.rpartition(".")
    section: Any = config
    for step in above.split("."):
        section = section[step]
    value, implied = section.pop(name), meant(recipe, config, path)
    if implied is not None:
        assert built_at(from_config(recipe, config), path) == implied
    else:
        with pytest.raises(InputError, match=rf"^{re.escape(path)} is missing"):
            from_config(recipe, config)
    section |= {name: value, f"{name}_": value}
    with pytest.raises(InputError, match=f"'{name}_'.*Did you mean '{name}'"):
        from_config(recipe, config)


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
@every_algorithm
def test_the_docstring_cites_its_paper(scenario: str, algorithm: str) -> None:
    cls = options(load_scenario(scenario).algorithm)[algorithm]
    assert "__doc__" in vars(cls)
    text = inspect.getdoc(cls) or ""
    venue = r"[A-Z][A-Za-z]*[A-Z][A-Za-z]*( MM)?"  # NeurIPS, ICML, NAACL, ACM MM
    assert re.search(rf"{venue},? (19|20)\d\d\b|arXiv[: ]\d{{4}}\.\d{{4,5}}", text), text

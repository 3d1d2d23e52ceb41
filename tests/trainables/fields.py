"""The fields of a scenario's configs: configs that hold them, and values that are wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from search_spaces import Bounds, Categorical, Config, Int, option
from search_spaces.configs import without_effect
from search_spaces.parts import field_types
from search_spaces.space import Choice, Fixed, Group, Leaf, Node
from trainables.scenarios.scenario import load_scenario

COLUMNS = dict.fromkeys(("text_length", "word_rarity", "difficulty"))
IMAGES = SimpleNamespace(
    input_shape=(1, 6, 6), train=SimpleNamespace(columns=COLUMNS), mirror_keeps_class=None
)


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
    legal = node.allowed if node.legal is None else node.legal
    if isinstance(legal, Categorical):
        return [[], None, "no such choice", 17]
    odd = [math.nan, math.inf, -math.inf, True, None, "1e-3", []]
    if isinstance(legal, Bounds):
        beyond = [legal.at_least - 1, legal.above, legal.at_most + 1, legal.below]
        return odd + [value for value in beyond if math.isfinite(value)]
    return [*odd, legal.low - 1, legal.high + 1] + (
        [legal.low + 0.5] if isinstance(legal, Int) else []
    )


def meant(recipe: type, config: Config, path: str) -> Any:
    """What a config means that leaves a field out; None where it may not."""
    kind: Any = recipe
    above, _, last = path.rpartition(".")
    section, steps = config, []
    for step in above.split("."):
        kind, section, steps = field_types(kind)[step].hint, section[step], [*steps, step]
        if "name" in section:
            kind = option(kind, section["name"])
    if (*steps, last) in without_effect(recipe, config):
        return getattr(kind(), last)
    formerly = field_types(kind)[last].formerly
    return None if formerly is None else formerly.value


def built_at(recipe: Any, path: str) -> Any:
    """The value at a path of a config, in what was built from it."""
    for step in path.split("."):
        recipe = getattr(recipe, step)
    return recipe

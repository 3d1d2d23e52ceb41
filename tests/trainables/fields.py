"""The fields of a scenario's configs: configs that hold them, and values that are wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

from search_spaces import Categorical, Config, Int
from search_spaces.space import Choice, Fixed, Group, Leaf, Node
from trainables.scenario import load_scenario

COLUMNS = dict.fromkeys(("text_length", "word_rarity", "difficulty"))
IMAGES = SimpleNamespace(input_shape=(1, 6, 6), train=SimpleNamespace(columns=COLUMNS))


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

"""Sizes that are fixed by hand: not searched, but not just anything either."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import InputError, coordinates, from_config, narrowed
from trainables.data import DataSpec, load_view
from trainables.parts.model import Model
from trainables.scenarios.scenario import load_scenario

WRONG: list[tuple[str, Any]] = [
    ("mlp.width", 0),
    ("mlp.width", -5),
    ("mlp.width", 2.5),
    ("mlp.depth", -1),
    ("mlp.dropout", 7.0),
    ("cnn.blocks", 0),
    ("cnn.width", True),
]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_size_that_makes_no_model_is_refused(path: str, value: Any) -> None:
    space = load_scenario("curriculum").space(load_view(DataSpec("digits")))
    with pytest.raises(InputError, match=path.partition(".")[2]):
        narrowed(space, {f"model.{path}": value})
    name, _, field = path.partition(".")
    config = {"name": name, "width": 8} | (
        {"depth": 1, "dropout": 0.0} if name == "mlp" else {"blocks": 1}
    )
    with pytest.raises(InputError, match=field):
        from_config(Model, {**config, field: value}, "model")


def test_a_size_can_be_fixed_and_is_not_searched() -> None:
    space = load_scenario("curriculum").space(load_view(DataSpec("digits")))
    fixed = narrowed(space, {"model": "mlp", "model.mlp.width": 7})
    assert fixed.default()["model"]["width"] == 7
    assert not any(name.startswith("model") for name in coordinates(fixed))

"""What algorithms state as published is legal, and their arms begin there, in every scenario."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from search_spaces import encode, from_config, options
from trainables.scenarios.scenario import load_scenario, scenario_names

CPU = torch.device("cpu")
STATING = [
    (scenario, name)
    for scenario in scenario_names()
    for name, cls in options(load_scenario(scenario).algorithm).items()
    if cls.published
]
# Whatever has none states these, so that no scenario is left out.
TOY = {"optimizer": {"name": "adam", "lr": 0.005}, "training": {"batch_size": 24}}


def within(values: Any, config: Any) -> bool:
    """Whether a config has these values, where it has the option that they are of."""
    if not isinstance(values, dict):
        return bool(values == config)
    if values.get("name", config.get("name")) != config.get("name"):
        return False
    return all(within(each, config[name]) for name, each in values.items())


@pytest.mark.parametrize(("scenario", "name"), STATING)
def test_what_is_published_is_the_default_of_its_arm(scenario, name, view_for) -> None:
    kind, setting = load_scenario(scenario), "cnn"
    view = view_for(scenario, setting)
    space = kind.space(view).only("algorithm", name)
    config = space.default()
    algorithm: Any = options(kind.algorithm)[name]
    assert within(algorithm.published, config)
    from_config(kind.recipe, config)
    assert space.contains(config) and encode(space, config)


@pytest.mark.parametrize("scenario", scenario_names())
def test_every_scenario_has_a_home_for_them(scenario: str, view_for, monkeypatch) -> None:
    kind, view = load_scenario(scenario), view_for(scenario, "adamw")
    before = kind.space(view)
    name = before.options("algorithm")[-1]
    algorithm: Any = options(kind.algorithm)[name]
    monkeypatch.setattr(algorithm, "published", TOY)
    space = kind.space(view)
    config = space.only("algorithm", name).default()
    assert config["optimizer"]["name"] == "adam" and config["optimizer"]["lr"] == 0.005
    if scenario != "meta_learning":
        assert config["training"]["batch_size"] == 24
    assert space.default() == before.default(), "no other arm has them"
    learner = kind.learner(config, kind.on_device(view, CPU), 0, CPU)
    learner.begin(8.0)
    built: Any = learner
    assert built.optimizer.param_groups[-1]["lr"] == 0.005

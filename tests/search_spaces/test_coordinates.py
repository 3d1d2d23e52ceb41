from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import (
    Categorical,
    Float,
    Int,
    Space,
    coordinates,
    decode,
    encode,
    from_config,
    narrowed,
)


def point(space: Space, **changes: Any) -> dict[str, Any]:
    """The default's point with some coordinates changed; `__` stands for the dot."""
    found = encode(space, space.default())
    named = {name.replace("__", "."): value for name, value in changes.items()}
    assert set(named) <= set(found)
    return {**found, **named}


def test_alternatives_share_a_coordinate(space: Space) -> None:
    found = coordinates(space)
    assert found["engine"] == Categorical(["electric", "petrol"])
    assert found["engine.damping"] == Float(0, 1)
    for name in ("electric", "petrol"):
        config = decode(space, point(space, engine=name, engine__damping=0.125))
        assert config["engine"]["name"] == name
        assert config["engine"]["damping"] == 0.125


def test_differing_ranges_become_positions(space: Space) -> None:
    assert coordinates(space)["engine.power"] == Float(0, 1)
    for name, values in {"petrol": [1, 10, 100], "electric": [10, 100, 1000]}.items():
        for position, value in zip([0.0, 0.5, 1.0], values, strict=True):
            config = decode(space, point(space, engine=name, engine__power=position))
            assert config["engine"]["power"] == pytest.approx(value)
            assert encode(space, config)["engine.power"] == pytest.approx(position)


def test_numbers_are_readable_and_inside_their_range(space: Space) -> None:
    odd = narrowed(space, {"engine.petrol.damping": {"low": 0.1234549, "high": 0.7654351}})
    petrol = odd.only("engine", "petrol")
    found = [
        decode(petrol, point(petrol, engine__damping=value))["engine"]["damping"]
        for value in (0.1234549, 1 / 3, 0.7654351)
    ]
    assert found == [0.1234549, 0.33333, 0.7654351]


def test_a_range_of_one_option_alone_stays_what_it_is(space: Space) -> None:
    alone = coordinates(space.only("engine", "petrol"))
    assert alone["engine.power"] == Float(1, 100, log=True)
    assert "engine" not in alone
    assert "engine.gearbox.gears" not in alone
    assert coordinates(space)["engine.gearbox.gears"] == Int(3, 7)
    assert coordinates(space)["body.doors"] == Int(2, 6)


@pytest.mark.parametrize(("position", "petrol", "electric"), [(0, 2, 1), (0.5, 3, 5), (1, 4, 9)])
def test_positions_among_whole_numbers_give_whole_numbers(
    space: Space, position: float, petrol: int, electric: int
) -> None:
    for name, phases in {"petrol": petrol, "electric": electric}.items():
        config = decode(space, point(space, engine=name, engine__phases=position))
        assert config["engine"]["phases"] == phases
        assert type(config["engine"]["phases"]) is int


def test_categories_are_kept_apart(space: Space) -> None:
    apart = [name for name in coordinates(space) if name.startswith("engine.fuel")]
    assert len(apart) == 2
    choices = {coordinates(space)[name].choices for name in apart}  # type: ignore[attr-defined]
    assert choices == {("normal", "super"), ("ac", "dc")}


def test_fixed_fields_and_single_options_are_no_coordinates(space: Space) -> None:
    fixed = narrowed(
        space,
        {"engine": "electric", "engine.damping": 0.5, "engine.gearbox": "manual"},
    )
    assert set(coordinates(fixed)) == {
        "engine.power",
        "engine.fuel{ac|dc}",
        "engine.phases",
        "engine.gearbox.gears",
        "body.doors",
    }
    assert decode(fixed, encode(fixed, fixed.default())) == fixed.default()


def test_a_space_of_one_config_has_no_coordinates(space: Space) -> None:
    engine = {"name": "petrol", "power": 10, "damping": 0, "fuel": "super", "phases": 4}
    single = narrowed(space, {"engine": engine, "body.doors": 4})
    assert coordinates(single) == {}
    assert decode(single, {}) == single.default()


def test_defaults_come_back_from_their_points(real_space: Space) -> None:
    for section in ("algorithm", "optimizer", "schedule", "augmentation", "model"):
        for name in real_space.options(section):
            chosen = real_space.only(section, name).default()
            assert decode(real_space, encode(real_space, chosen)) == chosen
            arm = real_space.only(section, name)
            assert decode(arm, encode(arm, chosen)) == chosen


def test_a_point_has_every_coordinate_inside_its_range(real_space: Space) -> None:
    for name in real_space.options("algorithm"):
        arm = real_space.only("algorithm", name)
        found, ranges = encode(arm, arm.default()), coordinates(arm)
        assert set(found) == set(ranges)
        for coordinate, allowed in ranges.items():
            assert allowed._contains(allowed.to_internal_repr(found[coordinate]))


NARROWINGS: list[dict[str, Any]] = [
    {},
    {"optimizer.lr": {"low": 1e-4, "high": 1e-2}, "training.batch_size": [32, 96]},
    {"algorithm.pacing": ["linear", "root"], "optimizer.sgd.lr": [0.01, 0.123454989]},
    {"training.epochs": {"low": 1.23456789, "high": 1.23456789}, "optimizer.momentum": 0.9},
]


@given(data=st.data(), narrowing=st.sampled_from(NARROWINGS))
def test_every_point_is_a_valid_config_and_comes_back(
    data: st.DataObject,
    narrowing: dict[str, Any],
    real_recipe: type,
    real_space: Space,
    configs: Callable[..., Any],
) -> None:
    space = narrowed(real_space, narrowing)
    config = data.draw(configs(space))
    from_config(real_recipe, config)
    assert decode(space, encode(space, config)) == config

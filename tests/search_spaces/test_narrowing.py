from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Float, InputError, Space, coordinates, narrowed, read_yaml

ISSUE = """
algorithm: [superloss, self_paced]
optimizer.lr: {low: 1e-4, high: 1e-2, log: true}
training.batch_size: 64
"""


@given(data=st.data())
def test_the_example_of_the_issue(
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
    real_space: Space,
    configs: Callable[..., Any],
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "space.yaml"
    path.write_text(ISSUE)
    space = narrowed(real_space, read_yaml(path))
    config = data.draw(configs(space))
    assert config["algorithm"]["name"] in ("superloss", "self_paced")
    assert 1e-4 <= config["optimizer"]["lr"] <= 1e-2
    assert config["training"]["batch_size"] == 64


def test_a_range_for_several_options_is_cut_to_each(real_space: Space) -> None:
    space = narrowed(real_space, {"optimizer.lr": {"low": 1e-4, "high": 1e-2}})
    ranges = {
        name: coordinates(space.only("optimizer", name))["optimizer.lr"]
        for name in space.options("optimizer")
    }
    for_adam = Float(1e-4, 1e-2, log=True)
    assert ranges == {
        "adam": for_adam,
        "adamw": for_adam,
        "amsgrad": for_adam,
        "sgd": Float(1e-3, 1e-2, log=True),
    }


PACED = ["baby_step", "competence", "random_order"]


@pytest.mark.parametrize(
    "given",
    [
        {"algorithm.pacing": ["root", "linear"]},
        {"algorithm.pacing.name": ["root", "linear"]},
        {"algorithm": {"pacing": ["root", "linear"]}},
        {"algorithm": {"pacing": {"name": ["root", "linear"]}}},
    ],
)
def test_names_for_several_algorithms_leave_those_alone_that_have_no_such_choice(
    real_space: Space, given: dict[str, Any]
) -> None:
    space = narrowed(narrowed(real_space, {"algorithm": PACED}), given)
    found = {name: space.only("algorithm", name).root.fields["algorithm"] for name in PACED}
    pacings = {name: list(it.options[name].fields["pacing"].options) for name, it in found.items()}
    both = ["linear", "root"]
    assert pacings == {"baby_step": ["baby_step"], "competence": ["root"], "random_order": both}


@pytest.mark.parametrize(
    "given",
    [
        {"algorithm.pacing.full_at": 0.3},
        {"algorithm.pacing": {"full_at": 0.3}},
        {"algorithm": {"pacing": {"full_at": 0.3}}},
    ],
)
def test_a_field_below_several_algorithms_is_that_of_those_that_have_it(
    real_space: Space, given: dict[str, Any]
) -> None:
    space = narrowed(narrowed(real_space, {"algorithm": PACED}), given)
    defaults = {name: space.only("algorithm", name).default()["algorithm"] for name in PACED}
    assert "full_at" not in defaults["baby_step"]["pacing"]
    assert {defaults[name]["pacing"]["full_at"] for name in ("competence", "random_order")} == {
        0.3
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"algorithm.pacing": "linaer"}, "pacing 'linaer'. Did you mean 'linear'"),
        ({"algorithm.pacing": ["linear", "linaer"]}, "Did you mean 'linear'"),
        ({"algorithm.pacing": []}, "pacing: got an empty list"),
        ({"algorithm.pacing.ful_at": 0.3}, "ful_at"),
        ({"algorithm.baby_step.pacing": "linear"}, "pacing.*'linear'.*Allowed: baby_step"),
        ({"algorithm.baby_step.pacing.full_at": 0.3}, "full_at"),
    ],
)
def test_what_no_algorithm_has_is_refused(
    real_space: Space, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        narrowed(narrowed(real_space, {"algorithm": PACED}), given)


def test_a_list_of_options(space: Space, real_space: Space) -> None:
    both = narrowed(real_space, {"algorithm": ["superloss", "self_paced"]})
    assert both.options("algorithm") == ["superloss", "self_paced"]
    assert both.default()["algorithm"]["name"] == "superloss"
    with_default = narrowed(real_space, {"algorithm": ["superloss", "plain"]})
    assert with_default.options("algorithm") == ["plain", "superloss"]
    assert narrowed(space, {"engine": "electric"}).options("engine") == ["electric"]
    assert narrowed(space, {"engine.name": "electric"}) == narrowed(space, {"engine": "electric"})


@pytest.mark.parametrize(
    ("narrowing", "path", "value"),
    [
        ({"body.doors": 5}, "body.doors", 5),
        ({"body.doors": 5.0}, "body.doors", 5),
        ({"body.weight": 2}, "body.weight", 2.0),
        ({"body.open": True}, "body.open", True),
        ({"engine.petrol.fuel": "normal"}, "engine.fuel", "normal"),
        ({"engine.damping": 0.75}, "engine.damping", 0.75),
        ({"body.doors": [6, 5]}, "body.doors", 6),
        ({"body.doors": [6, 4]}, "body.doors", 4),
        ({"body.doors": {"low": 5}}, "body.doors", 5),
        ({"body.doors": {"low": 2, "high": 3}}, "body.doors", 3),
        ({"body.doors": {"low": 2, "high": 5, "default": 2}}, "body.doors", 2),
        ({"body.doors": {"default": 6}}, "body.doors", 6),
    ],
)
def test_the_default_moves_no_further_than_it_must(
    space: Space, narrowing: dict[str, Any], path: str, value: Any
) -> None:
    section, field = path.split(".")
    found = narrowed(space, narrowing).default()[section][field]
    assert (found, type(found)) == (value, type(value))


@given(data=st.data())
def test_configs_stay_inside_what_was_left(
    data: st.DataObject, real_space: Space, configs: Callable[..., Any]
) -> None:
    narrowing = {
        "training.batch_size": [32, 64],
        "training.epochs": {"low": 2, "high": 8, "log": False},
        "algorithm.superloss.lam": {"low": 0.5, "high": 2},
        "algorithm.self_paced.pacing": ["linear", "step"],
        "algorithm.pacing.start": 0.1,
        "schedule": "cosine",
    }
    config = data.draw(configs(narrowed(real_space, narrowing)))
    assert config["training"]["batch_size"] in (32, 64)
    assert 2 <= config["training"]["epochs"] <= 8
    assert config["schedule"]["name"] == "cosine"
    algorithm = config["algorithm"]
    if algorithm["name"] == "superloss":
        assert 0.5 <= algorithm["lam"] <= 2
    if algorithm["name"] == "self_paced":
        assert algorithm["pacing"]["name"] in ("linear", "step")
    if "pacing" in algorithm:
        assert algorithm["pacing"]["start"] == 0.1


@pytest.mark.parametrize(
    ("dotted", "nested"),
    [
        ({"body.doors": 3}, {"body": {"doors": 3}}),
        ({"engine.power": {"high": 50}}, {"engine": {"power": {"high": 50}}}),
        ({"engine.power.high": 50}, {"engine": {"power": {"high": 50}}}),
        ({"engine.petrol.power": 2}, {"engine": {"petrol": {"power": 2}}}),
        ({"engine.electric.gearbox.manual.gears": 4}, {"engine.gearbox": {"gears": 4}}),
        ({"engine.name": ["petrol"]}, {"engine": {"name": ["petrol"]}}),
        (
            {"engine": "electric", "body.doors": 3, "body.wheels": 3, "engine.fuel": ["ac"]},
            {"body": {"doors": 3, "wheels": 3}, "engine": {"name": "electric", "fuel": ["ac"]}},
        ),
    ],
)
def test_dotted_and_nested_are_the_same(
    space: Space, dotted: dict[str, Any], nested: dict[str, Any]
) -> None:
    found = narrowed(space, dotted)
    assert found == narrowed(space, nested)
    assert found != space


def test_a_path_may_name_an_option(space: Space) -> None:
    found = narrowed(space, {"engine.petrol.damping": 0.125})
    assert found.only("engine", "petrol").default()["engine"]["damping"] == 0.125
    assert found.only("engine", "electric") == space.only("engine", "electric")


def test_an_empty_mapping_leaves_all(space: Space) -> None:
    assert narrowed(space, {}) == space
    assert narrowed(space, {"engine": {}, "body.doors": {}}) == space


@pytest.mark.parametrize(
    ("narrowing", "said"),
    [
        ({"body.doors": {"low": 5, "high": 3}}, "body.doors: low 5 is greater than high 3"),
        ({"engin.power": 3}, "unknown key in the space 'engin'. Did you mean 'engine'?"),
        ({"body.door": 3}, "'body.door'. Did you mean 'body.doors'?"),
        ({"engine.powr": 3}, "'engine.powr'. Did you mean 'engine.power'?"),
        ({"engine.petrol.powr": 3}, "'engine.petrol.powr'. Did you mean 'engine.petrol.power'?"),
        ({"engine.gearbox.gear": 3}, "Did you mean 'engine.gearbox.gears'?"),
        ({"body.doors": {"hihg": 3}}, "unknown key in body.doors 'hihg'. Did you mean 'high'?"),
        ({"body.doors.hihg": 3}, "unknown key in body.doors 'hihg'. Did you mean 'high'?"),
        ({"body.wheels.low": 3}, "unknown key in the space 'body.wheels.low'"),
        ({"body.doors": []}, "body.doors: got an empty list, expected at least one value"),
        ({"engine": []}, "engine: got an empty list, expected at least one engine"),
        ({"engine": "petrl"}, "unknown engine in engine 'petrl'. Did you mean 'petrol'?"),
        ({"engine": ["petrol", 3]}, "unknown engine in engine '3'"),
        ({"engine": [["petrol"]]}, "unknown engine in engine"),
        ({"engine": None}, "unknown engine in engine 'None'"),
        ({"body.doors": 7}, "body.doors: got 7, expected a whole number from 2 to 6"),
        ({"body.doors": 2.5}, "body.doors: got 2.5"),
        ({"body.doors": True}, "body.doors: got True"),
        ({"body.doors": [2, 7]}, "body.doors: got 7"),
        ({"body.doors": {"low": 1}}, "body.doors.low: got 1, expected a whole number from 2"),
        ({"body.doors": {"high": 6.5}}, "body.doors.high: got 6.5"),
        ({"body.doors": {"low": "2"}}, "body.doors.low: got '2'"),
        ({"body.doors": {"log": 1}}, "body.doors.log: got 1, expected bool"),
        ({"engine.petrol.damping": {"log": True}}, "damping: low 0 must be greater than 0 on a"),
        ({"engine.damping": {"log": True}}, "damping: low 0 must be greater than 0 on a log"),
        ({"body.doors": {"low": 5, "default": 4}}, "body.doors.default: got 4, expected a whole"),
        ({"engine.petrol.fuel": {"low": 1}}, "engine.petrol.fuel: got {'low': 1}, expected one"),
        ({"engine.power": {"low": 0.5}}, "power.low: got 0.5"),
        ({"engine.power": {"high": 2000}}, "power.high: got 2000"),
        ({"engine.power": {"high": 5}}, "engine.electric.power.high: got 5, expected a number"),
        ({"engine.power": {"low": 200}}, "engine.petrol.power.low: got 200, expected a number"),
        ({"engine.power": {"low": "x"}}, "power.low: got 'x'"),
        ({"engine.power": {"low": 50, "high": 20}}, "power: low 50 is greater than high 20"),
        ({"engine.power": {"default": 5000}}, "power.default: got 5000"),
        ({"engine.power": 5}, "engine.electric.power: got 5, expected a number from 10 to 1000"),
        ({"engine.fuel": "normal"}, "engine.electric.fuel: got 'normal', expected one of ac, dc"),
        ({"body.wheels": [3, 4]}, "body.wheels: got [3, 4], expected int"),
        ({"body.wheels": "4"}, "body.wheels: got '4', expected int"),
        ({"body": 3}, "body: got 3, expected a mapping of its fields"),
        ({3: 3}, "unknown key in the space '3'"),
    ],
)
def test_a_mistake_is_refused(space: Space, narrowing: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        narrowed(space, narrowing)
    assert said in str(refused.value)


@pytest.mark.parametrize("narrowing", [None, [], "engine", 3])
def test_a_narrowing_is_a_mapping(space: Space, narrowing: Any) -> None:
    with pytest.raises(InputError, match="must hold a mapping"):
        narrowed(space, narrowing)


def test_narrowing_twice_narrows_further(space: Space) -> None:
    once = narrowed(space, {"body.doors": {"low": 3, "high": 5}})
    twice = narrowed(once, {"body.doors": {"high": 4}})
    assert twice == narrowed(space, {"body.doors": {"low": 3, "high": 4}})
    with pytest.raises(InputError, match=r"body\.doors\.low: got 2"):
        narrowed(once, {"body.doors": {"low": 2}})


def test_the_space_that_is_narrowed_stays_as_it_was(space: Space) -> None:
    before = space.fingerprint()
    narrowed(space, {"engine": "electric", "engine.gearbox.gears": {"low": 4}, "body.doors": 2})
    assert space.fingerprint() == before


@pytest.mark.parametrize(
    "given",
    [{"engine.petrol.power": 3}, {"engine.petrol.power": {"low": 3}}, {"engine.power.low": 20}],
)
def test_a_field_without_a_meaning_is_not_searched_and_takes_no_value(
    space: Space, given: dict[str, Any]
) -> None:
    found = space.without("engine", "petrol", "power", "an engine like this has no power")
    assert found.default() == space.default()
    assert found.fingerprint() != space.fingerprint()
    with pytest.raises(
        InputError, match=r"power: got .*, but an engine .* no power; leave it out"
    ):
        narrowed(found, given)
    assert narrowed(found, {"engine.electric.power": 20.0}) != found

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import InputError, Space, from_config, option, option_names, options, to_config

CAR = {
    "engine": {
        "name": "electric",
        "power": 250.0,
        "damping": 1.0,
        "fuel": "dc",
        "phases": 1,
        "gearbox": {"name": "automatic", "smooth": False},
    },
    "body": {"doors": 2, "weight": 0.8, "wheels": 3, "open": True, "paint": "blue"},
}
REMOVE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """CAR with one value replaced, added or removed."""
    config = copy.deepcopy(CAR)
    *sections, last = path.split(".")
    place: Any = config
    for section in sections:
        place = place[section]
    if value is REMOVE:
        del place[last]
    else:
        place[last] = value
    return config


def test_options_are_found_by_their_place(engine: Any) -> None:
    assert option_names("toy.engines") == ["electric", "petrol"]
    assert list(options(engine)) == ["electric", "petrol"]
    assert options(engine)["petrol"]().sound() == "brumm"
    assert option(engine, "electric").part_name() == "electric"


def test_a_new_file_is_a_new_option(engine: Any, write_modules: Callable[..., None]) -> None:
    source = """
from toy.engine import Engine
from toy.engines.petrol import Petrol

@dataclass(frozen=True)
class Steam(Engine):
    pressure: Annotated[float, Float(1, 5)] = 2.0

    def sound(self) -> str:
        return "tuff"
"""
    write_modules({"toy/engines/steam.py": source, "toy/engines/_helpers.py": "nothing = None"})
    assert list(options(engine)) == ["electric", "petrol", "steam"]
    assert option(engine, "steam")().sound() == "tuff"


def test_an_unknown_option_names_the_nearest(engine: Any) -> None:
    with pytest.raises(InputError, match=r"unknown engine 'petrl'.*'petrol'.*electric, petrol"):
        option(engine, "petrl")


@pytest.mark.parametrize(
    "source",
    [
        "from toy.engines.petrol import Petrol",
        """
from toy.engine import Engine

class One(Engine): ...
class Two(Engine): ...
""",
    ],
    ids=["none", "two"],
)
def test_an_options_module_holds_exactly_one_part(
    engine: Any, write_modules: Callable[..., None], source: str
) -> None:
    write_modules({"toy/engines/odd.py": source})
    with pytest.raises(RuntimeError, match=r"toy\.engines\.odd must hold exactly one"):
        option(engine, "odd")


def test_a_config_becomes_typed_parts_and_comes_back(recipe: Any) -> None:
    car = from_config(recipe, CAR)
    assert car.engine.sound() == "summ"
    assert car.engine.gearbox.smooth is False
    assert car.body.weight == 0.8
    assert to_config(car) == CAR


def test_a_field_can_hold_one_option_of_a_family(
    recipe: Any, write_modules: Callable[..., None]
) -> None:
    source = """
from toy.gearboxes.manual import Manual
from toy.engine import Engine

@dataclass(frozen=True)
class Diesel(Engine):
    gearbox: Manual = Manual(gears=4)

    def sound(self) -> str:
        return "nagel"
"""
    write_modules({"toy/engines/diesel.py": source})
    space = Space.of(recipe).only("engine", "diesel")
    config = space.default()
    assert config["engine"] == {"name": "diesel", "gearbox": {"name": "manual", "gears": 4}}
    assert to_config(from_config(recipe, config)) == config
    assert space.contains(config)
    for name, said in [("automatic", "unknown gearbox of this kind"), ("manul", "'manual'")]:
        config["engine"]["gearbox"]["name"] = name
        with pytest.raises(InputError, match=said):
            from_config(recipe, config)


def test_a_whole_number_becomes_a_float_where_a_float_belongs(recipe: Any) -> None:
    config = changed("engine.power", 250)
    config["body"]["weight"] = 2
    car = from_config(recipe, config)
    assert (type(car.engine.power), type(car.body.weight)) == (float, float)


def test_to_config_leaves_state_out(recipe: Any) -> None:
    car = from_config(recipe, CAR)
    car.body.log["trips"] = 3
    assert to_config(car) == CAR


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("engine", REMOVE, "engine is missing"),
        ("engine.name", REMOVE, "engine.name is missing"),
        ("engine.power", REMOVE, "engine.power is missing"),
        ("engine.gearbox.smooth", REMOVE, "engine.gearbox.smooth is missing"),
        ("engin", 1, "unknown key in config 'engin'. Did you mean 'engine'?"),
        ("engine.powr", 1, "unknown key in engine 'powr'. Did you mean 'power'?"),
        ("engine.gearbox.gears", 4, "unknown key in engine.gearbox 'gears'"),
        ("body.log", {}, "unknown key in body 'log'"),
        ("body.name", "body", "unknown key in body 'name'"),
        ("engine.name", "eletric", "unknown engine 'eletric'. Did you mean 'electric'?"),
        ("engine.name", ["electric"], "unknown engine"),
        ("engine", "electric", "engine: got 'electric', expected a mapping"),
        ("engine.gearbox", None, "engine.gearbox: got None, expected a mapping"),
        ("engine.power", "250", "engine.power: got '250', expected a number from 10 to 1000"),
        ("engine.power", None, "engine.power: got None"),
        ("engine.damping", True, "engine.damping: got True, expected a number"),
        ("engine.power", math.nan, "engine.power: got nan"),
        ("engine.power", math.inf, "engine.power: got inf"),
        ("engine.power", 9.99, "engine.power: got 9.99, expected a number from 10 to 1000 (log)"),
        ("engine.power", 10**400, "engine.power: got 1000"),
        ("engine.fuel", "super", "engine.fuel: got 'super', expected one of ac, dc"),
        ("engine.gearbox.smooth", 1, "engine.gearbox.smooth: got 1, expected one of True, False"),
        ("body.doors", 2.5, "body.doors: got 2.5, expected a whole number from 2 to 6"),
        ("body.doors", True, "body.doors: got True"),
        ("body.doors", math.nan, "body.doors: got nan"),
        ("body.doors", -math.inf, "body.doors: got -inf"),
        ("body.doors", 7, "body.doors: got 7, expected a whole number from 2 to 6"),
        ("body.weight", math.nan, "body.weight: got nan, expected a finite number"),
        ("body.weight", math.inf, "body.weight: got inf, expected a finite number"),
        ("body.weight", 10**400, "expected a finite number"),
        ("body.weight", True, "body.weight: got True, expected float"),
        ("body.wheels", 4.0, "body.wheels: got 4.0, expected int"),
        ("body.wheels", True, "body.wheels: got True, expected int"),
        ("body.open", 1, "body.open: got 1, expected bool"),
        ("body.paint", 3, "body.paint: got 3, expected str"),
    ],
)
def test_a_mistake_is_refused_by_the_path_of_its_field(
    recipe: Any, path: str, value: Any, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        from_config(recipe, changed(path, value))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("config", [None, [], "car", 3])
def test_a_config_is_a_mapping(recipe: Any, config: Any) -> None:
    with pytest.raises(InputError, match=r"config: got .* expected a mapping"):
        from_config(recipe, config)


@given(data=st.data())
def test_every_config_of_the_scenario_survives_parts(
    data: st.DataObject, real_recipe: type, real_space: Space, configs: Callable[..., Any]
) -> None:
    config = data.draw(configs(real_space))
    assert to_config(from_config(real_recipe, config)) == config

"""What has no effect is no part of a space: no coordinate, no config, no listing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import (
    InputError,
    Space,
    as_today,
    coordinates,
    decode,
    encode,
    fitted,
    from_config,
    narrowed,
    refuse_unused,
    to_config,
)

KEY = "from search_spaces import Formerly, Only, Override, POSITIVE\n"
CAR = {
    "kit/__init__.py": "",
    "kit/wheels/__init__.py": "",
    "kit/wheel.py": """
class Wheel(Part, ABC):
    kind: ClassVar[str] = "wheel"
    options_in: ClassVar[str] = "kit.wheels"
""",
    "kit/wheels/round.py": KEY
    + """
from kit.wheel import Wheel

@dataclass(frozen=True)
class Round(Wheel):
    radius: Annotated[float, Float(1.0, 9.0), POSITIVE] = 3.0
    spokes: Annotated[int, Int(3, 30), Formerly(7)] = 12
""",
    "kit/wheels/square.py": KEY
    + """
from kit.wheel import Wheel

@dataclass(frozen=True)
class Square(Wheel):
    side: Annotated[float, Float(1.0, 9.0)] = 2.0
""",
    "kit/roads/__init__.py": "",
    "kit/road.py": """
class Road(Part, ABC):
    kind: ClassVar[str] = "road"
    options_in: ClassVar[str] = "kit.roads"
""",
    "kit/roads/ice.py": KEY
    + """
from kit.road import Road

@dataclass(frozen=True)
class Ice(Road):
    overrides: ClassVar[tuple[Override, ...]] = (
        Override("wheel.radius"), Override("wheel.side"),
    )
""",
    "kit/roads/tar.py": KEY
    + """
from kit.road import Road

@dataclass(frozen=True)
class Tar(Road):
    overrides: ClassVar[tuple[Override, ...]] = (Override("wheel.radius", when={"wet": True}),)
    wet: Annotated[bool, Categorical([False, True])] = False
    kind_of_rain: Annotated[str, Categorical(["drizzle", "hail"]), Only(wet=True)] = "drizzle"
""",
    "kit/recipe.py": """
from kit.road import Road
from kit.roads.tar import Tar
from kit.wheel import Wheel
from kit.wheels.round import Round

@dataclass(frozen=True)
class Recipe:
    wheel: Wheel = Round()
    road: Road = Tar()
""",
}


@pytest.fixture
def recipe(write_modules: Callable[[dict[str, str]], None]) -> Any:
    write_modules(CAR)
    return importlib.import_module("kit.recipe").Recipe


def test_a_config_holds_nothing_without_effect(recipe: Any) -> None:
    space = Space.of(recipe)
    assert space.default() == {
        "wheel": {"name": "round", "radius": 3.0, "spokes": 12},
        "road": {"name": "tar", "wet": False},
    }
    point = encode(space, space.default())
    icy = decode(space, {**point, "road": "ice", "wheel.radius": 5.0})
    assert icy == {"wheel": {"name": "round", "spokes": 12}, "road": {"name": "ice"}}
    wet = decode(space, {**point, "road.wet{False|True}": True})
    assert wet == {
        "wheel": {"name": "round", "spokes": 12},
        "road": {"name": "tar", "wet": True, "kind_of_rain": "drizzle"},
    }
    for config in (icy, wet, space.default()):
        assert space.contains(config)
        assert decode(space, encode(space, config)) == config
        assert to_config(from_config(recipe, config)) == config


def test_what_never_has_an_effect_is_no_coordinate_and_is_not_listed(recipe: Any) -> None:
    space = Space.of(recipe)
    assert "wheel.radius" in coordinates(space)
    icy = space.only("road", "ice")
    assert set(coordinates(icy)) == {"wheel", "wheel.spokes"}
    assert set(icy.unused()) == {("wheel", "radius"), ("wheel", "side")}
    described = icy.describe()["wheel"]["options"]
    assert set(described["round"]) == {"spokes"}
    assert described["square"] == {}
    wet = narrowed(space, {"road": "tar", "road.wet": True})
    assert "wheel.radius" not in coordinates(wet)
    assert "wheel.side" in coordinates(wet)
    dry = narrowed(space, {"road": "tar", "road.wet": False})
    assert not any("rain" in name for name in coordinates(dry))
    assert "wheel.radius" in coordinates(dry)


def test_old_configs_with_and_without_a_field_are_read(recipe: Any) -> None:
    old = {"wheel": {"name": "round", "radius": 5.0}, "road": {"name": "ice"}}
    built = from_config(recipe, old)
    assert (built.wheel.radius, built.wheel.spokes) == (5.0, 7)
    today = {"wheel": {"name": "round", "spokes": 7}, "road": {"name": "ice"}}
    assert as_today(recipe, old) == today
    space = Space.of(recipe)
    assert space.contains(today)
    assert not space.contains(old)
    assert fitted(space, as_today(recipe, old)) == today
    broken = {"wheel": {"name": "oval"}, "road": {"name": "ice"}}
    assert as_today(recipe, broken) == broken
    assert not space.contains(broken)


def test_what_has_an_effect_must_be_there(recipe: Any) -> None:
    with pytest.raises(InputError, match=r"wheel\.radius is missing"):
        from_config(
            recipe,
            {"wheel": {"name": "round", "spokes": 3}, "road": {"name": "tar", "wet": False}},
        )


@pytest.mark.parametrize(
    ("narrowing", "said"),
    [
        (
            {"road": "ice", "wheel.radius": 2.0},
            "wheel.radius: road 'ice' leaves it without effect; leave it out.",
        ),
        (
            {"road": "tar", "road.wet": True, "wheel.round.radius": {"high": 5.0}},
            "wheel.radius: road 'tar' with wet True leaves it without effect; leave it out.",
        ),
        (
            {"road": "tar", "road.wet": False, "road.tar.kind_of_rain": ["hail"]},
            "road.kind_of_rain: it has an effect only with wet True; leave it out.",
        ),
    ],
)
def test_narrowing_what_has_no_effect_is_refused(
    recipe: Any, narrowing: dict[str, Any], said: str
) -> None:
    space = Space.of(recipe)
    with pytest.raises(InputError) as refused:
        refuse_unused(space, narrowed(space, narrowing))
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "narrowing",
    [{"road": "ice"}, {"wheel.radius": 2.0}, {"road.wet": True, "wheel.side": 3.0}],
)
def test_narrowing_what_has_an_effect_somewhere_is_not(
    recipe: Any, narrowing: dict[str, Any]
) -> None:
    space = Space.of(recipe)
    refuse_unused(space, narrowed(space, narrowing))


def test_a_legal_value_outside_of_what_is_searched_can_be_fixed_and_moves_to_its_end(
    recipe: Any,
) -> None:
    space = Space.of(recipe)
    wide = {"wheel": {"name": "round", "radius": 50.0, "spokes": 3}, "road": {"name": "ice"}}
    dry = {**wide, "road": {"name": "tar", "wet": False}}
    assert from_config(recipe, dry).wheel.radius == 50.0
    assert not space.contains(dry)
    assert encode(space, dry)["wheel.radius"] == 9.0
    at_the_end = fitted(space, dry)
    assert at_the_end is not None
    assert at_the_end["wheel"]["radius"] == 9.0
    fixed = narrowed(space, {"wheel.radius": 50.0})
    assert fixed.default()["wheel"]["radius"] == 50.0
    assert fixed.contains(dry)
    some = narrowed(space, {"wheel.round.radius": [0.5, 2.0]})
    assert coordinates(some.only("wheel", "round"))["wheel.radius{0.5|2.0}"]
    for wrong in (-1.0, [1.0, 0.0], {"high": 50.0}):
        with pytest.raises(InputError, match=r"wheel\.radius"):
            narrowed(space, {"wheel.radius": wrong})


@given(data=st.data())
def test_one_cycle_leaves_no_momentum_in_any_config(
    data: st.DataObject, real_recipe: type, real_space: Space, configs: Callable[..., Any]
) -> None:
    space = narrowed(real_space, {"schedule": "one_cycle"})
    config = data.draw(configs(space))
    assert not {"momentum", "beta1"} & set(config["optimizer"])
    assert not {"optimizer.momentum", "optimizer.beta1"} & set(coordinates(space))
    assert space.contains(config)
    old = {**config, "optimizer": {**config["optimizer"]}}
    old["optimizer"]["momentum" if config["optimizer"]["name"] == "sgd" else "beta1"] = 0.8
    assert as_today(real_recipe, old) == config


def test_other_schedules_leave_momentum_where_it_was(real_space: Space) -> None:
    space = narrowed(real_space, {"schedule": "cosine", "optimizer": ["sgd", "adam"]})
    assert {"optimizer.momentum", "optimizer.beta1"} <= set(coordinates(space))
    assert "momentum" in space.only("optimizer", "sgd").default()["optimizer"]
    mixed = narrowed(real_space, {"schedule": ["cosine", "one_cycle"]})
    assert "optimizer.beta1" in coordinates(mixed)

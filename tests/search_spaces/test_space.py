from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from search_spaces import Float, InputError, Space, coordinates, from_config, narrowed
from search_spaces.ranges import in_range
from search_spaces.space import Choice, Group, Leaf, Node


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """Every searched field of a space, with its path."""
    if isinstance(node, Leaf):
        yield path, node
    elif isinstance(node, Group | Choice):
        inside = node.fields if isinstance(node, Group) else node.options
        for name, below in inside.items():
            yield from leaves(below, f"{path}.{name}")


def test_the_default_config_is_the_published_one(space: Space) -> None:
    assert space.default() == {
        "engine": {
            "name": "petrol",
            "power": 10.0,
            "damping": 0.25,
            "fuel": "super",
            "phases": 4,
        },
        "body": {"doors": 4, "weight": 1.5, "wheels": 4, "open": False, "paint": "red"},
    }


def test_an_option_brings_its_own_fields_and_no_others(space: Space) -> None:
    electric = space.only("engine", "electric").default()["engine"]
    assert electric == {
        "name": "electric",
        "power": 100.0,
        "damping": 0.5,
        "fuel": "ac",
        "phases": 3,
        "gearbox": {"name": "manual", "gears": 4},
    }


def test_the_options_of_a_section_begin_with_the_default(space: Space) -> None:
    assert space.options("engine") == ["petrol", "electric"]
    assert space.only("engine", "electric").options("engine") == ["electric"]


def test_the_range_of_a_field(space: Space) -> None:
    found = space.range_of("body", "doors")
    assert found is not None
    assert found.to_internal_repr(3) == 3
    assert space.range_of("body", "weight") is None


def test_parts_that_do_not_suit_are_left_out(recipe: Any) -> None:
    found = Space.of(recipe, keep=lambda part: part.part_name() != "automatic")
    assert found.options("engine") == ["petrol", "electric"]
    config = found.only("engine", "electric").default()
    with pytest.raises(InputError, match="gearbox"):
        narrowed(found, {"engine.gearbox": "automatic"})
    from_config(recipe, config)


def test_where_the_default_part_does_not_suit_another_is_the_default(recipe: Any) -> None:
    found = Space.of(recipe, keep=lambda part: part.part_name() != "petrol")
    assert found.options("engine") == ["electric"]
    assert from_config(recipe, found.default()).engine.sound() == "summ"


def test_an_option_is_put_back_from_a_wider_space(recipe: Any, space: Space) -> None:
    narrow = narrowed(space, {"engine": "electric", "engine.power": 50})
    wider = narrow.with_option("engine", "petrol", space)
    assert wider.options("engine") == ["petrol", "electric"]
    assert wider.default()["engine"]["name"] == "petrol"
    assert wider.only("engine", "electric").default()["engine"]["power"] == 50
    kept = narrowed(space, {"engine.petrol.power": 20}).with_option("engine", "petrol", space)
    assert kept.default()["engine"]["power"] == 20


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"engine": ["electric", "petrol"], "engine.petrol.power": {"low": 2}},
    {"engine.petrol.power": {"high": 50}},
    {"engine.petrol.power": {"log": False}},
    {"engine.petrol.power": {"default": 20}},
    {"engine.petrol.power": 10},
    {"engine.power": {"low": 10, "high": 100}},
    {"engine": "electric"},
    {"engine": "petrol"},
    {"engine": "electric", "engine.fuel": "ac"},
    {"engine.electric.fuel": ["ac"]},
    {"engine.electric.gearbox": "manual"},
    {"engine.electric.gearbox": ["automatic"]},
    {"engine.electric.damping": {"default": 0.25}},
    {"body.wheels": 3},
    {"body.weight": 2},
    {"body.open": True},
    {"body.doors": [2, 4]},
    {"body.doors": [2]},
    {"body.doors": 2},
]


def test_fingerprints_are_equal_where_spaces_are(recipe: Any) -> None:
    spaces = [narrowed(Space.of(recipe), narrowing) for narrowing in DIFFERENT]
    again = [narrowed(Space.of(recipe), narrowing) for narrowing in DIFFERENT]
    for (mine, one), (other, two) in product(enumerate(spaces), enumerate(again)):
        assert (one == two) == (mine == other)
        assert (one.fingerprint() == two.fingerprint()) == (mine == other)


def test_the_default_of_a_choice_is_part_of_the_fingerprint(real_space: Space) -> None:
    one, other = (
        narrowed(real_space, {"optimizer": names})
        for names in (["sgd", "amsgrad"], ["amsgrad", "sgd"])
    )
    assert one.default() != other.default()
    assert one.fingerprint() != other.fingerprint()


def test_a_new_option_changes_the_fingerprint(
    recipe: Any, write_modules: Callable[..., None]
) -> None:
    before = Space.of(recipe).fingerprint()
    source = "from toy.gearbox import Gearbox\n\nclass Belt(Gearbox): ..."
    write_modules({"toy/gearboxes/belt.py": source.replace("class", "@dataclass\nclass")})
    assert "belt" in [m.part_name() for m in _gearboxes()]
    assert Space.of(recipe).fingerprint() != before


def _gearboxes() -> list[Any]:
    parts = importlib.import_module("search_spaces.parts")
    base = importlib.import_module("toy.gearbox").Gearbox
    return list(parts.options(base).values())


def test_every_published_default_lies_inside_its_range(real_space: Space) -> None:
    found = dict(leaves(real_space.root))
    for path, leaf in found.items():
        assert in_range(path, leaf.default, leaf.allowed) == leaf.default
    assert ".algorithm.superloss.lam" in found
    assert ".algorithm.self_paced.pacing.linear.full_at" in found
    assert isinstance(found[".optimizer.sgd.lr"].allowed, Float)


def test_a_space_of_defaults_leaves_nothing_to_choose(space: Space) -> None:
    fixed = space.with_defaults(lambda path: True)
    assert coordinates(fixed) == {}
    assert fixed.default() == space.default()
    assert fixed.options("engine") == ["petrol"]


def test_only_what_is_named_gets_its_default(space: Space) -> None:
    fixed = space.with_defaults(lambda path: path == ("engine", "petrol", "power"))
    gone = {name for name, _ in leaves(space.root)} - {name for name, _ in leaves(fixed.root)}
    assert gone == {".engine.petrol.power"}
    assert fixed.options("engine") == space.options("engine")
    assert fixed.default() == space.default()

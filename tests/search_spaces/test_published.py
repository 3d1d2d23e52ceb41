"""Published values that belong to an option are the defaults of its arm, and of no other."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from search_spaces import (
    InputError,
    Space,
    decode,
    encode,
    fitted,
    from_config,
    narrowed,
    published_defaults,
    with_published,
)

OURS = {
    "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.8},
    "schedule": {"name": "cosine", "warmup": 0.1},
    "training": {"batch_size": 128},
}


@pytest.fixture
def published(real_space: Space) -> Space:
    """The curriculum's space with values that belong to `superloss`."""
    return with_published(real_space, "algorithm", "superloss", OURS)


def arm(space: Space, name: str = "superloss") -> dict[str, Any]:
    return space.only("algorithm", name).default()


def test_they_are_the_default_of_that_arm_alone(published: Space, real_space: Space) -> None:
    own = arm(published)
    assert own["optimizer"] == {
        "name": "sgd", "lr": 0.02, "weight_decay": 5e-4, "momentum": 0.8, "nesterov": False
    }  # fmt: skip
    assert own["schedule"] == {"name": "cosine", "warmup": 0.1}
    assert own["training"]["batch_size"] == 128
    assert arm(published, "self_paced") == arm(real_space, "self_paced")
    assert published.default() == real_space.default()


def test_the_default_option_may_have_some(real_space: Space) -> None:
    space = with_published(real_space, "algorithm", "plain", OURS)
    assert space.default() == space.only("algorithm", "plain").default()
    assert space.default()["optimizer"]["lr"] == 0.02


def test_a_part_states_them_itself(recipe: Any, engine: Any, monkeypatch: Any) -> None:
    from search_spaces import option

    electric = option(engine, "electric")
    monkeypatch.setattr(electric, "published", {"body": {"doors": 2, "weight": 2.5}})
    space = published_defaults(Space.of(recipe), recipe)
    assert space.only("engine", "electric").default()["body"]["doors"] == 2
    assert space.only("engine", "electric").default()["body"]["weight"] == 2.5
    assert space.default()["body"]["doors"] == 4


@pytest.mark.parametrize(
    ("narrowing", "section", "expected"),
    [
        ({"optimizer.sgd.lr": 0.3}, "optimizer", {"name": "sgd", "lr": 0.3, "momentum": 0.8}),
        ({"optimizer.lr": {"default": 0.1}}, "optimizer", {"name": "sgd", "lr": 0.1}),
        ({"optimizer": {"sgd": {"lr": {"default": 0.1}}}}, "optimizer", {"lr": 0.1}),
        ({"optimizer.sgd.lr": {"low": 0.05}}, "optimizer", {"lr": 0.05}),
        ({"optimizer.sgd.lr": {"low": 0.001}}, "optimizer", {"lr": 0.02}),
        ({"optimizer": ["adamw", "sgd"]}, "optimizer", {"name": "sgd", "lr": 0.02}),
        ({"optimizer": "adamw"}, "optimizer", {"name": "adamw", "lr": 1e-3}),
        ({"optimizer": ["adam", "adamw"]}, "optimizer", {"name": "adamw"}),
        ({"schedule": "one_cycle"}, "schedule", {"name": "one_cycle"}),
        ({"training.batch_size": 32}, "training", {"batch_size": 32}),
        ({"training.batch_size": [64, 128]}, "training", {"batch_size": 128}),
        ({"training": {"epochs": 3.0}}, "training", {"epochs": 3.0, "batch_size": 128}),
    ],
)
@pytest.mark.parametrize("first", [{}, {"algorithm": ["superloss", "plain"]}])
def test_what_the_user_says_comes_first(
    published: Space, narrowing: dict[str, Any], section: str, expected: Any, first: Any
) -> None:
    for each in ({**first, **narrowing}, {**narrowing, **first}):
        found = arm(narrowed(published, each))[section]
        assert found | expected == found


def test_an_arm_that_is_kept_is_narrowed_as_well(published: Space) -> None:
    kept = {"algorithm": "superloss"}
    for narrowing in (
        {"algorithm": "plain", "optimizer.sgd.lr": 0.3},
        {"optimizer.sgd.lr": 0.3, "algorithm": "plain"},
    ):
        space = narrowed(published, narrowing, kept)
        assert space.options("algorithm") == ["superloss", "plain"]
        assert arm(space)["optimizer"]["lr"] == 0.3
        assert arm(space)["optimizer"]["momentum"] == 0.8


def test_a_space_that_is_held_at_its_defaults_holds_each_arm_at_its_own(published: Space) -> None:
    space = published.with_defaults(lambda path: path != ("algorithm",))
    own = arm(space)
    assert own["optimizer"]["lr"] == 0.02 and own["schedule"]["name"] == "cosine"
    assert space.contains(own) and space.contains(arm(space, "plain"))
    assert not space.contains({**own, "optimizer": arm(space, "plain")["optimizer"]})
    assert fitted(space, own) == own
    assert not space.only("algorithm", "superloss").contains(arm(space, "plain"))


def test_points_and_configs_are_the_same(published: Space, real_recipe: type) -> None:
    space = published.only("algorithm", "superloss")
    own = space.default()
    assert decode(space, encode(space, own)) == own
    assert space.contains(own) and published.contains(own)
    assert fitted(published, own) == own
    from_config(real_recipe, own)


def test_they_are_part_of_what_a_space_is(published: Space, real_space: Space) -> None:
    assert published.fingerprint() != real_space.fingerprint()
    other = with_published(published, "algorithm", "superloss", {"optimizer": {"lr": 0.04}})
    assert other.fingerprint() != published.fingerprint()
    assert arm(other)["optimizer"]["momentum"] == 0.8
    assert pickle.loads(pickle.dumps(published)) == published
    whole = narrowed(published, {"algorithm": "plain"})
    assert whole.fingerprint() == narrowed(real_space, {"algorithm": "plain"}).fingerprint()


def test_an_option_that_does_not_suit_the_data_is_not_taken(real_recipe: type) -> None:
    space = Space.of(real_recipe, keep=lambda part: part.part_name() != "sgd")
    found = with_published(space, "algorithm", "superloss", OURS)
    assert arm(found)["optimizer"] == arm(space)["optimizer"]
    assert arm(found)["training"]["batch_size"] == 128


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optimiser": {"lr": 0.1}}, "'optimiser'.*Did you mean 'optimizer'"),
        ({"optimizer": {"name": "sgd", "rate": 0.1}}, "'optimizer.sgd.rate'"),
        ({"training": {"batch_size": 0}}, r"training.batch_size: got 0"),
        ({"training": {"batch_size": "many"}}, r"training.batch_size: got 'many'"),
    ],
)
def test_what_there_is_not_is_refused(real_space: Space, values: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_published(real_space, "algorithm", "superloss", values)

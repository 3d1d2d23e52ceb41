from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Config, Space, decode, encode, fitted, narrowed
from trainables.scenarios.scenario import load_scenario

WHOLE = narrowed(Space.of(load_scenario("curriculum").recipe), {"model": "mlp"})
ARM = WHOLE.only("algorithm", "superloss")
GIVEN = ARM.default()


def changed(path: str, value: Any) -> Config:
    """The default config with one value changed."""
    sections = {name: dict(part) for name, part in GIVEN.items()}
    section, name = path.split(".")
    sections[section][name] = value
    return sections


def test_a_config_of_the_space_stays_as_it_is() -> None:
    assert fitted(ARM, GIVEN) == GIVEN


@pytest.mark.parametrize(
    ("narrowing", "given", "section", "field", "expected"),
    [
        ({"optimizer.adamw.lr": {"low": 1e-3, "high": 1e-2}}, 5e-2, "optimizer", "lr", 1e-2),
        ({"optimizer.adamw.lr": {"low": 1e-3, "high": 1e-2}}, 5e-3, "optimizer", "lr", 5e-3),
        ({"training.batch_size": [32, 128]}, 50, "training", "batch_size", 32),
        ({"training.batch_size": 128}, 50, "training", "batch_size", 128),
    ],
)
def test_numbers_are_moved_to_what_is_allowed(
    narrowing: dict[str, Any], given: float, section: str, field: str, expected: float
) -> None:
    narrow = narrowed(ARM, narrowing)
    config = changed(f"{section}.{field}", given)
    found = fitted(narrow, config)
    assert found is not None
    assert found[section][field] == expected
    assert decode(narrow, encode(narrow, found)) == found


@pytest.mark.parametrize(
    ("narrowing", "config"),
    [
        ({"optimizer": ["sgd"]}, GIVEN),
        ({}, {**GIVEN, "model": {"name": "cnn"}}),
        ({}, {**GIVEN, "algorithm": {"name": "self_paced"}}),
        ({}, {**GIVEN, "optimizer": {"name": ["adamw"]}}),
        ({}, {**GIVEN, "optimizer": "adamw"}),
        ({}, changed("optimizer.lr", "fast")),
        ({}, changed("optimizer.lr", True)),
    ],
)
def test_what_the_space_has_no_option_for_is_refused(
    narrowing: dict[str, Any], config: Config
) -> None:
    assert fitted(narrowed(ARM, narrowing), config) is None


def test_hyperparameters_come_and_go_between_versions() -> None:
    older = {**GIVEN, "algorithm": {"name": "superloss", "gone": 3}}
    assert fitted(ARM, older) == GIVEN

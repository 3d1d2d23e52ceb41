from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import (
    Bounds,
    Float,
    InputError,
    Int,
    LogOrZero,
    Space,
    coordinates,
    decode,
    encode,
    narrowed,
)
from search_spaces.ranges import clip, describe_range, in_range, position_of, value_at

DECAY = LogOrZero(1e-8, 1e-2)


@pytest.mark.parametrize(
    ("bounds", "words", "held", "refused"),
    [
        (Bounds(above=0.0), "a number above 0", [1e-300, 7.0], [0.0, -1.0, math.inf, math.nan]),
        (Bounds(at_least=0.0), "a number at least 0", [0.0, 1e300], [-1e-300, math.inf]),
        (Bounds(at_least=0.0, at_most=1.0), "a number from 0 to 1", [0.0, 1.0], [1.1, -0.1]),
        (Bounds(above=0.0, at_most=1.0), "a number above 0 and at most 1", [1.0], [0.0, 1.1]),
        (Bounds(at_least=0.0, below=1.0), "a number at least 0 and below 1", [0.0], [1.0, -0.1]),
        (Bounds(), "a finite number", [-1e300, 0.0], [math.inf, -math.inf, math.nan, 10**400]),
    ],
)
def test_bounds(bounds: Bounds, words: str, held: list[float], refused: list[float]) -> None:
    assert describe_range(bounds) == words
    assert [in_range("x", value, bounds) for value in held] == held
    for value in refused:
        with pytest.raises(InputError, match=rf"^x: got .*, expected {words}\.$"):
            in_range("x", value, bounds)


@pytest.mark.parametrize("value", [True, np.True_, None, "1", [1], np.ones(2), np.ones((1, 1))])
def test_what_is_no_number_is_refused(value: Any) -> None:
    for allowed in (Bounds(), Float(0, 2), Int(0, 2), DECAY):
        with pytest.raises(InputError, match="x: got"):
            in_range("x", value, allowed)


def test_a_decay_is_zero_or_on_a_log_scale() -> None:
    found = [value_at(DECAY, position) for position in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert found == [0.0, 0.0, pytest.approx(1e-8), pytest.approx(1e-5), pytest.approx(1e-2)]
    for value in (0.0, 1e-8, 1e-6, 1e-2):
        assert value_at(DECAY, position_of(DECAY, value)) == pytest.approx(value)
        assert in_range("x", value, DECAY) == value
    assert [clip(value, DECAY) for value in (-1.0, 0.0, 1e-9, 1.0)] == [0.0, 0.0, 1e-8, 1e-2]
    assert describe_range(DECAY) == "0 or a number from 1e-08 to 0.01 (log)"
    with pytest.raises(InputError, match="expected 0 or a number"):
        in_range("x", 1e-9, DECAY)


@given(value=st.floats(-1e3, 1e3))
def test_positions_of_whatever_number_lie_in_the_range(value: float) -> None:
    for allowed in (Float(1e-5, 1.0, log=True), Float(-1.0, 1.0), Int(1, 8, log=True), DECAY):
        position = position_of(allowed, value)
        assert 0.0 <= position <= 1.0
        in_range("x", value_at(allowed, position), allowed)


def test_adams_decay_is_searched_by_its_size_and_may_be_zero(real_space: Space) -> None:
    adam = real_space.only("optimizer", "adam")
    assert adam.default()["optimizer"]["weight_decay"] == 0.0
    assert coordinates(adam)["optimizer.weight_decay"] == Float(0.0, 1.0)
    point = encode(adam, adam.default())
    assert decode(adam, point) == adam.default()
    positions = [0.0, 0.4, 0.7, 1.0]
    found = [
        decode(adam, {**point, "optimizer.weight_decay": position})["optimizer"]["weight_decay"]
        for position in positions
    ]
    assert found[0] == 0.0
    assert found[-1] == 1e-2
    assert found[1:3] == pytest.approx([1e-6, 1e-4])


@pytest.mark.parametrize("name", ["adam", "adamw", "amsgrad"])
def test_fastais_second_moment_can_be_reached(real_space: Space, name: str) -> None:
    space = real_space.only("optimizer", name)
    assert space.default()["optimizer"]["beta2"] == 0.999
    (coordinate,) = [name for name in coordinates(space) if name.startswith("optimizer.beta2")]
    point = encode(space, space.default())
    assert decode(space, {**point, coordinate: 0.99})["optimizer"]["beta2"] == 0.99


@pytest.mark.parametrize(
    ("given", "low", "high", "zero"),
    [
        ({"low": 1e-6}, 1e-6, 1e-2, False),
        ({"high": 1e-4}, 1e-8, 1e-4, True),
        ({"low": 0.0, "high": 1e-5}, 1e-8, 1e-5, True),
        ({"low": 1e-7, "high": 1e-5, "log": False}, 1e-7, 1e-5, False),
    ],
)
def test_such_a_range_can_be_narrowed(
    real_space: Space, given: dict[str, float], low: float, high: float, zero: bool
) -> None:
    space = narrowed(real_space.only("optimizer", "adam"), {"optimizer.adam.weight_decay": given})
    group: Any = space.root.fields["optimizer"]
    leaf = group.options["adam"].fields["weight_decay"]
    assert (leaf.allowed.low, leaf.allowed.high) == (low, high)
    assert isinstance(leaf.allowed, LogOrZero) == zero
    assert in_range("x", leaf.default, leaf.allowed) == leaf.default == (0.0 if zero else low)


def test_a_range_for_all_optimizers_narrows_such_a_range_too(real_space: Space) -> None:
    space = narrowed(real_space, {"optimizer.weight_decay": {"low": 1e-5, "high": 1e-3}})
    for name in space.options("optimizer"):
        chosen = space.only("optimizer", name)
        leaf: Any = chosen.root.fields["optimizer"]
        allowed = leaf.options[name].fields["weight_decay"].allowed
        assert allowed == Float(1e-5, 1e-3, log=True)

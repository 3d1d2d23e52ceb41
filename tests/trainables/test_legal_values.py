"""What a part may hold is checked wherever one is made: every part that can be named."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pytest

from automl_cl.command.catalogue import _parts
from search_spaces import Categorical, Float, InputError, Int, Part, from_config, to_config
from search_spaces.parts import FieldType, field_types, is_part
from search_spaces.ranges import Bounds
from trainables.parts.optimizers.adam import Adam
from trainables.parts.optimizers.sgd import SGD
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss
from trainables.scenarios.pacings.baby_step import BabySteps
from trainables.scenarios.pacings.linear import Linear

PARTS = sorted(set(_parts()), key=lambda cls: (cls.__module__, cls.__name__))
FIELDS = [
    pytest.param(cls, name, field, id=f"{cls.__module__.removeprefix('trainables.')}-{name}")
    for cls in PARTS
    for name, field in field_types(cls).items()
]
every_field = pytest.mark.parametrize(("cls", "name", "field"), FIELDS)


def illegal(field: FieldType) -> list[Any]:
    """Values that a field must not hold."""
    legal = field.legal
    if is_part(field.hint):
        return ["a name", None, 3]
    if legal is None:
        return {str: [3, None], bool: [1, "yes"]}.get(field.hint, [math.nan, math.inf, "3", True])
    if isinstance(legal, Categorical):
        return ["no such choice", None, [], math.nan, np.ones(2)]
    odd = [math.nan, math.inf, -math.inf, True, np.True_, None, "1", [], np.float64("nan")]
    if isinstance(legal, Int):
        return [*odd, legal.low - 1, legal.high + 1, legal.low + 0.5, np.int64(legal.low - 1)]
    if isinstance(legal, Float):
        return [*odd, legal.low - 1.0, legal.high + 1.0]
    assert isinstance(legal, Bounds)
    ends = [legal.at_least - 1e-9, legal.above, legal.at_most + 1e-9, legal.below]
    return odd + [end for end in ends if math.isfinite(end)]


@pytest.mark.parametrize("cls", PARTS)
def test_a_default_can_be_made_and_is_what_its_config_says(cls: type[Part]) -> None:
    default = cls()
    assert from_config(cls, to_config(default)) == default
    assert replace(default) == default  # type: ignore[type-var]


@every_field
def test_illegal_values_are_refused_however_a_part_is_made(
    cls: type[Any], name: str, field: FieldType
) -> None:
    config = to_config(cls())
    for value in illegal(field):
        for make in (
            lambda value=value: cls(**{name: value}),
            lambda value=value: replace(cls(), **{name: value}),
        ):
            with pytest.raises(InputError, match=rf"^{cls.__name__}\.{name}: got .+, expected "):
                make()
        with pytest.raises(InputError, match=rf"^{name}(: got .+, expected |\.name)"):
            from_config(cls, {**config, name: value})


@every_field
def test_a_searched_range_is_legal(cls: type[Any], name: str, field: FieldType) -> None:
    if isinstance(field.searched, Float | Int):
        for end in (field.searched.low, field.searched.high):
            assert getattr(cls(**{name: end}), name) == end
    elif isinstance(field.searched, Categorical):
        for choice in field.searched.choices:
            assert getattr(cls(**{name: choice}), name) == choice


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SuperLoss(lam=-1.0), "SuperLoss.lam: got -1.0, expected a number above 0."),
        (lambda: SuperLoss(lam=0), "SuperLoss.lam: got 0, expected a number above 0."),
        (
            lambda: SGD(momentum=5.0),
            "SGD.momentum: got 5.0, expected a number at least 0 and below 1.",
        ),
        (lambda: SGD(lr=-0.1), "SGD.lr: got -0.1, expected a number above 0."),
        (lambda: Linear(start=3.0), "Linear.start: got 3.0, expected a number from 0 to 1."),
        (lambda: Linear(full_at=-1.0), "Linear.full_at: got -1.0"),
        (lambda: BabySteps(grow=0.0), "BabySteps.grow: got 0.0"),
        (lambda: Adam(weight_decay=-1e-4), "Adam.weight_decay: got -0.0001"),
        (lambda: Adam(beta2=1.0), "Adam.beta2: got 1.0"),
        (lambda: replace(SGD(), momentum=1.0), "SGD.momentum: got 1.0"),
    ],
)
def test_what_makes_no_sense_names_field_value_and_what_is_allowed(make: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        make()
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "config",
    [
        {"lr": 0.03, "weight_decay": 5e-4, "momentum": 0.9, "nesterov": True},  # FixMatch
        {"lr": 1.5, "weight_decay": 1e-4, "momentum": 0.95, "nesterov": False},  # fastai on DAWN
        {"lr": 11.5, "weight_decay": 0.0153, "momentum": 0.85, "nesterov": True},  # airbench
        {"lr": 0.1, "weight_decay": 0.0, "momentum": 0.0, "nesterov": False},  # plain SGD
    ],
)
def test_published_values_outside_of_what_is_searched_are_legal(config: dict[str, Any]) -> None:
    built = from_config(SGD, {"name": "sgd", **config})
    assert built == SGD(**config)
    assert to_config(built) == {"name": "sgd", **config}


def test_numbers_become_pythons_own_of_the_fields_type() -> None:
    found = SGD(lr=1, weight_decay=np.float32(0.5), momentum=np.float64(0.5), nesterov=np.True_)
    assert [type(value) for value in (found.lr, found.weight_decay, found.momentum)] == [float] * 3
    assert (found.lr, found.weight_decay, found.momentum) == (1.0, 0.5, 0.5)
    assert found.nesterov is True


@dataclass(frozen=True)
class Own(Part):
    """A part with a check of its own."""

    low: Annotated[float, Float(0.0, 1.0)] = 0.2
    high: Annotated[float, Float(0.0, 1.0)] = 0.8
    count: int = 3

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise InputError("Own.low: must not exceed high.")


def test_a_parts_own_check_comes_after_that_of_its_fields() -> None:
    assert Own(low=np.float32(0.5), count=np.int64(2)) == Own(0.5, 0.8, 2)
    with pytest.raises(InputError, match=r"Own\.high: got 7"):
        Own(high=7.0)
    with pytest.raises(InputError, match="must not exceed"):
        Own(low=0.9)
    with pytest.raises(InputError, match=r"Own\.count: got 2\.0, expected int"):
        Own(count=2.0)  # type: ignore[arg-type]

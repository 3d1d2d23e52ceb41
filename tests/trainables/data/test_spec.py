from __future__ import annotations

from typing import Any

import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec


def test_round_trip_through_plain_values() -> None:
    options = {"label_column": "species", "feature_columns": ["a", "b"]}
    spec = DataSpec("iris.csv", noise="asymmetric:0.2", seed=7, options=options)
    values = {"source": "iris.csv", "noise": "asymmetric:0.2", "seed": 7, "options": options}
    assert spec.to_dict() == values
    assert DataSpec.from_dict(spec.to_dict()) == spec


def test_defaults_are_filled_in() -> None:
    assert DataSpec.from_dict({"source": "digits"}) == DataSpec("digits", "none", 0)


def test_a_rate_that_yaml_read_as_a_number_is_understood() -> None:
    assert DataSpec.from_dict({"source": "digits", "noise": 0.4}).noise == "0.4"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"source": "digits", "nois": "0.4"}, ["nois", "Did you mean 'noise'", "seed"]),
        ({"noise": "0.4"}, ["'source' is missing", "noise"]),
        ({"source": 3}, ["data source", "3"]),
        ({"source": " "}, ["data source"]),
        ({"source": "digits", "seed": "1"}, ["seed", "'1'"]),
        ({"source": "digits", "seed": True}, ["seed", "True"]),
        ({"source": "digits", "seed": -1}, ["seed", "-1", ">= 0"]),
        ({"source": "digits", "noise": None}, ["--noise", "None"]),
        ({"source": "digits", "noise": True}, ["--noise", "True"]),
        ({"source": "digits", "noise": "1.5"}, ["--noise", "1.5"]),
        (["digits"], ["mapping", "digits"]),
    ],
)
def test_mistakes_are_named(values: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        DataSpec.from_dict(values)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []

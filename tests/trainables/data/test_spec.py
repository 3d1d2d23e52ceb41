from __future__ import annotations

from typing import Any

import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec


def test_round_trip_through_plain_values() -> None:
    options = {"label_column": "species", "feature_columns": ["a", "b"]}
    values = {
        "source": "iris.csv",
        "noise": "asymmetric:0.2",
        "seed": 7,
        "options": options,
        "noise_map": {"a": "b"},
        "imbalance": "step:10",
        "clean": 0.1,
        "clean_validation": True,
    }
    spec = DataSpec(**values)
    assert spec.to_dict() == values
    assert DataSpec.from_dict(spec.to_dict()) == spec


def test_defaults_are_filled_in() -> None:
    assert DataSpec.from_dict({"source": "digits"}) == DataSpec("digits", "none", 0)


def test_a_rate_that_yaml_read_as_a_number_is_understood() -> None:
    assert DataSpec.from_dict({"source": "digits", "noise": 0.4}).noise == "0.4"


def test_asymmetric_noise_of_a_version_without_maps_is_pair_flip() -> None:
    old = {"source": "digits", "noise": "asymmetric:0.3", "seed": 3, "options": {}}
    assert DataSpec.from_dict(old).noise == "pair_flip:0.3"
    assert DataSpec.from_dict({**old, "noise_map": {}}).noise == "asymmetric:0.3"


def test_a_column_of_noisy_labels_is_noise_however_it_is_given() -> None:
    as_option = DataSpec("a.csv", options={"noisy_label_column": "people"})
    assert as_option.noise == "column:people"
    both = DataSpec("a.csv", "column:people", options={"noisy_label_column": "people"})
    assert both == as_option
    assert DataSpec.from_dict(both.to_dict()) == both


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
        ({"source": "digits", "imbalance": 50}, ["--imbalance", "50"]),
        ({"source": "digits", "imbalance": "50"}, ["--imbalance", "'50'", "long_tail, none"]),
        ({"source": "digits", "imbalance": "longtail:50"}, ["Did you mean 'long_tail'"]),
        ({"source": "digits", "imbalance": "step:0.5"}, ["--imbalance 'step:0.5'", "at least 1"]),
        ({"source": "digits", "imbalance": "step:inf"}, ["--imbalance 'step:inf'", "at least 1"]),
        ({"source": "digits", "imbalance": "step"}, ["--imbalance 'step'", "RATIO"]),
        ({"source": "digits", "clean": 100}, ["--clean 100", "without --noise"]),
        ({"source": "digits", "noise": "0", "clean": 9}, ["--clean 9", "without --noise"]),
        ({"source": "digits", "clean_validation": True}, ["--clean-validation", "without"]),
        ({"source": "digits", "noise": "0.4", "clean": 1.5}, ["--clean", "1.5", "whole number"]),
        ({"source": "digits", "noise": "0.4", "clean": -1}, ["--clean", "-1"]),
        ({"source": "digits", "noise": "0.4", "clean": "10"}, ["--clean", "'10'"]),
        ({"source": "digits", "noise": "0.4", "clean": True}, ["--clean", "True"]),
        ({"source": "digits", "noise": "0.4", "clean": float("nan")}, ["--clean", "nan"]),
        ({"source": "digits", "noise": "0.4", "clean_validation": 1}, ["--clean-validation"]),
        ({"source": "digits", "noise_map": {"1": "2"}}, ["--noise-map", "asymmetric"]),
        ({"source": "digits", "noise_map": "1=2"}, ["--noise-map", "'1=2'", "CLASS=CLASS"]),
        (
            {"source": "digits", "noise": "asymmetric:0.1", "noise_map": {1: 1}},
            ["--noise-map", "'1' becomes itself"],
        ),
        (
            {"source": "a.csv", "noise": "0.4", "options": {"noisy_label_column": "b"}},
            ["--noise '0.4'", "'b'", "give one"],
        ),
        (
            {"source": "a.csv", "noise": "column:c", "options": {"noisy_label_column": "b"}},
            ["--noise 'column:c'", "'b'", "give one"],
        ),
    ],
)
def test_mistakes_are_named(values: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        DataSpec.from_dict(values)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []

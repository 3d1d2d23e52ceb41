from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError

FULL = {
    "scenario": "curriculum",
    "data": "fashion-mnist",
    "noise": "asymmetric:0.4",
    "noise_map": {"Coat": "Dress"},
    "imbalance": "long_tail:50",
    "clean": 0.05,
    "clean_validation": True,
    "model": "cnn",
    "space": {"optimizer.lr": {"low": 1e-4, "high": 1e-2}, "algorithm": ["superloss"]},
    "trials": 200,
    "max_epochs": 12.5,
    "time_limit": 3600.0,
    "seeds": 5,
    "seed": 7,
    "fidelity": "compressed",
    "cpus_per_trial": 0.5,
    "gpus_per_trial": 0.25,
    "workers_per_trial": 1,
    "shard_model": False,
}


def test_only_scenario_and_data_are_needed() -> None:
    spec = SearchSpec.from_dict({"scenario": "curriculum", "data": "digits"}, "here")
    assert spec == SearchSpec("curriculum", "digits")
    assert (spec.trials, spec.seeds, spec.fidelity) == (100, 10, "prefix")


@pytest.mark.parametrize("given", [FULL, {"scenario": "curriculum", "data": "12e4"}])
def test_a_spec_comes_back_from_its_file(tmp_path: Path, given: dict[str, Any]) -> None:
    spec = SearchSpec.from_dict(given, "here")
    assert spec.to_dict() == spec.to_dict() | given
    assert SearchSpec.from_dict(spec.to_dict(), "here") == spec
    spec.write(tmp_path / "search.yaml")
    assert SearchSpec.read(tmp_path / "search.yaml") == spec


def test_a_noise_that_looks_like_a_number_comes_back(tmp_path: Path) -> None:
    spec = SearchSpec("curriculum", "digits", noise="4e-1")
    spec.write(tmp_path / "search.yaml")
    assert SearchSpec.read(tmp_path / "search.yaml") == spec


def test_a_spec_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "scenario: curriculum\ndata: digits\nnoise: 0.4\nmax_epochs: 20\n"
        "space:\n  optimizer.lr: {low: 1e-4}\n"
    )
    spec = SearchSpec.read(path)
    assert spec.noise == "0.4"
    assert spec.max_epochs == 20
    assert spec.space == {"optimizer.lr": {"low": 1e-4}}


def test_asymmetric_noise_of_a_run_before_there_were_maps_is_pair_flip() -> None:
    old = {"scenario": "curriculum", "data": "digits", "noise": "asymmetric:0.2"}
    assert SearchSpec.from_dict(old, "here").noise == "pair_flip:0.2"
    assert SearchSpec.from_dict({**old, "noise_map": {}}, "here").noise == "asymmetric:0.2"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("trails", 9, "unknown setting in here 'trails'. Did you mean 'trials'?"),
        (3, 9, "unknown setting in here '3'"),
        ("trials", 0, "--trials: got 0, expected a whole number from 1 to 1e+06"),
        ("trials", 10.0, "--trials: got 10.0, expected a whole number"),
        ("trials", True, "--trials: got True"),
        ("trials", "10", "--trials: got '10'"),
        ("trials", None, "--trials: got None"),
        ("trials", 10**400, "--trials: got 1000"),
        ("max_epochs", 0, "--max-epochs: got 0, expected a number from 0.01 to 10000"),
        ("max_epochs", math.nan, "--max-epochs: got nan"),
        ("max_epochs", math.inf, "--max-epochs: got inf"),
        ("max_epochs", 10**400, "--max-epochs: got 1000"),
        ("max_epochs", True, "--max-epochs: got True"),
        ("max_epochs", "30", "--max-epochs: got '30'"),
        ("time_limit", 0.5, "--time-limit: got 0.5, expected a number from 1"),
        ("time_limit", "1y", "--time-limit: got '1y', expected seconds, or an amount such as 10m"),
        ("seeds", 1, "--seeds: got 1, expected a whole number from 3"),
        ("seeds", 2, "--seeds: got 2, expected a whole number from 3 to 1000; over fewer seeds"),
        ("seed", -1, "--seed: got -1"),
        ("seed", 2**31, "--seed: got 2147483648"),
        ("fidelity", "prefx", "unknown --fidelity 'prefx'. Did you mean 'prefix'?"),
        ("fidelity", None, "unknown --fidelity 'None'"),
        ("cpus_per_trial", 0, "--cpus-per-trial: got 0, expected a number from 0.01"),
        ("gpus_per_trial", -1, "--gpus-per-trial: got -1, expected a number from 0"),
        ("workers_per_trial", 0, "--workers-per-trial: got 0"),
        ("shard_model", 1, "--shard-model: got 1, expected true or false"),
        ("shard_model", True, "--shard-model: one worker has nobody to divide the model with"),
        ("workers_per_trial", 1.0, "--workers-per-trial: got 1.0, expected a whole number"),
        ("workers_per_trial", True, "--workers-per-trial: got True, expected a whole number"),
        ("workers_per_trial", "2-", "--workers-per-trial: got '2-', expected a whole number"),
        ("workers_per_trial", "two", "or the fewest and the most, such as 2-4."),
        ("workers_per_trial", [2, 4, 6], "--workers-per-trial: got [2, 4, 6], expected"),
        ("workers_per_trial", [2, 4.5], "--workers-per-trial: got [2, 4.5], expected"),
        ("workers_per_trial", "0-2", "--workers-per-trial: got '0-2', expected"),
        ("workers_per_trial", "4-2", "got '4-2', expected the fewest first: 2-4."),
        ("workers_per_trial", None, "--workers-per-trial: got None, expected"),
        ("scenario", "", "--scenario: got '', expected a name"),
        ("data", 3, "--data: got 3, expected a name"),
        ("data", None, "--data: got None, expected a name"),
        ("noise", None, "--noise: got None, expected a name"),
        ("noise", True, "--noise: got True, expected a name"),
        ("imbalance", 50, "--imbalance: got 50, expected a name"),
        ("model", 3, "--model: got 3, expected a name"),
        ("space", "small", "unknown space file or preset 'small'"),
        ("space", 3, "--space: got 3, expected a mapping"),
    ],
)
def test_a_mistake_is_refused(key: Any, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        SearchSpec.from_dict({**FULL, key: value}, "here")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "kept", "workers"),
    [
        (2, 2, (2, 2)),
        ("2", 2, (2, 2)),
        ("2-2", 2, (2, 2)),
        ("2-4", "2-4", (2, 4)),
        ([2, 4], "2-4", (2, 4)),
        ((1, 3), "1-3", (1, 3)),
    ],
)
def test_workers_are_a_number_or_a_range(given: Any, kept: Any, workers: tuple[int, int]) -> None:
    spec = SearchSpec.from_dict({**FULL, "workers_per_trial": given}, "here")
    assert (spec.workers_per_trial, spec.workers) == (kept, workers)
    assert SearchSpec.from_dict(spec.to_dict(), "there") == spec


@pytest.mark.parametrize("key", ["scenario", "data"])
def test_a_missing_setting_is_named(key: str) -> None:
    given = {name: value for name, value in FULL.items() if name != key}
    with pytest.raises(InputError, match=f"here: the setting '{key}' is missing"):
        SearchSpec.from_dict(given, "here")


@pytest.mark.parametrize("given", [None, [], "digits"])
def test_a_spec_is_a_mapping(given: Any) -> None:
    with pytest.raises(InputError, match="here: expected a mapping"):
        SearchSpec.from_dict(given, "here")

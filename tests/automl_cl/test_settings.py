"""Noise, imbalance, clean labels and what an algorithm was given, through a whole search."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_cl.engine import driver
from automl_cl.results.tuned import Tuned
from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.verdict import judge as verdict
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss

from .conftest import SMALL, search_here, toy, train_here


def write_labels_of_people(folder: Path) -> Path:
    """The toy data with labels of people, of which three in ten are wrong."""
    arrays, rng = toy(), np.random.default_rng(1)
    wrong = rng.random(120) < 0.3
    people = np.where(wrong, (arrays["y"] + rng.integers(1, 3, 120)) % 3, arrays["y"])
    np.savez(folder / "people.npz", **arrays, people=people)
    return folder / "people.npz"


def given_to(curriculum: SuperLoss, examples: TensorExamples) -> str:
    return f"{int(examples.columns['clean'].sum())} labels known to be right"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    spec = SearchSpec(
        "curriculum",
        str(write_labels_of_people(folder)),
        noise="column:people",
        imbalance="long_tail:4",
        clean=6,
        space=SMALL,
        trials=4,
        max_epochs=2.0,
        seeds=3,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SuperLoss, "was_given", given_to)
        return search_here(spec, folder / "run", train_here)


def test_the_result_says_what_was_done_to_the_data_and_what_was_given(run: Path) -> None:
    found = json.loads((run / "verdict.json").read_text())
    said = verdict.words(found)
    assert found["challenger"]["was_given"] == "6 labels known to be right"
    assert found["baseline"]["was_given"] is None
    notes = [
        "Label noise column:people",
        "Imbalance long_tail:4: 42 of 72 training examples are left, from 24 of class '0' to 6",
        "6 training examples keep their true labels",
        "superloss was given: 6 labels known to be right.",
    ]
    report = (run / "report.html").read_text()
    assert "superloss was given, with its published defaults: 6 labels known to be" in report
    for note in notes:
        assert any(line.startswith(note) for line in said), note
        assert note.replace("'", "&#x27;") in report or note.replace("'", "&#39;") in report
    tuned = Tuned.read(run / "tuned.yaml")
    assert tuned.data["imbalance"] == "long_tail:4" and tuned.data["clean"] == 6
    recommended = found[found["recommended"]]["was_given"]
    assert tuned.verdict.get("was_given") == recommended


def test_the_same_data_comes_out_of_the_result(run: Path) -> None:
    tuned = Tuned.read(run / "tuned.yaml")
    view = tuned.view()  # refuses other data
    assert len(view.train) == 42 and view.train.columns["clean"].sum() == 6
    other = tuned.view(str(run.parent / "people.npz"))
    assert len(other.train) == 72 and not other.train.columns and other.conditions == ()


def test_such_a_search_can_be_resumed(run: Path) -> None:
    spec = SearchSpec.read(run / "search.yaml")
    again = prepare(spec)
    assert again.spec == spec
    assert again.view.fingerprint == Tuned.read(run / "tuned.yaml").data["fingerprint"]
    changed = dataclasses.replace(spec, imbalance="none")
    assert prepare(changed).view.fingerprint != again.view.fingerprint


def test_what_was_found_of_a_map_is_in_the_spec_for_good(tmp_path: Path) -> None:
    spec = SearchSpec("curriculum", "digits", noise="asymmetric:0.4")
    prepared = prepare(spec)
    assert prepared.spec.noise_map == {"2": "7", "3": "8", "5": "6", "6": "5", "7": "1"}
    assert prepared.view.fingerprint == prepare(prepared.spec).view.fingerprint


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        ("curriculum", {}),
        ("semi_supervised", {"labels": 30, "unlabelled": 100}),
        ("continual", {"tasks": 5, "dev_tasks": 2}),
    ],
)
def test_every_scenario_has_the_settings(scenario: str, settings: dict[str, Any]) -> None:
    spec = SearchSpec(
        scenario, "digits", noise="0.4", settings=settings, imbalance="step:5", clean=0.5
    )
    prepared = prepare(spec)
    train = prepared.view.train
    assert len(prepared.view.conditions) == 3
    clean = train.columns["clean"]
    assert len(clean) == len(train) and 0 < clean.sum() < len(train)
    assert not (clean & (train.labels < 0)).any(), "no label is both unknown and sure"
    assert prepared.scenario.on_device(prepared.view, train_device()) is not None


def train_device() -> Any:
    import torch

    return torch.device("cpu")


@pytest.mark.parametrize("flag", ["noise", "imbalance"])
def test_data_split_by_class_takes_neither(flag: str) -> None:
    value = {"noise": "0.4", "imbalance": "step:5"}[flag]
    with pytest.raises(ValueError, match=f"--{flag}: got '{value}'"):
        prepare(SearchSpec("meta_learning", "sinusoid", **{flag: value}))


def test_flags_become_the_spec(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[SearchSpec] = []
    monkeypatch.setattr(driver, "start", lambda made, *rest, **how: given.append(made))
    monkeypatch.setattr("automl_cl.command.cli._report", lambda result: None)
    words = "search curriculum --data digits --noise asymmetric:0.4 --noise-map 2=7,3=8"
    more = "--imbalance step:10 --clean 0.1 --clean-validation"
    assert command(*words.split(), *more.split()).code == 0
    expected = {
        "noise": "asymmetric:0.4",
        "noise_map": {"2": "7", "3": "8"},
        "imbalance": "step:10",
        "clean": 0.1,
        "clean_validation": True,
    }
    assert given == [SearchSpec("curriculum", "digits", **expected)]


def test_names_with_signs_in_them_come_as_yaml() -> None:
    for given, read in (
        ('{"a, b": "c=d"}', {"a, b": "c=d"}),
        (" a = b , c=d", {"a": "b", "c": "d"}),
        (None, {}),
    ):
        assert SearchSpec("curriculum", "digits", noise_map=given).noise_map == read

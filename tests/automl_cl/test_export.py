from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import automl_cl
from automl_cl.results.tuned import Tuned
from automl_cl.run.events import Ask
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import replayed

Command = Callable[..., Any]


def accuracy_by_hand(tuned: Tuned, weights: Path, data: Path) -> float:
    """Of a model put together from nothing but the config, the weights and what they say."""
    model = tuned.recipe().model.build(tuned.shape["input_shape"], tuned.shape["classes"])
    model.load_state_dict(load_file(weights))
    with safe_open(weights, framework="pt") as file:
        about = {name: json.loads(text) for name, text in file.metadata().items()}
    with np.load(data) as arrays:
        inputs, labels = arrays["x"], arrays["y"]
    scaled = (inputs - np.array(about["input_mean"])) / np.array(about["input_scale"])
    with torch.no_grad():
        chosen = model.eval()(torch.tensor(scaled, dtype=torch.float32)).argmax(1)
    named = [about["classes"][each] for each in chosen]
    return float(np.mean([name == str(label) for name, label in zip(named, labels, strict=True)]))


def test_the_config_alone(command: Command, run_folder: Path, tmp_path: Path) -> None:
    outcome = command("export", run_folder, "--to", "mine.yaml")
    assert outcome.code == 0
    assert outcome.out.splitlines() == ["mine.yaml"]
    assert automl_cl.load(tmp_path / "mine.yaml") == automl_cl.load(run_folder / "tuned.yaml")
    assert not list(tmp_path.glob("*.safetensors"))


def test_weights_go_with_it_and_say_how_to_use_them(
    command: Command, run_folder: Path, finished_run: Path, tmp_path: Path
) -> None:
    outcome = command("export", run_folder, "--to", "mine.yaml", "--weights")
    assert outcome.out.splitlines() == ["mine.yaml", "mine.safetensors"]
    tuned = automl_cl.load(tmp_path / "mine.yaml")
    data = finished_run.parent / "toy.npz"
    assert tuned.data["source"] == str(data)
    assert accuracy_by_hand(tuned, tmp_path / "mine.safetensors", data) > 0.8


def test_the_weights_are_those_of_the_first_seed_of_the_verdict(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    command("export", run_folder, "--to", "mine.yaml", "--weights")
    last = replayed(read_events(run_folder / "journal.jsonl")).verdicts[-1]
    winner = last.verdict[last.verdict["recommended"]]["trial"]
    (number,) = (
        event.number
        for event in read_events(run_folder / "journal.jsonl")
        if isinstance(event, Ask)
        and (event.stage, event.source) == ("verdict", winner)
        and event.seed == last.plan.seeds[0]
    )
    (kept,) = (run_folder / "checkpoints" / f"{number:06d}").glob("*.safetensors")
    expected, exported = load_file(kept), load_file(tmp_path / "mine.safetensors")
    assert expected.keys() == exported.keys()
    assert all(torch.equal(expected[name], exported[name]) for name in expected)


def test_training_a_tuned_config_leaves_a_folder_to_use_it_from(
    command: Command, tuned: Tuned, tmp_path: Path
) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    outcome = command("train", "tuned.yaml", "--seed", 4, "--output", "trained")
    assert outcome.code == 0
    folder = tmp_path / "trained"
    assert str(folder) in outcome.out
    names = {path.name for path in folder.iterdir()}
    assert names == {"weights.safetensors", "metrics.json", "tuned.yaml"}
    assert automl_cl.load(folder / "tuned.yaml") == tuned
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["seed"] == 4
    assert metrics["validation"] == tuned.fit(seed=4).metrics
    assert f"accuracy {metrics['validation']['accuracy']:.4f}" in outcome.out
    data = Path(tuned.data["source"])
    assert accuracy_by_hand(tuned, folder / "weights.safetensors", data) > 0.8


def test_trainings_of_one_second_do_not_write_over_each_other(
    command: Command, tuned: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda form: "20261121-120000")
    tuned.write(tmp_path / "tuned.yaml")
    for seed in range(3):
        assert command("train", "tuned.yaml", "--seed", seed).code == 0
    found = [json.loads(path.read_text())["seed"] for path in tmp_path.glob("runs/*/metrics.json")]
    assert sorted(found) == [0, 1, 2]


def test_a_backbone_is_written_with_what_it_was_trained_on(
    command: Command, write_npz: Callable[..., Path], tmp_path: Path
) -> None:
    to = tmp_path / "backbone.safetensors"
    asked = ("pretrain", "--data", write_npz(), "--model", "mlp", "--output", to)
    outcome = command(*asked, "--epochs", 2, "--set", "width=24")
    assert outcome.code == 0
    assert "toy.npz" in outcome.out and str(to) in outcome.out.replace("\n", "")
    with safe_open(to, framework="pt") as file:
        assert file.metadata()["model"] == "mlp"
        assert file.metadata()["data"] == "toy.npz"
        assert json.loads(file.metadata()["sizes"])["width"] == 24
    assert load_file(to)["1.weight"].shape[0] == 24
    assert not any(name.startswith("5.") for name in load_file(to)), "without the classifier"
    assert "is there already" in command(*asked).err
    other = (*asked[:-1], tmp_path / "other.safetensors")
    assert "does not suit" in command(*other[:4], "cnn", *other[5:]).err
    assert "--epochs" in command(*other, "--epochs", 0).err
    assert "Did you mean 'width'" in command(*other, "--set", "widht=3").err
    assert not (tmp_path / "other.safetensors").exists()

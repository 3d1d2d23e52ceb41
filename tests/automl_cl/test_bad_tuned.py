"""Damaged tuned configs, and data and devices that a tuned config cannot be trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import automl_cl
from automl_cl.results.tuned import Tuned
from search_spaces import InputError

MISSING = object()

Refused = Callable[..., None]


def changed(tuned: Tuned, place: str, value: object, path: Path) -> None:
    """Writes the tuned config with one value, at a dotted place, replaced or left out."""
    content = {k: v for k, v in asdict(tuned).items() if k != "trusted"}
    *above, last = place.split(".")
    within = content
    for name in above:
        within = within[name]
    within[last] = value
    if value is MISSING:
        del within[last]
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("automl_cl", 2, ["automl_cl: got 2", "reads 1"]),
        ("automl_cl", True, ["automl_cl: got True", "reads 1"]),
        ("automl_cl", MISSING, ["'automl_cl' is missing"]),
        ("scenario", "curiculum", ["'curiculum'", "Did you mean 'curriculum'?"]),
        ("scenario", ["curriculum"], ["scenario", "['curriculum']"]),
        ("scenario", MISSING, ["'scenario' is missing"]),
        ("extra", 1, ["'extra'", "Allowed: automl_cl, config"]),
        ("config", 3, ["config", "3", "mapping"]),
        ("config", MISSING, ["'config' is missing"]),
        ("config.algorithm.name", "superlos", ["'superlos'", "Did you mean 'superloss'?"]),
        ("config.algorithm.name", MISSING, ["algorithm.name is missing"]),
        ("config.algorithm.lam", -1.0, ["algorithm.lam", "-1.0", "above 0"]),
        ("config.algorithm.lamda", 1.0, ["algorithm 'lamda'", "Did you mean 'lam'?"]),
        ("config.algorithm.threshold", "mean", ["algorithm.threshold", "'mean'", "average"]),
        ("config.optimizer.lr", "fast", ["optimizer.lr", "'fast'", "above 0"]),
        ("config.optimizer.lr", MISSING, ["optimizer.lr is missing"]),
        ("config.schedule", "cosine", ["schedule", "'cosine'", "mapping"]),
        ("config.training.epochs", 0, ["training.epochs", "0", "from 0.01"]),
        ("config.training.batch_size", 16.5, ["training.batch_size", "16.5", "whole number"]),
        ("config.model.width", "wide", ["model.width", "'wide'", "whole number"]),
        ("data", 3, ["data", "3", "mapping"]),
        ("data", [], ["data", "[]", "mapping"]),
        ("data.source", MISSING, ["data", "'source' is missing"]),
        ("data.source", 3, ["data source", "3"]),
        ("data.noise", "1.5", ["noise", "'1.5'", "0 <= RATE < 1"]),
        ("data.noise", ["0.4"], ["noise", "['0.4']"]),
        ("data.seed", "first", ["data seed", "'first'", "whole number"]),
        ("data.fingerprint", 3, ["data.fingerprint", "3"]),
        ("data.sauce", 1, ["data 'sauce'", "Did you mean 'source'?"]),
        ("shape", 3, ["shape", "3", "mapping"]),
        ("shape.classes", "three", ["shape.classes", "'three'", "whole number"]),
        ("shape.classes", 0, ["shape.classes", "0", "from 1"]),
        ("shape.input_shape", 4, ["shape.input_shape", "4", "list"]),
        ("shape.input_shape", [4, 0], ["shape.input_shape", "[4, 0]", "whole numbers from 1"]),
        ("verdict", "good", ["verdict", "'good'", "mapping"]),
        ("versions", None, ["versions", "None", "mapping"]),
    ],
)
def test_a_value_that_is_wrong(
    refused: Refused, tuned: Tuned, tmp_path: Path, place: str, value: object, words: list[str]
) -> None:
    path = tmp_path / "tuned.yaml"
    changed(tuned, place, value, path)
    refused("train", path, words=[str(path), *words])
    with pytest.raises(InputError):
        automl_cl.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["tuned.yaml is not a tuned config", "mapping"]),
        ("- scenario", ["tuned.yaml is not a tuned config", "mapping"]),
        ("scenario: [curriculum", ["tuned.yaml line", "not valid YAML"]),
        ("scenario: a\nscenario: b", ["tuned.yaml line 2", "given twice"]),
        ("automl_cl: 2\nnew_key: 3", ["tuned.yaml", "automl_cl: got 2", "reads 1"]),
    ],
)
def test_a_file_that_is_no_tuned_config(
    refused: Refused, run_folder: Path, content: str, words: list[str]
) -> None:
    (run_folder / "tuned.yaml").write_text(content)
    refused("train", run_folder / "tuned.yaml", words=words)
    refused("export", run_folder, "--to", "new.yaml", words=words)


@pytest.mark.parametrize("path", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read(refused: Refused, path: str) -> None:
    refused("train", path, words=[f"cannot read {path}"])


def test_data_that_is_no_longer_what_it_was_found_on(
    refused: Refused, tuned: Tuned, tmp_path: Path, write_npz: Callable[..., Path]
) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    write_npz(x=np.random.default_rng(1).normal(size=(60, 4)), y=np.arange(60) % 3)
    refused("train", "tuned.yaml", words=["toy.npz", "not what the config was found on"])
    Path(tuned.data["source"]).unlink()
    refused("train", "tuned.yaml", words=["toy.npz", "no such file"])


def test_a_config_without_data_of_its_own(refused: Refused, tuned: Tuned, tmp_path: Path) -> None:
    changed(tuned, "data", {}, tmp_path / "tuned.yaml")
    refused("train", "tuned.yaml", words=["data: 'source' is missing"])


@pytest.mark.parametrize(
    ("section", "part"),
    [
        ("model", {"name": "cnn", "width": 4, "blocks": 1}),
        ("augmentation", {"name": "shift", "pixels": 1, "mirror": False}),
    ],
)
def test_data_of_a_shape_that_a_part_cannot_take(
    refused: Refused, tuned: Tuned, tmp_path: Path, section: str, part: dict[str, object]
) -> None:
    changed(tuned, f"config.{section}", part, tmp_path / "tuned.yaml")
    words = [f"config.{section}: '{part['name']}' does not suit data 'toy.npz'", "shape [4]"]
    refused("train", "tuned.yaml", words=words)


@pytest.mark.parametrize(
    ("flag", "given", "words"),
    [
        ("--seed", -1, ["--seed", "-1", "from 0"]),
        ("--device", "gpu", ["--device", "'gpu'", "allowed: cpu"]),
        ("--device", "", ["--device", "''", "allowed: cpu"]),
        ("--output", "toy.npz", ["--output", "toy.npz is a file"]),
        ("--output", "toy.npz/trained", ["--output", "toy.npz is not a folder"]),
        ("--output", "full", ["--output", "full", "not empty"]),
        ("--data", "digts", ["'digts'", "Did you mean 'digits'?"]),
    ],
)
def test_a_wrong_setting_of_a_training(
    refused: Refused, tuned: Tuned, tmp_path: Path, flag: str, given: object, words: list[str]
) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    refused("train", "tuned.yaml", flag, given, words=words)


def test_a_gpu_that_is_not_there(
    refused: Refused, tuned: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned.write(tmp_path / "tuned.yaml")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused("train", "tuned.yaml", "--device", "cuda", words=["--device", "'cuda'", "cpu"])


def test_a_training_that_diverges(
    refused: Refused, tuned: Tuned, tmp_path: Path, write_npz: Callable[..., Path]
) -> None:
    wild = {"name": "sgd", "lr": 1.0, "weight_decay": 0.01, "momentum": 0.99, "nesterov": False}
    changed(tuned, "config.optimizer", wild, tmp_path / "tuned.yaml")
    # A feature that is constant but for one example: standardised, that one is far away.
    inputs = np.zeros((2000, 4), np.float32)
    inputs[::100] = 1.0
    write_npz("far.npz", x=inputs, y=np.arange(2000) % 2)
    refused("train", "tuned.yaml", "--data", "far.npz", words=["diverged"])

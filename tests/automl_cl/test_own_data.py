"""Data and models of the user's own, from the command line to the tuned config."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import automl_cl
from automl_cl.command.cli import app
from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.spec.settings import settings_of
from search_spaces import InputError
from trainables.data import flag_of
from trainables.data.options import FLAGS

Command = Callable[..., Any]

CODE = """
import math
import numpy as np
from torch import nn

def load():
    rng, labels = np.random.default_rng(0), np.arange(120) % 3
    return {"x": rng.normal(size=(120, 4)) + 3.0 * labels[:, None], "y": labels,
            "classes": ["ant", "bee", "cow"]}

class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 8), nn.Tanh())
        self.head = nn.Linear(8, classes)
    def forward(self, inputs):
        return self.head(self.body(inputs))
"""


def write_csv(path: Path) -> Path:
    """120 examples of three animals, a text column, and a column that is no feature."""
    rng = np.random.default_rng(0)
    animals, colours = ("ant", "bee", "cow"), ("red", "blue")
    rows = [
        f"{i},{rng.normal() + 3 * (i % 3):.4f},{colours[i % 2]},{animals[i % 3]}"
        for i in range(120)
    ]
    path.write_text("\n".join(["id,size,colour,animal", *rows]))
    return path


def test_what_was_guessed_is_in_the_spec_for_good(tmp_path: Path) -> None:
    spec = SearchSpec("curriculum", str(write_csv(tmp_path / "animals.csv")))
    first = prepare(spec)
    assert any("'animal' (guessed: the last column" in note for note in first.view.notes)
    assert first.spec.data_options == {
        "separator": ",",
        "header": "yes",
        "label_column": "animal",
        "feature_columns": ["id", "size", "colour"],
        "missing": "refuse",
        "text": "refuse",
        "categories": {"colour": ["blue", "red"]},
        "column_types": "known",
        "classes": ["ant", "bee", "cow"],
    }
    first.spec.write(tmp_path / "search.yaml")
    again = prepare(SearchSpec.read(tmp_path / "search.yaml"))
    assert again.view.fingerprint == first.view.fingerprint
    assert again.spec == first.spec
    assert not any("guessed" in note for note in again.view.notes)


@pytest.mark.parametrize("scenario", ["curriculum", "semi_supervised", "continual"])
def test_every_scenario_passes_on_how_its_data_was_read(tmp_path: Path, scenario: str) -> None:
    settings = {"continual": {"tasks": 3, "dev_tasks": 2}, "semi_supervised": {"labels": 9}}
    spec = SearchSpec(
        scenario, str(write_csv(tmp_path / "animals.csv")), settings=settings.get(scenario, {})
    )
    prepared = prepare(spec)
    assert prepared.data.options["label_column"] == "animal"
    assert prepared.view.notes


def test_flags_and_other_options_come_together() -> None:
    others = ["missing=mean", "header=no", "categories={a: [x]}"]
    flags = {"label_column": "y", "feature_columns": "a,b", "image_size": "8"}
    given = settings_of({**flags, "drop_columns": None, "data_options": others})["data_options"]
    assert given == {
        "label_column": "y",
        "feature_columns": "a,b",
        "image_size": "8",
        "missing": "mean",
        "header": "no",
        "categories": {"a": ["x"]},
    }
    with pytest.raises(InputError, match="'label_column' is given twice"):
        settings_of({"label_column": "y", "data_options": ["label_column=z"]})


def test_every_command_that_reads_data_has_the_flags() -> None:
    import typer

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name in ("search", "train", "pretrain"):
        flags = {flag for each in commands[name].params for flag in each.opts}
        assert {*map(flag_of, FLAGS), "--data-option"} <= flags, name


def test_a_source_is_described_with_its_options(command: Command) -> None:
    printed = " ".join(command("describe", "csv").out.split())
    for word in ("--label-column", "separator", "missing", "refuse", "utf-8"):
        assert word in printed
    assert "--image-size" in command("describe", "image-folder").out


@pytest.mark.ray
@pytest.mark.slow
def test_own_data_and_an_own_model_on_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers import the model's module; the run is taken up again from another folder."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "ray_test_module.py").write_text(CODE)
    (home / "space.yaml").write_text("algorithm: [superloss]\noptimizer.adamw.lr: {low: 0.01}\n")
    root = str(Path(automl_cl.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "automl_cl", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    small = ("--trials", "3", "--max-epochs", "2", "--seeds", "3", "--space", "space.yaml")
    own = ("--data", "ray_test_module:load", "--model", "ray_test_module:Net")
    run(home, "search", "curriculum", *own, *small, "--output", "run")
    folder = home / "run"
    run(elsewhere, "resume", str(folder), "--trust-code", "--trials", "4")
    tuned = automl_cl.load(folder / "tuned.yaml", trust_code=True)
    assert tuned.config["model"]["address"] == "ray_test_module:Net"
    assert tuned.shape == {"classes": 3, "input_shape": [4]}
    monkeypatch.setattr(sys, "path", list(sys.path))
    weights = tuned.fit().learner.weights()
    assert set(weights) == {"body.1.weight", "body.1.bias", "head.weight", "head.bias"}

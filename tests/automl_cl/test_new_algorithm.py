"""One new file is a new algorithm: the one in the docs, literally, through a real search."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
RAISES = '''"""Raises whenever its batch is large (Nobody, 2026)."""

from dataclasses import dataclass

from torch import Tensor

from trainables.scenarios.curriculum.curriculum import Curriculum


@dataclass(frozen=True)
class Raises(Curriculum):
    """Raises whenever its batch is large (Nobody, 2026)."""

    def loss_curriculum(self, criterion, outputs, labels, indices, inputs) -> Tensor:
        if len(labels) > 40:
            raise ValueError("too large a batch for me")
        return criterion(outputs, labels).mean()
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The four packages with two new algorithm files, and nothing else touched."""
    for package in ("automl_cl", "trainables", "search_spaces", "cluster"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    page = (ROOT / "docs" / "adding_an_algorithm.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found
    folder = tmp_path / "trainables" / "scenarios" / "curriculum" / "algorithms"
    (folder / "small_loss.py").write_text(found.group(1))
    (folder / "raises.py").write_text(RAISES)
    return tmp_path


def automl_cl(checkout: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "automl_cl", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_file_is_listed_described_searched_and_judged(checkout: Path) -> None:
    assert "small_loss" in automl_cl(checkout, "list", "algorithms")
    assert "0.2 to 1" in automl_cl(checkout, "describe", "small_loss")
    space = checkout / "space.yaml"
    space.write_text("algorithm: [small_loss, raises]\ntraining.batch_size: [32, 64]\n")
    run = checkout / "run"
    words = ("--data", "digits", "--trials", "12", "--seeds", "3", "--max-epochs", "2")
    shown = automl_cl(
        checkout, "search", "curriculum", *words, "--space", str(space), "--output", str(run)
    )
    assert "small_loss" in shown
    trials = pq.read_table(run / "trials.parquet").to_pylist()
    failed = [row for row in trials if row["algorithm"] == "raises" and row["status"] == "failed"]
    # Its published default has batches of 64, so at least that one fails; the search goes on.
    assert failed
    assert all("too large a batch for me" in row["reason"] for row in failed)
    assert all("raises.py" in row["reason"] for row in failed)
    verdict = json.loads((run / "verdict.json").read_text())
    named = [verdict["challenger"], *verdict["secondaries"]]
    assert "small_loss" in [entry["algorithm"] for entry in named]

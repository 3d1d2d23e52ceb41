"""Each scenario's search through the installed command, from start to end on a Ray of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from automl_cl.results.tuned import Tuned
from trainables.scenarios.scenario import scenario_names

pytestmark = [pytest.mark.ray, pytest.mark.slow]

COMMAND = Path(sys.executable).with_name("automl-cl")
# The smallest of each kind that comes to a verdict.
SEARCHES = {
    "continual": "--data digits --set tasks=5 --set memory=20",
    "curriculum": "--data digits --noise 0.4",
    "meta_learning": "--data sinusoid --set test_episodes=20 --set validation_episodes=10",
    "semi_supervised": "--data digits --labels 100 --set unlabelled=200",
}
EPOCHS = {"meta_learning": "0.02"}
SPACES = {
    "continual": "algorithm: [experience_replay]\n",
    "curriculum": "algorithm: [superloss]\n",
    "meta_learning": "algorithm: [maml]\n",
    "semi_supervised": "algorithm: [mean_teacher, fixmatch]\n",
}


@pytest.mark.parametrize("scenario", scenario_names())
def test_a_search_by_the_installed_command_ends_with_all_it_promises(
    scenario: str, tmp_path: Path
) -> None:
    (tmp_path / "space.yaml").write_text(SPACES[scenario])
    run, history = tmp_path / "run", tmp_path / "history"
    searched = subprocess.run(
        [
            *(str(COMMAND), "search", scenario, *SEARCHES[scenario].split()),
            *("--space", "space.yaml", "--trials", "3", "--seeds", "3"),
            *("--max-epochs", EPOCHS.get(scenario, "0.5")),
            *("--output", str(run), "--history", str(history)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=230,
    )
    said = searched.stdout + searched.stderr
    assert searched.returncode == 0, said
    assert "Traceback" not in said
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["reason"] in searched.stdout.splitlines()
    assert f"report: {run / 'report.html'}" in searched.stdout.splitlines()
    assert f"tuned config: {run / 'tuned.yaml'}" in searched.stdout.splitlines()
    assert "Pareto" not in said, "nobody asked for further objectives"
    tuned = Tuned.read(run / "tuned.yaml")
    assert tuned.scenario == scenario
    assert tuned.config == verdict[verdict["recommended"]]["config"]
    assert verdict["reason"] in (run / "report.html").read_text()
    rows = pq.read_table(run / "trials.parquet").to_pylist()
    assert {row["stage"] for row in rows} == {"search", "confirm", "verdict"}
    (file,) = history.glob("*.parquet")
    kept = pq.read_table(file).to_pylist()
    assert len(kept) == sum(row["stage"] != "verdict" for row in rows)
    assert {row["scenario"] for row in kept} == {scenario}

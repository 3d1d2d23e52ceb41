"""The main job as a user runs it: real searches on a local Ray, killed and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import automl_cl

pytestmark = [pytest.mark.ray, pytest.mark.slow]

# A local Ray with as many CPUs as there are to be slots, whatever the machine has.
SCRIPT = """
import sys
from pathlib import Path
import ray
from automl_cl.engine import driver
from automl_cl.spec.search_spec import SearchSpec

command, folder, slots, trials = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
ray.init(address="local", num_cpus=slots, include_dashboard=False, log_to_driver=False,
         logging_level="ERROR", object_store_memory=100_000_000)
space = {"algorithm": ["superloss", "easy_to_hard"], "training.batch_size": [64, 128]}
if command == "start":
    driver.start(SearchSpec("curriculum", "digits", noise="0.4", trials=trials, max_epochs=5.0,
                            seeds=3, space=space), folder)
else:
    driver.resume(folder, trials if trials else None)
"""


def run(command: str, folder: Path, slots: int, trials: int = 0) -> None:
    subprocess.run(
        [sys.executable, "-c", SCRIPT, command, str(folder), str(slots), str(trials)],
        check=True,
        timeout=200,
    )


def run_and_kill(command: str, folder: Path, slots: int, trials: int, lines: int) -> None:
    """Runs until the journal has this many lines, then SIGKILLs the driver."""
    driver = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, command, str(folder), str(slots), str(trials)]
    )
    journal, patience = folder / "journal.jsonl", time.monotonic() + 120
    while time.monotonic() < patience and driver.poll() is None:
        if journal.exists() and len(journal.read_bytes().splitlines()) >= lines:
            break
        time.sleep(0.02)
    assert driver.poll() is None, "the driver ended before it could be killed"
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


def trial_table(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "trials.parquet").drop(["seconds"]).to_pylist()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    run("start", folder, slots=1, trials=12)
    return folder


def test_a_run_folder_holds_everything(undisturbed: Path) -> None:
    for name in ("search.yaml", "journal.jsonl", "trials.parquet", "tuned.yaml", "tensorboard"):
        assert (undisturbed / name).exists(), name
    verdict = json.loads((undisturbed / "verdict.json").read_text())
    for role in ("baseline", "challenger"):
        assert len(verdict[role]["values"]) == len(verdict["seeds"]) == 3
    assert verdict["recommended"] in ("baseline", "challenger")
    assert verdict["items"] == 359  # a fifth of digits' 1,797 images
    assert {verdict["challenger"]["algorithm"]} | {
        each["algorithm"] for each in verdict["secondaries"]
    } == {"superloss", "easy_to_hard"}
    assert not list(undisturbed.glob("checkpoints/*/*.pt")), "states nobody can ask for any more"


def test_no_trial_exceeds_the_cap(undisturbed: Path) -> None:
    # The search's own evaluations come on top, one a rung. Validation has a third as many examples
    # as training, and a forward pass is less than half of forward and backward. A scoring that
    # does not fit is broken off at the horizon, a batch later at most.
    for row in trial_table(undisturbed):
        assert row["compute"] < 5.0 + len(row["rungs"]) / 6 + 0.1


def test_the_result_trains_without_ray(undisturbed: Path) -> None:
    fitted = automl_cl.load(undisturbed / "tuned.yaml").fit()
    assert fitted.metrics["accuracy"] > 0.3  # chance is 0.1; validation labels are 40 % wrong
    assert fitted.learner.spent <= fitted.learner.horizon


def test_killed_at_any_time_and_resumed_the_table_is_the_same(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    run_and_kill("start", folder, slots=1, trials=12, lines=14)
    run_and_kill("resume", folder, slots=1, trials=0, lines=60)
    with (folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"seq": 99, "time": 1.0, "event": "ru')  # a torn last line
    run("resume", folder, slots=1)
    assert trial_table(folder) == trial_table(undisturbed)
    assert (folder / "verdict.json").read_text() == (undisturbed / "verdict.json").read_text()


@pytest.mark.exhaustive
def test_two_slots_killed_and_resumed_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    run_and_kill("start", folder, slots=2, trials=12, lines=20)
    before = (folder / "journal.jsonl").read_bytes()
    run("resume", folder, slots=2)
    assert (folder / "journal.jsonl").read_bytes().startswith(before)
    table = trial_table(folder)
    assert [row["number"] for row in table] == list(range(len(table)))
    assert sum(row["stage"] == "search" for row in table) == 12
    assert all(row["status"] in ("done", "stopped") for row in table)
    for row in table:
        levels = [rung["level"] for rung in row["rungs"]]
        assert levels == sorted(set(levels)), "a trial ran twice past a rung"


def test_a_finished_search_is_extended(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extended"
    shutil.copytree(undisturbed, folder)
    # Weights were written under the old path; the copy has them under the new one.
    run("resume", folder, slots=1, trials=16)
    table, before = trial_table(folder), trial_table(undisturbed)
    for row in (*table, *before):
        del row["pareto"]  # which is of all trials, those of the extension too
    assert table[: len(before)] == before
    assert sum(row["stage"] == "search" for row in table) == 16
    verdict = json.loads((folder / "verdict.json").read_text())
    first = json.loads((undisturbed / "verdict.json").read_text())
    changed = [verdict[r]["trial"] for r in ("baseline", "challenger")] != [
        first[r]["trial"] for r in ("baseline", "challenger")
    ] or [s["trial"] for s in verdict["secondaries"]] != [s["trial"] for s in first["secondaries"]]
    assert verdict["openings"] == (2 if changed else 1)
    assert verdict["exploratory"] == changed


def test_the_command_line_from_search_to_weights(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "automl_cl"]
    run_folder, tuned = tmp_path / "run", tmp_path / "out.yaml"
    searched = subprocess.run(
        [
            *command,
            *("search", "curriculum", "--data", "digits", "--trials", "6", "--seeds", "3"),
            *("--max-epochs", "2", "--fidelity", "compressed", "--output", str(run_folder)),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    assert "baseline" in searched.stdout
    assert str(run_folder / "tuned.yaml") in searched.stdout
    assert "Traceback" not in searched.stdout + searched.stderr
    exported = [*command, "export", str(run_folder), "--to", str(tuned), "--weights"]
    subprocess.run(exported, check=True, capture_output=True, timeout=60)
    assert tuned.exists()
    assert tuned.with_suffix(".safetensors").exists()
    trained = [*command, "train", str(tuned), "--output", str(tmp_path / "trained")]
    subprocess.run(trained, check=True, capture_output=True, timeout=60)
    assert (tmp_path / "trained" / "weights.safetensors").exists()

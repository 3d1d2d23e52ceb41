from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq
import pytest

from automl_cl.results.trials_file import write_trials
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import TrialTable, replayed


@pytest.fixture
def table(finished_run: Path) -> TrialTable:
    return replayed(read_events(finished_run / "journal.jsonl"))


def test_the_columns(finished_run: Path) -> None:
    schema = pq.read_schema(finished_run / "trials.parquet")
    assert {field.name: str(field.type) for field in schema} == {
        "number": "int64",
        "stage": "string",
        "algorithm": "string",
        "status": "string",
        "value": "double",
        "compute": "double",
        "memory": "int64",
        "out_of_memory": "int64",
        "model_size": "int64",
        "pareto": "bool",
        "seconds": "double",
        "origin": "string",
        "source": "int64",
        "forked": "int64",
        "seed": "int64",
        "reason": "string",
        "config": "string",
        "rungs": "list<element: struct<level: double, value: double, compute: double, "
        "metrics: map<string, double ('metrics')>>>",
    }


def test_one_row_a_trial(finished_run: Path, table: TrialTable) -> None:
    rows = pq.read_table(finished_run / "trials.parquet").to_pylist()
    assert [row["number"] for row in rows] == list(range(len(table.trials)))
    assert {row["stage"] for row in rows} == {"search", "confirm", "verdict"}
    assert sum(row["stage"] == "search" for row in rows) == 7
    for row, trial in zip(rows, table.trials, strict=True):
        assert (row["algorithm"], row["status"], row["value"]) == (
            trial.arm,
            trial.status,
            trial.value,
        )
        assert json.loads(row["config"]) == trial.config
        assert [rung["level"] for rung in row["rungs"]] == [rung.level for rung in trial.rungs]
        assert row["compute"] == trial.compute > 0
        assert row["source"] == trial.source


def test_trials_that_failed_or_run_have_rows_too(table: TrialTable, tmp_path: Path) -> None:
    table.trials[0].status, table.trials[0].reason = "failed", "the loss was übel"
    table.trials[1].status, table.trials[1].rungs = "running", []
    write_trials(tmp_path / "trials.parquet", table)
    failed, running, *_ = pq.read_table(tmp_path / "trials.parquet").to_pylist()
    assert (failed["status"], failed["value"]) == ("failed", None)
    assert failed["reason"] == "the loss was übel"
    assert (running["status"], running["value"], running["rungs"]) == ("running", None, [])


def test_a_table_without_trials(tmp_path: Path) -> None:
    write_trials(tmp_path / "trials.parquet", TrialTable())
    assert pq.read_table(tmp_path / "trials.parquet").num_rows == 0


def test_it_is_written_whole_or_not_at_all(
    table: TrialTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trials.parquet"
    write_trials(path, table)
    assert list(tmp_path.iterdir()) == [path]
    before = path.read_bytes()

    def fill_the_disk(content: Any, where: IO[bytes]) -> None:
        where.write(b"PAR1")
        raise OSError("No space left on device")

    monkeypatch.setattr(pq, "write_table", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        write_trials(path, table)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

"""Ctrl-C at several stages of a real search, from search to verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SEARCH = [
    *("search", "curriculum", "--data", "digits", "--trials", "40", "--seeds", "3"),
    *("--max-epochs", "3", "--space", "space.yaml", "--output", "run"),
]


def events(folder: Path) -> list[dict[str, Any]]:
    journal = folder / "run" / "journal.jsonl"
    whole = journal.read_bytes().rpartition(b"\n")[0] if journal.exists() else b""
    return [json.loads(line) for line in whole.splitlines()]


def interrupted(
    folder: Path, arguments: list[str], wanted: list[dict[str, object]]
) -> tuple[int, str, str]:
    """Runs a command until there is an event like each one wanted, then sends Ctrl-C's signal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "automl_cl", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    patience = time.monotonic() + 100
    while process.poll() is None and time.monotonic() < patience:
        told = events(folder)
        if all(any(like.items() <= event.items() for event in told) for like in wanted):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal: to the whole group
            break
        time.sleep(0.02)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_interrupted_at_every_stage_and_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("algorithm: superloss\ntraining.batch_size: 64\n")
    defaults: list[dict[str, object]] = [{"number": n, "decision": "done"} for n in (0, 1)]
    stages = [
        (SEARCH, defaults, "search"),
        (["resume", "run", "--verdict-now"], [{"event": "ask", "stage": "confirm"}], "confirm"),
        (["resume", "run"], [{"event": "open_test"}], "verdict"),
    ]
    for arguments, wanted, stage in stages:
        code, out, err = interrupted(tmp_path, arguments, wanted)
        assert code == 130, err
        assert "stopping" in out
        assert err.startswith("stopped before the verdict"), "one line, and nothing of Ray's"
        assert len(err.splitlines()) == 1
        assert f"automl-cl resume {tmp_path / 'run'}" in err
        assert [e["stage"] for e in events(tmp_path) if e["event"] == "ask"][-1] == stage
    code, out, err = interrupted(tmp_path, ["resume", "run"], [{"event": "never"}])
    assert (code, err) == (0, "")
    searched = sum(e.get("stage") == "search" for e in events(tmp_path))
    assert f"after {searched} of 40 trials" in out
    assert [e["opening"] for e in events(tmp_path) if e["event"] == "plan"] == [1]

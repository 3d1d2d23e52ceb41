"""A search on a token-protected head that goes away, and comes back."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Head

pytestmark = [pytest.mark.ray, pytest.mark.slow]

# The command line, but that it waits for the head for seconds only.
COMMAND = """
import sys
from cluster import connection, head
head.GONE_SECONDS, head.POLL_SECONDS = 4.0, 1.0
connection.REACH_SECONDS = 60.0
from automl_cl.command.cli import main
sys.argv = ["automl-cl", *sys.argv[1:]]
main()
"""


def begin(head: Head, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments, "--address", head.address],
        env=head.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_without_its_head_a_search_ends_with_one_line_and_can_be_resumed(
    head: Head, tmp_path: Path
) -> None:
    (tmp_path / "space.yaml").write_text("algorithm: superloss\ntraining.batch_size: 64\n")
    run, journal = tmp_path / "run", tmp_path / "run" / "journal.jsonl"
    search = begin(
        head, "search", "curriculum", "--data", "digits", "--space", str(tmp_path / "space.yaml"),
        "--trials", "12", "--max-epochs", "4", "--seeds", "3", "--output", str(run),
    )  # fmt: skip
    patience = time.monotonic() + 100
    while not journal.exists() or b'"rung"' not in journal.read_bytes():
        assert search.poll() is None and time.monotonic() < patience, search.communicate()
        time.sleep(0.05)
    head.kill()
    before = time.monotonic()
    out, err = search.communicate(timeout=60)
    assert time.monotonic() - before < 40, "4 s, and what it takes to notice"
    assert search.returncode == 3, err
    assert "Traceback" not in out + err
    told = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1
    assert told[0].endswith(f"automl-cl resume {run} --address {head.address}")
    reported = journal.read_bytes()
    head.start()
    resumed = begin(head, "resume", str(run))
    out, err = resumed.communicate(timeout=150)
    assert resumed.returncode == 0, err
    assert journal.read_bytes().startswith(reported[: reported.rfind(b"\n") + 1])
    assert (run / "tuned.yaml").exists()

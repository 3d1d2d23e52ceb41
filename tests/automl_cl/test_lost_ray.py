"""A search whose Ray ends under it: one line, exit code 3, table and report, and a resumption."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from automl_cl.engine.aftermath import KEPT_LINES, Loss, last_of_logs, workers_of
from automl_cl.engine.interruption import descendants
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import replayed
from cluster.local_processes import _listening_on, deaths_of

SMALL = ("--trials", "6", "--max-epochs", "3", "--seeds", "3", "--no-history")


def begin(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "automl_cl", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def of_ray(driver: int, program: str) -> int:
    """The process of a driver's own Ray that runs a program."""
    for each in descendants(driver):
        words = Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")
        if words[0].decode().endswith(f"/{program}"):
            return each
    raise LookupError(program)


def until(condition: Callable[[], bool], driver: subprocess.Popen[str]) -> None:
    patience = time.monotonic() + 150
    while not condition():
        assert driver.poll() is None and time.monotonic() < patience, driver.communicate()
        time.sleep(0.05)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.exhaustive
def test_whatever_of_ray_is_killed_the_run_ends_in_order_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("algorithm: superloss\ntraining.batch_size: 64\n")
    run, journal = tmp_path / "run", tmp_path / "run" / "journal.jsonl"
    driver = begin(
        "search", "curriculum", "--data", "digits", "--space", str(tmp_path / "space.yaml"),
        *SMALL, "--output", str(run),
    )  # fmt: skip

    def rungs() -> int:
        return journal.read_bytes().count(b'"event": "rung"') if journal.exists() else 0

    for program in ("raylet", "gcs_server"):
        before = rungs()
        until(lambda before=before: rungs() > before, driver)  # type: ignore[misc]
        workers = workers_of(of_ray(driver.pid, "raylet"))
        assert workers
        os.kill(of_ray(driver.pid, program), signal.SIGKILL)
        out, err = driver.communicate(timeout=120)
        assert driver.returncode == 3, err
        told = [line for line in err.splitlines() if line]
        assert len(told) == 1 and told[0].startswith("Error: Ray's "), err
        assert told[0].endswith(f"go on with: automl-cl resume {run}")
        assert "Traceback" not in out + err and "raylet)" not in out
        assert "raylet.out" in (run / "ray.log").read_text()
        assert (run / "report.html").exists()
        table = replayed(read_events(journal))
        assert pq.read_table(run / "trials.parquet").num_rows == len(table.trials)
        assert not [each for each in workers if Path(f"/proc/{each}/status").exists()
                    and "Z (zombie)" not in Path(f"/proc/{each}/status").read_text()]  # fmt: skip
        driver = begin("resume", str(run))
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err
    assert (run / "tuned.yaml").exists()


def test_the_files_are_made_without_ray(run_folder: Path, tmp_path: Path) -> None:
    for name in ("trials.parquet", "report.html"):
        (run_folder / name).unlink()
    (tmp_path / "raylet.out").write_text("first\n" * KEPT_LINES + "last \x1b[2J\n")
    code = (
        "import sys, threading, time\n"
        "from automl_cl.engine.aftermath import Loss, replace_process\n"
        "def busy():\n    while True:\n        sum(range(1000))\n"
        "threading.Thread(target=busy).start()\n"
        f"loss = Loss({str(run_folder)!r}, 'Ray is gone', 'go on with: X', 3, {str(tmp_path)!r})\n"
        "threading.Thread(target=replace_process, args=[loss]).start()\n"
        "time.sleep(100)\n"
    )
    # A module of the working folder does not come before ours.
    (tmp_path / "automl_cl.py").write_text("raise SystemExit('not this one')\n")
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
    )
    assert ended.returncode == 3, ended
    assert ended.stderr.split("\n") == [
        "", "Error: Ray is gone. What was reported is safe; go on with: X", "",
    ]  # fmt: skip
    assert (run_folder / "trials.parquet").exists() and (run_folder / "report.html").exists()
    log = (run_folder / "ray.log").read_text().splitlines()
    assert len(log) == KEPT_LINES + 1 and log[-1].startswith("last")


def test_what_cannot_be_written_does_not_hide_the_line(tmp_path: Path) -> None:
    code = (
        "from automl_cl.engine.aftermath import Loss, replace_process\n"
        f"replace_process(Loss({str(tmp_path / 'nothing')!r}, 'Ray is gone', 'go on', 3))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100
    )
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[0].startswith("Error: table or report could not be written")
    assert ended.stderr.splitlines()[-1] == "Error: Ray is gone. What was reported is safe; go on"


def test_the_end_of_a_process_is_known_at_once() -> None:
    living = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    dying = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    with deaths_of({"one": living.pid, "other": dying.pid}) as deaths:
        assert deaths.first(0.0) is None
        os.kill(dying.pid, signal.SIGKILL)
        begun = time.monotonic()
        assert deaths.first(10.0) == "other"
        assert time.monotonic() - begun < 2.0
    living.kill()
    for each in (living, dying):
        each.wait()
    with deaths_of({"gone": living.pid}) as deaths:
        assert deaths.first(0.0) is None  # its number may be somebody else's by now


def test_several_threads_may_wait_for_the_end_of_the_same_processes() -> None:
    living = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    with deaths_of({"one": living.pid}) as deaths, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(deaths.first, 20.0)
        time.sleep(0.2)
        assert deaths.first(0.0) is None, "an error asks while the watch goes on"
        living.kill()
        assert waiting.result() == "one"
    living.wait()


def test_who_listens_on_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        assert _listening_on(str(tmp_path / "socket")) == os.getpid()


def test_logs_that_are_not_there_are_no_error(tmp_path: Path) -> None:
    assert last_of_logs(tmp_path / "nothing") == ""
    assert Loss("run", "words", "go on", 3).logs == ""
    assert workers_of(0) == set()

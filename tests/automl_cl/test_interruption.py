from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl_cl.engine.interruption import Interruption

SCRIPT = """
import ctypes, subprocess, sys, time
from automl_cl.engine.interruption import Interruption

child = subprocess.Popen(["sleep", "60"])
with Interruption() as interruption:
    print(child.pid, flush=True)
    {body}
"""
# A lock that the main thread holds, taken again in libc: no Python code of it runs any more.
HANGS = "lock = ctypes.create_string_buffer(64); " + 2 * (
    "ctypes.CDLL(None).pthread_mutex_lock(lock); "
)
ANSWERED = """
    with interruption.answered_by(lambda: None, lambda: "saving"):
        time.sleep(60)
"""


def started(body: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    time.sleep(0.2)  # it is in the body now
    return process, child


def is_gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.mark.parametrize("body", [HANGS, ANSWERED.strip()])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_the_second_ends_the_process_at_once_with_what_it_began(
    body: str, first: signal.Signals
) -> None:
    process, child = started(body)
    process.send_signal(first)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "again ends at once" in said and "ended at once" in said
    assert "Traceback" not in said
    patience = time.monotonic() + 5
    while not is_gone(child) and time.monotonic() < patience:
        time.sleep(0.02)
    assert is_gone(child)


def test_one_signal_that_a_launcher_passes_on_as_well_is_not_two() -> None:
    process, _ = started(ANSWERED.strip())
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    time.sleep(1.0)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_raises_where_nothing_else_answers(number: signal.Signals) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt), Interruption(said.append) as interruption:
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert interruption.requested


def test_where_something_answers_the_first_is_told_to_it() -> None:
    said: list[str] = []
    told: list[bool] = []
    with Interruption(said.append) as interruption:
        with interruption.answered_by(lambda: told.append(True), lambda: "saving"):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
    assert told == [True]
    assert said == ["saving; Ctrl-C again ends at once"]


def test_what_must_not_be_cut_short_ends_first() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), Interruption(lambda text: None) as interruption:
        with interruption.put_off():
            os.kill(os.getpid(), signal.SIGINT)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as Ray does when it starts
            done = True
        done = False
    assert done


def test_a_handler_that_ray_put_is_replaced() -> None:
    with Interruption(lambda text: None) as interruption:
        with interruption.put_off():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)


def test_afterwards_signals_are_as_before() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with Interruption():
        pass
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1

from __future__ import annotations

import subprocess
import sys
import time

from trainables.foundation.watchdog import Watchdog, note_progress
from trainables.learning.flops import FlopCounter


def test_whoever_makes_no_progress_is_told_of() -> None:
    told: list[str] = []
    watchdog = Watchdog(poll=0.01)
    with watchdog.over(0.2, told.append):
        for _ in range(20):
            time.sleep(0.02)
            note_progress()
        assert not told
        time.sleep(1.0)
    assert told and set(told) == {"no progress for 0.2 s"}


def test_nothing_is_watched_outside_or_without_a_limit() -> None:
    told: list[str] = []
    watchdog = Watchdog(poll=0.01)
    with watchdog.over(0.05, told.append):
        pass
    time.sleep(0.2)
    with watchdog.over(None, told.append):
        time.sleep(0.2)
    assert not told


def test_counted_work_is_progress() -> None:
    """Scoring passes and evaluations take no step, and can be long."""
    import torch

    told: list[str] = []
    watchdog, ones = Watchdog(poll=0.01), torch.ones(2, 2)
    with FlopCounter():
        ones @ ones  # the first time takes imports
    with watchdog.over(0.5, told.append), FlopCounter():
        for _ in range(40):
            time.sleep(0.02)
            ones @ ones
    assert not told


HANGING = """
import threading, time
from trainables.trials.last_words import end_process
threading.Thread(target=time.sleep, args=(60,)).start()
end_process("no progress for 5 s", lambda: print("told", flush=True))
"""


def test_a_process_ends_whatever_its_threads_do_with_a_line_in_its_log() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 75
    assert ended.stdout == "told\n"
    assert ended.stderr.endswith("ends itself: no progress for 5 s\n")

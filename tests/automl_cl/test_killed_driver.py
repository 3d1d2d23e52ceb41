"""A driver that is killed at any stage, and what the next one makes of its run.

The driver is a fork of this process: its death is the kernel's, and costs no start of Python.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver, execution, run_files
from automl_cl.results.tuned import Tuned
from automl_cl.run.events import Event
from automl_cl.run.journal import read_events
from automl_cl.run.trial import CONFIRM, SEARCH, VERDICT
from automl_cl.run.trial_table import replayed
from automl_cl.spec.search_spec import SearchSpec

from .conftest import one_thread, score_here, train_here

Watch = Callable[[Event], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def live(folder: Path, spec: SearchSpec, watch: Watch, dies_of: str) -> None:
    """One life of a driver, here and without Ray: it begins the search or goes on with it.

    Args:
        folder: the run's.
        spec: the search.
        watch: told each event.
        dies_of: what the driver dies of when it calls it, by its name there; or `score`.
    """
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setattr(driver, "connect", lambda *args, **kwargs: nullcontext())
        patch.setattr(driver, "watched_head", lambda *args: nullcontext())
        patch.setattr(driver, "concurrency", lambda trial: 1)
        patch.setattr(driver, "train", train_here)
        deadly = dies_of == "score"
        patch.setattr(execution, "_scored", (lambda *args: die()) if deadly else score_here)
        if dies_of == "Tuned":
            patch.setattr(Tuned, "of_search", lambda *args: die())
        elif dies_of and not deadly:
            home = run_files if hasattr(run_files, dies_of) else driver
            patch.setattr(home, dies_of, lambda *args: die())
        if (folder / "journal.jsonl").exists():
            driver.resume(folder, watch=lambda *_: watch)
        else:
            driver.start(spec, folder, watch=lambda *_: watch)


def killed_life(life: Callable[[], None], words: str) -> None:
    """Has a driver live in a process of its own, in which it is killed."""
    process = os.fork()
    if process == 0:
        try:
            life()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)  # it ended by itself, whatever it ended with
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status), f"{words}: the driver was not killed"
    assert os.WTERMSIG(status) == signal.SIGKILL


def dying_in(stage: str) -> Watch:
    """Dies after a stage's second event that a trial has reported."""
    numbers: set[int] = set()
    reported: list[int] = []

    def watch(event: Event) -> None:
        if event.kind == "ask" and event.stage == stage:
            numbers.add(event.number)
        if event.kind in ("rung", "end") and event.number in numbers:
            reported.append(event.number)
            if len(reported) == 2:
                die()

    return watch


def dying_at(kind: str) -> Watch:
    return lambda event: die() if event.kind == kind else None


def idly(event: Event) -> None:
    """Watches and does nothing."""


# When the driver dies, and of what; in the order of a search.
DEATHS: list[tuple[str, Watch, str]] = [
    ("in the search", dying_in(SEARCH), ""),
    ("in the confirmation", dying_in(CONFIRM), ""),
    ("with the plan made", dying_at("plan"), ""),
    ("in the verdict's trainings", dying_in(VERDICT), ""),
    ("scoring, with the test open", idly, "score"),
    ("with the verdict known", dying_at("verdict"), ""),
    ("writing trials.parquet", idly, "write_trials"),
    ("writing verdict.json", idly, "write_whole"),
    ("writing tuned.yaml", idly, "Tuned"),
    ("writing report.html", idly, "write_report"),
]


def test_killed_at_every_stage_the_run_is_that_of_a_driver_that_lived(
    finished_run: Path, tmp_path: Path
) -> None:
    spec = SearchSpec.read(finished_run / "search.yaml")
    folder, before = tmp_path / "run", 0
    for words, watch, dies_of in DEATHS:
        killed_life(partial(live, folder, spec, watch, dies_of), words)
        lines = len((folder / "journal.jsonl").read_bytes().splitlines())
        assert lines > before, f"killed {words} it has lost what was written"
        before = lines
    live(folder, spec, idly, "")
    require_same(folder, finished_run)


def require_same(folder: Path, undisturbed: Path) -> None:
    """The same trials, the same verdict, the same tuned config, and one opening of the test."""
    tables = [
        pq.read_table(each / "trials.parquet").drop(["seconds"]).to_pylist()
        for each in (folder, undisturbed)
    ]
    assert tables[0] == tables[1]
    for name in ("verdict.json", "tuned.yaml"):
        assert (folder / name).read_text() == (undisturbed / name).read_text(), name
    assert (folder / "report.html").exists()
    assert replayed(read_events(folder / "journal.jsonl")).openings == 1

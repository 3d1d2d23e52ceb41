"""Where files are written: nothing but a regular file is replaced, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from automl_cl.engine import driver
from automl_cl.results.trials_file import write_trials
from automl_cl.run.folder import RunFolder, write_whole
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError
from trainables.foundation.storage import writing

from .conftest import SMALL, Command, WriteNpz, train_here, without_ray


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root makes devices")
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 7))
    except OSError as error:
        pytest.skip(str(error))


def make_link(path: Path) -> None:
    (path.parent / "linked").write_text("kept")
    path.symlink_to(path.parent / "linked")


def make_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def make_folder(path: Path) -> None:
    path.mkdir()


NO_FILES = [make_pipe, make_device, make_link, make_link_to_nothing, make_folder]
Make = Callable[[Path], None]


def kind_of(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_mode, found.st_ino


@pytest.mark.parametrize("make", NO_FILES)
def test_only_regular_files_are_replaced(tmp_path: Path, make: Make) -> None:
    there = tmp_path / "there.html"
    make(there)
    before = kind_of(there)
    writers: list[Callable[[], object]] = [
        lambda: write_whole(there, "x"),
        lambda: write_trials(there, TrialTable()),
        lambda: SearchSpec("curriculum", "digits").write(there),
    ]
    for write in writers:
        with pytest.raises(FileExistsError, match="no regular file"):
            write()
        assert kind_of(there) == before
    assert {each.name for each in tmp_path.iterdir()} <= {"there.html", "linked"}
    there.rmdir() if there.is_dir() and not there.is_symlink() else there.unlink()
    write_whole(there, "x")
    write_whole(there, "y")
    assert there.read_text() == "y"


@pytest.mark.parametrize("make", NO_FILES)
def test_no_command_writes_over_what_is_no_regular_file(
    command: Command, run_folder: Path, tmp_path: Path, make: Make
) -> None:
    html, table, safetensors = (tmp_path / f"there{end}" for end in (".html", "", ".safetensors"))
    for each in (html, table, safetensors):
        if make is make_link:
            (tmp_path / "linked").unlink(missing_ok=True)
        make(each)
    before = [kind_of(each) for each in (html, table, safetensors)]
    for arguments in (
        ["report", run_folder, "--to", html, "--force"],
        ["report", run_folder, "--to", html],
        ["export", run_folder, "--to", html],
        ["export", run_folder, "--to", tmp_path / "there.yaml", "--weights"],
        ["dashboard", run_folder, "--export-only", "--to", html],
        ["pretrain", "--data", "digits", "--model", "mlp", "--output", safetensors],
    ):
        outcome = command(*arguments)
        assert outcome.code == 2, (arguments, outcome)
        assert len(outcome.err.splitlines()) == 1
        assert [kind_of(each) for each in (html, table, safetensors)] == before
    assert not (tmp_path / "there.yaml").exists() and not (tmp_path / "nothing").exists()
    if make is make_link:
        assert (tmp_path / "linked").read_text() == "kept"


def test_links_in_a_run_folder_are_not_written_through(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    """A run folder may be a stranger's."""
    mine = tmp_path / "mine"
    mine.write_text("kept")
    for name, arguments in (
        ("report.html", ["report", run_folder]),
        ("optuna.jsonl", ["dashboard", run_folder, "--export-only"]),
    ):
        (run_folder / name).unlink(missing_ok=True)
        (run_folder / name).symlink_to(mine)
        outcome = command(*arguments)
        assert outcome.code == 2 and len(outcome.err.splitlines()) == 1, outcome
        assert mine.read_text() == "kept"


def test_force_replaces_a_file(command: Command, run_folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.html"
    there.write_text("old")
    assert command("report", run_folder, "--to", there).code == 2
    assert command("report", run_folder, "--to", there, "--force").code == 0
    assert "<html" in there.read_text()


def test_a_draft_that_was_left_behind_is_no_obstacle_and_no_way_out(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("kept")
    draft = tmp_path / f".there.{os.getpid()}.tmp"
    draft.symlink_to(mine)
    with writing(tmp_path / "there") as file:
        file.write(b"new")
    assert mine.read_text() == "kept" and (tmp_path / "there").read_text() == "new"


# A search that is killed while it makes its folder.

DEATHS = {
    "with an empty folder": "automl_cl.run.journal.Journal.create",
    "with an empty journal": "automl_cl.spec.search_spec.write_whole",
    "with a spec": "automl_cl.run.journal.Journal.append",
    "in the first line": "os.fsync",
}
KILLED = """
import os, signal, sys
from unittest import mock
import numpy as np
from automl_cl.engine import driver
from automl_cl.spec.search_spec import SearchSpec
from contextlib import nullcontext

def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

target, data, folder = sys.argv[1:]
driver.connect = lambda *args, **kwargs: nullcontext()
driver.concurrency = lambda trial: 1
spec = SearchSpec("curriculum", data, space={"algorithm": "superloss"}, no_history=True)
if target == "os.fsync":
    from automl_cl.run.journal_file import JournalFile
    def half(self, seq, line):
        os.write(self._descriptor, line[: len(line) // 2])
        die()
    JournalFile.append = half
else:
    mock.patch(target, die).start()
driver.start(spec, folder)
"""


@pytest.mark.parametrize("when", DEATHS)
def test_a_folder_whose_search_was_killed_at_its_creation(
    command: Command, write_npz: WriteNpz, tmp_path: Path, when: str
) -> None:
    run, data = tmp_path / "run", write_npz()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, DEATHS[when], str(data), str(run)], capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed
    assert run.is_dir()
    outcome = command("resume", run)
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
    if (run / "search.yaml").exists():
        again = f"automl-cl search --from {run / 'search.yaml'} --output {run}"
        assert outcome.err.endswith(f"begin it again: {again}\n")
        assert when != "with an empty folder"
        for other in (["fork", run], ["report", run], ["export", run, "--to", "new.yaml"]):
            assert command(*other).err == outcome.err
        asked = ["--from", run / "search.yaml"]
    else:
        asked = ["curriculum", "--data", data]
    small = ["--trials", 2, "--max-epochs", 1, "--seeds", 3, "--no-history"]
    with without_ray(train_here):
        outcome = command("search", *asked, *small, "--output", run)
    assert outcome.code == 0, outcome
    assert (run / "tuned.yaml").exists()
    assert read_events(run / "journal.jsonl")


def test_a_folder_with_anything_of_others_in_it_is_no_such_folder(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    unbegun = tmp_path / "unbegun"
    unbegun.mkdir()
    shutil.copy(run_folder / "search.yaml", unbegun)
    with pytest.raises(InputError, match="not empty"):
        RunFolder.require_free(unbegun)  # it may have been written by hand
    (unbegun / "journal.jsonl").touch()
    RunFolder.require_free(unbegun)
    (unbegun / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        RunFolder.require_free(unbegun)
    (unbegun / "notes.txt").unlink()
    first = (run_folder / "journal.jsonl").read_bytes().split(b"\n")[0]
    (unbegun / "journal.jsonl").write_bytes(first + b"\n")
    with pytest.raises(InputError, match="not empty"):
        RunFolder.require_free(unbegun)
    assert command("search", "curriculum", "--data", "digits", "--output", unbegun).code == 2


# A history that is none.


def test_a_run_folder_is_no_history(command: Command, run_folder: Path, tmp_path: Path) -> None:
    for arguments in (
        ["history", run_folder],
        ["history", run_folder, "--json"],
        ["search", "curriculum", "--data", "digits", "--warm-start", run_folder],
    ):
        outcome = command(*arguments)
        assert outcome.code == 2 and outcome.out == ""
        assert len(outcome.err.splitlines()) == 1
        assert "run folder" in outcome.err and str(run_folder.parent / "history") in outcome.err


def test_a_history_of_which_nothing_can_be_read_is_an_error(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    shutil.copy(run_folder / "trials.parquet", folder)
    (folder / "more.parquet").write_bytes(b"PAR1")
    outcome = command("history", folder)
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err.splitlines()[-1].startswith("Error: history ")


def test_a_search_clears_what_killed_ones_have_left(
    tmp_path: Path, write_npz: WriteNpz, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(driver, "clear_left_over", lambda: told.append("cleared"))
    spec = SearchSpec("curriculum", str(write_npz()), space=SMALL, no_history=True)
    with without_ray(lambda *args: None):
        run = driver.start(spec, tmp_path / "run").folder
        driver.resume(run.path)
    assert told == ["cleared", "cleared"]

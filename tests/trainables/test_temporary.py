from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainables.foundation.temporary import (
    clear_left_over,
    make_folder,
    remove_folder,
    temporary_folder,
)

MAKER = """
import sys, time
from trainables.foundation.temporary import make_folder
folder = make_folder("test")
(folder / "file").write_text("x" * 1000)
print(folder, flush=True)
time.sleep(100)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders go in this test, and in the processes it begins."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield tmp_path


def test_what_a_killed_process_leaves_is_cleared_by_the_next(place: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", MAKER], stdout=subprocess.PIPE, text=True)
    assert maker.stdout is not None
    folder = Path(maker.stdout.readline().strip())
    mine = make_folder("mine")
    clear_left_over()
    assert (folder / "file").exists() and mine.exists(), "their makers live"
    os.kill(maker.pid, signal.SIGKILL)
    maker.wait()
    clear_left_over()
    assert not folder.exists() and mine.exists()
    remove_folder(mine)
    assert list(place.iterdir()) == []


def test_a_folder_is_there_while_it_is_entered(place: Path) -> None:
    with temporary_folder("kind") as folder:
        assert folder.parent == place and folder.name.startswith("automl_cl-kind-")
        assert folder.stat().st_mode & 0o777 == 0o700
        clear_left_over()
        assert folder.exists()
    assert not folder.exists()


def test_what_is_somebody_elses_or_something_else_stays(place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".owner").touch()
    (place / "automl_cl-link").symlink_to(elsewhere)
    (place / "automl_cl-file").touch()
    (place / "automl_cl-unmarked").mkdir()  # of an older version: nobody knows whose
    marked_by_a_link = place / "automl_cl-marked"
    marked_by_a_link.mkdir()
    (marked_by_a_link / ".owner").symlink_to(elsewhere / ".owner")
    before = sorted(place.rglob("*"))
    clear_left_over()
    assert sorted(place.rglob("*")) == before


def test_the_folder_of_another_user_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abandoned = place / "automl_cl-abandoned"
    abandoned.mkdir()
    (abandoned / ".owner").touch()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    clear_left_over()
    assert abandoned.exists()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    clear_left_over()
    assert not abandoned.exists()

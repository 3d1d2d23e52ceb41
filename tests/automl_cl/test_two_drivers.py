"""Two drivers on one run: whoever comes second stops, and the run can be read whatever happens."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from automl_cl.engine import driver
from automl_cl.run.events import Start
from automl_cl.run.journal import Journal, read_events
from search_spaces import InputError

from .conftest import SMALL, search_here, train_here, without_ray
from .happened import happened

REPOSITORY = Path(__file__).parents[2]
# Another driver. With `locks` it takes the lock as it should; without, it is as where locks fail.
OTHER = """
import fcntl, sys
from automl_cl.run.events import Start
from automl_cl.run.journal import Journal
if sys.argv[2] != "locks":
    fcntl.flock = lambda *arguments: None
try:
    with Journal.open(sys.argv[1]) as journal:
        for number in range(int(sys.argv[3])):
            journal.append(Start(pid=1000 + number))
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(9)
"""


def other(path: Path, locks: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER, str(path), locks, str(count)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    with Journal.create(path) as journal:
        journal.append(happened("search"))
    return path


def pids(path: Path) -> list[int]:
    return [event.pid for event in read_events(path) if isinstance(event, Start)]


def test_without_the_note_of_the_lock_the_second_is_refused_all_the_same(path: Path) -> None:
    with Journal.open(path) as journal:
        path.with_name("journal.jsonl.lock").unlink()
        code, said = ended(other(path, "locks", 1))
        assert code == 9
        assert f"is in use by process {os.getpid()}" in said
        journal.append(happened("start", pid=5))
    assert pids(path) == [5]
    assert ended(other(path, "locks", 2)) == (0, "")
    assert pids(path) == [5, 1000, 1001]


def test_where_locks_fail_the_first_sees_what_the_second_wrote_and_stops(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(happened("start", pid=5))
        assert ended(other(path, "no locks", 2)) == (0, "")
        before = path.read_bytes()
        for words in ("another process has written", "cannot append"):
            with pytest.raises((OSError, RuntimeError), match=words):
                journal.append(happened("start", pid=6))
        assert path.read_bytes() == before
    assert pids(path) == [5, 1000, 1001]


def test_both_at_once_without_locks_leave_a_run_that_can_be_read(path: Path) -> None:
    both = [other(path, "no locks", 300) for _ in range(2)]
    codes = sorted(ended(each)[0] for each in both)
    assert codes in ([0, 9], [9, 9], [0, 0])  # one may have been done before the other began
    assert pids(path)
    assert ended(other(path, "locks", 1)) == (0, "")


def cut_and_written_again(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def of_the_same_length(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + b"0" * 19 + whole[-1:])


def replaced(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


@pytest.mark.parametrize(
    "change", [cut_and_written_again, of_the_same_length, replaced, os.remove]
)
def test_a_journal_that_is_not_as_it_was_left_takes_nothing_more(
    path: Path, change: Callable[[Path], None]
) -> None:
    with Journal.open(path) as journal:
        journal.append(happened("start"))
        change(path)
        before = path.read_bytes() if path.exists() else None
        with pytest.raises(OSError, match=r"this driver stops|deleted while in use") as raised:
            journal.append(happened("start"))
        assert raised.value.filename == str(path)
        assert before == (path.read_bytes() if path.exists() else None)


def test_a_driver_that_is_no_longer_alone_writes_no_file_of_the_run(
    tmp_path: Path, write_npz: Callable[..., Path]
) -> None:
    """Not the table either, nor the report or the history, which are the other's now."""
    from automl_cl.spec.search_spec import SearchSpec

    spec = SearchSpec("curriculum", str(write_npz()), space=SMALL, trials=2, max_epochs=1.0)
    run, journal = tmp_path / "run", tmp_path / "run" / "journal.jsonl"

    def train(session: object, *others: object) -> None:
        train_here(session, *others)  # type: ignore[arg-type]
        ended(other(journal, "no locks", 1))

    with pytest.raises(OSError, match="another process has written to this run too") as raised:
        search_here(spec, run, train)
    assert "\n" not in str(raised.value)
    assert pids(journal)[-1] == 1000
    found = {each.name for each in run.iterdir()}
    assert not found & {"trials.parquet", "report.html", "verdict.json", "tuned.yaml"}
    assert not (tmp_path / "history").exists()
    with without_ray(train_here):
        assert driver.resume(run).verdict is not None


def test_another_runs_journal_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.jsonl"
    with Journal.create(second) as journal:
        journal.append(happened("search", data="other"))
        journal.append(happened("start"))
    lines = path.read_bytes(), second.read_bytes().splitlines(keepends=True)[1]
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=r"line 2 of .* is damaged, or of another run"):
        read_events(path)

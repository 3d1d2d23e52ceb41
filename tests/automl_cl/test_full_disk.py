"""A disk that really fills up: a small one is mounted, which needs root."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver
from automl_cl.engine.session import Session
from automl_cl.run.journal import Journal, read_events
from automl_cl.spec.preparation import Prepared
from automl_cl.spec.search_spec import SearchSpec
from trainables.learning.tensors import TensorView
from trainables.trials.trial_run import RungReport, TrialRequest, TrialRun

from .conftest import CPU, SMALL, Command, search_here, toy, train_here, without_ray
from .happened import happened


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leaves not one byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return filler


def test_what_a_full_disk_refused_is_not_in_the_journal_and_can_be_appended_again(
    disk: Path,
) -> None:
    with Journal.create(disk / "journal.jsonl") as journal:
        journal.append(happened("search"))
        filler, kept = fill(disk), 1
        with pytest.raises(OSError, match="No space left") as raised:
            while True:  # the last page of the file takes a few more
                journal.append(happened("lost", reason="x" * 100))
                kept += 1
        assert raised.value.filename == str(disk / "journal.jsonl")
        assert (disk / "journal.jsonl").read_bytes().count(b"\n") == kept
        filler.unlink()
        journal.append(happened("start"))
    assert (disk / "journal.jsonl").read_bytes().count(b"\n") == kept + 1


def train_and_fill(disk: Path, when: Callable[[TrialRequest], bool]) -> Callable[..., None]:
    """Trains as an actor does, which reports what a trial raised; the disk fills at a request."""

    def train(session: Session, prepared: Prepared, slots: int) -> None:
        data, filled = TensorView.of(prepared.view, CPU), False
        while (request := session.ask()) is not None:
            if not filled and when(request):
                fill(disk)
                filled = True
            trial, goes_on = TrialRun(request, data, CPU), True
            while goes_on:
                try:
                    report = trial.next_rung()
                except OSError as error:
                    report = RungReport.of_error(request, error)
                goes_on = session.report(report)

    return train


@pytest.mark.parametrize("what", ["a checkpoint", "weights"])
def test_a_search_on_a_disk_that_fills_up_is_resumed_and_has_lost_nothing(
    disk: Path, tmp_path: Path, command: Command, what: str
) -> None:
    np.savez(tmp_path / "toy.npz", **toy())
    spec = SearchSpec(
        "curriculum", str(tmp_path / "toy.npz"), space=SMALL, trials=2, max_epochs=2.0, seeds=3
    )
    spec.write(tmp_path / "search.yaml")
    run = disk / "run"
    wanted = {"a checkpoint": lambda asked: asked.number == 1, "weights": _keeps_weights}
    with without_ray(train_and_fill(disk, wanted[what])):
        outcome = command("search", "--from", "search.yaml", "--output", run, "--no-history")
    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith(f"Error: {disk}") and "No space left on device" in last
    assert f"automl-cl resume {run}" in last
    before = read_events(run / "journal.jsonl")
    assert "end" not in {event.kind for event in before}, "no trial is to blame"
    (disk / "filler").unlink()
    with without_ray(train_here):
        driver.resume(run)
    assert read_events(run / "journal.jsonl")[: len(before)] == before
    undisturbed = search_here(spec, tmp_path / "undisturbed", train_here)
    assert table(run) == table(undisturbed)
    assert not [path for path in run.rglob("*") if path.name.endswith(".tmp")]


def _keeps_weights(request: TrialRequest) -> bool:
    return request.keep_weights


def table(run: Path) -> list[dict[str, Any]]:
    return pq.read_table(run / "trials.parquet").drop(["seconds"]).to_pylist()

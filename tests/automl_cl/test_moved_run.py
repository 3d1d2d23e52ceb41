"""A run folder that was copied or mounted elsewhere, and names in it that lead elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver
from automl_cl.engine.session import Session
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError
from trainables.learning.checkpoint import write_checkpoint

from .conftest import SMALL, search_here, toy, train_here, train_until, without_ray
from .happened import rewrite


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SearchSpec:
    data = tmp_path_factory.mktemp("data") / "toy.npz"
    np.savez(data, **toy())
    return SearchSpec("curriculum", str(data), space=SMALL, trials=2, max_epochs=2.0, seeds=3)


@pytest.fixture(scope="module")
def cut_once(spec: SearchSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose driver stopped after the first rung of its first trial."""
    run = search_here(spec, tmp_path_factory.mktemp("cut") / "run", train_until(1))
    assert list(run.glob("checkpoints/000000/*-rung-1.pt"))
    return run


@pytest.fixture
def cut(cut_once: Path, tmp_path: Path) -> Path:
    """The same, to do with as one likes."""
    return Path(shutil.copytree(cut_once, tmp_path / "first" / "run"))


def table(run: Path) -> list[dict[str, Any]]:
    return pq.read_table(run / "trials.parquet").drop(["seconds"]).to_pylist()


def resume(run: Path, train: Callable[..., None] = train_here) -> None:
    with without_ray(train):
        driver.resume(run)


def seen(requests: list[Any]) -> Callable[..., None]:
    """Notes the first request and trains nothing."""

    def train(session: Session, *others: Any) -> None:
        requests.append(session.ask())

    return train


def test_a_run_that_was_cut_is_copied_and_goes_on_elsewhere(
    spec: SearchSpec, cut: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(cut, tmp_path / "elsewhere" / "of another name"))
    shutil.rmtree(cut.parent)
    requests: list[Any] = []
    resume(moved, seen(requests))
    assert (requests[0].number, requests[0].from_rung) == (0, 1)
    assert Path(requests[0].checkpoint).is_file()
    resume(moved)
    undisturbed = search_here(spec, tmp_path / "undisturbed", train_here)
    assert table(moved) == table(undisturbed)
    verdicts = [(run / "verdict.json").read_text() for run in (moved, undisturbed)]
    assert verdicts[0] == verdicts[1]
    assert str(cut) not in (moved / "report.html").read_text()


@pytest.mark.parametrize("named", ["../../../outside.pt", "{outside}", "..", "s3://b/x.pt"])
def test_a_checkpoint_is_read_in_the_run_folder_whatever_the_journal_names(
    cut: Path, tmp_path: Path, named: str
) -> None:
    outside = tmp_path / "outside.pt"
    write_checkpoint(outside, {})
    given = named.format(outside=outside)
    renamed = {"checkpoint": given}
    told = cut / "journal.jsonl"
    rewrite(told, lambda event: event.update(renamed if event["event"] == "rung" else {}))
    requests: list[Any] = []
    resume(cut, seen(requests))
    asked = Path(requests[0].checkpoint).resolve()
    assert asked.is_relative_to(cut / "checkpoints" / "000000") and asked != outside


def test_a_link_that_leads_out_of_the_run_folder_is_refused(cut: Path, tmp_path: Path) -> None:
    (checkpoint,) = cut.glob("checkpoints/000000/*-rung-1.pt")
    outside = tmp_path / "outside.pt"
    checkpoint.rename(outside)
    checkpoint.symlink_to(outside)
    with pytest.raises(InputError, match="leads out of the run folder"):
        resume(cut, seen([]))
    folder = checkpoint.parent
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    with pytest.raises(InputError, match="leads out of the run folder"):
        resume(cut, seen([]))


def test_an_arm_that_would_name_another_folder_is_refused(cut: Path) -> None:
    name = "../../../../outside"
    told = cut / "journal.jsonl"
    rewrite(told, lambda event: event.update({"arm": name} if "arm" in event else {}))
    with pytest.raises(InputError, match=r"algorithm '\.\./.*not in the search space"):
        resume(cut)
    assert not (cut.parents[2] / "outside").exists()

"""Weights and checkpoints that are lost, cut, exchanged or damaged; everything but Ray is real."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver, execution
from automl_cl.engine.session import Session
from automl_cl.results.export import export_run
from automl_cl.run.events import Damaged, OpenTest
from automl_cl.run.journal import read_events
from automl_cl.run.trial import Trial
from automl_cl.run.trial_table import replayed
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import InputError
from trainables.foundation.storage import StorageError
from trainables.learning.tensors import TensorView
from trainables.trials.trial_run import TrialRun

from .conftest import (
    CPU,
    NARROW,
    score_here,
    search_here,
    toy,
    train_here,
    train_until,
    without_ray,
)
from .happened import rewrite

Train = Callable[..., None]
Damage = Callable[[Path, list[Path]], object]
AGAIN = "weights for the verdict are trained again"


def cut_before(run: Path, kind: str, more: int = 0) -> Path:
    """Ends a run's journal before its last event of a kind, and removes what came of it."""
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    at = max(i for i, line in enumerate(lines) if f'"event": "{kind}"'.encode() in line) + more
    (run / "journal.jsonl").write_bytes(b"".join(lines[:at]))
    for name in ("verdict.json", "tuned.yaml", "report.html", "trials.parquet"):
        (run / name).unlink()
    return run


@pytest.fixture
def unopened(run_folder: Path) -> Path:
    """A copy of the finished run, from before the test was opened."""
    return cut_before(run_folder, "open_test")


@pytest.fixture
def opened(run_folder: Path) -> Path:
    """A copy of the finished run that was killed between opening and verdict."""
    return cut_before(run_folder, "open_test", 1)


def verdict_trainings(run: Path) -> list[Trial]:
    return list(replayed(read_events(run / "journal.jsonl")).of_stage("verdict"))


def weights_of(run: Path, arm: str = "plain") -> list[Path]:
    return [
        run / "checkpoints" / f"{trial.number:06d}" / str(trial.weights)
        for trial in verdict_trainings(run)
        if trial.arm == arm
    ]


def table(run: Path) -> list[dict[str, Any]]:
    return pq.read_table(run / "trials.parquet").drop(["seconds"]).to_pylist()


def resumed(run: Path, train: Train = train_here) -> list[str]:
    """Resumes a run up to its verdict; gives what it said."""
    said: list[str] = []
    with without_ray(train):
        assert driver.resume(run, announce=said.append).verdict is not None
    return said


def require_undisturbed(run: Path, finished: Path, said: list[str], trained: int) -> None:
    """The verdict and table of an undisturbed run, one opening, and one line about the damage."""
    assert (run / "verdict.json").read_text() == (finished / "verdict.json").read_text()
    assert table(run) == table(finished)
    happened = read_events(run / "journal.jsonl")
    assert sum(isinstance(each, OpenTest) for each in happened) == 1
    assert sum(isinstance(each, Damaged) for each in happened) == trained
    assert len(said) == bool(trained)
    assert all(AGAIN in line and "\n" not in line for line in said)
    left = [each.name for each in run.glob("checkpoints/*/*")]
    assert len(left) == len(verdict_trainings(run)), "what is worth nothing is removed"


def flip_exponents(run: Path, files: list[Path]) -> None:
    for file in files:
        content = bytearray(file.read_bytes())
        start = 8 + int.from_bytes(content[:8], "little")
        numbers = np.frombuffer(content, np.uint32, offset=start)
        numbers[::50] ^= 1 << 24
        file.write_bytes(content)


def flip_one_bit_of_the_header(run: Path, files: list[Path]) -> None:
    content = bytearray(files[0].read_bytes())
    content[20] ^= 1
    files[0].write_bytes(content)


def exchange(run: Path, files: list[Path]) -> None:
    one, other = files[:2]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def exchange_arms(run: Path, files: list[Path]) -> None:
    exchange(run, [files[0], weights_of(run, "superloss")[0]])


def cut(run: Path, files: list[Path]) -> None:
    files[1].write_bytes(files[1].read_bytes()[:-100])


def empty(run: Path, files: list[Path]) -> None:
    files[1].write_bytes(b"")


def delete(run: Path, files: list[Path]) -> None:
    files[2].unlink()


def delete_folders(run: Path, files: list[Path]) -> None:
    for file in files:
        shutil.rmtree(file.parent)


def lead_out_of_the_run(run: Path, files: list[Path]) -> None:
    outside = run.parent / "outside.safetensors"
    files[0].rename(outside)
    files[0].symlink_to(outside)


DAMAGES: list[tuple[Damage, int, str]] = [
    (flip_exponents, 3, "it is damaged"),
    (flip_one_bit_of_the_header, 1, "it is damaged"),
    (exchange, 2, "it is that of trial"),
    (exchange_arms, 2, "it is that of trial"),
    (cut, 1, "it is"),
    (empty, 1, "it is damaged"),
    (delete, 1, "it is missing"),
    (delete_folders, 3, "it is missing"),
    (lead_out_of_the_run, 1, "leads out of the run folder"),
]


@pytest.mark.parametrize("state", ["unopened", "opened"])
@pytest.mark.parametrize(("damage", "trained", "why"), DAMAGES)
def test_damaged_weights_are_trained_again_and_the_verdict_is_the_same(
    finished_run: Path,
    request: pytest.FixtureRequest,
    state: str,
    damage: Damage,
    trained: int,
    why: str,
) -> None:
    run: Path = request.getfixturevalue(state)
    damage(run, weights_of(run))
    said = resumed(run)
    require_undisturbed(run, finished_run, said, trained)
    assert why in said[0]
    # The verdict is there: nothing of it is looked at again.
    delete_folders(run, weights_of(run))
    assert resumed(run) == []


def test_undamaged_weights_are_not_trained_again(finished_run: Path, unopened: Path) -> None:
    require_undisturbed(unopened, finished_run, resumed(unopened, idle), 0)


def idle(session: Session, *others: Any) -> None:
    raise AssertionError("nothing is to be trained")


def test_weights_of_another_run_are_known_as_such(
    finished_run: Path, unopened: Path, tmp_path: Path
) -> None:
    spec = SearchSpec.from_dict(
        read_events(unopened / "journal.jsonl")[0].spec | {"seed": 1, "no_history": True}, "spec"
    )
    other = search_here(spec, tmp_path / "other", train_here)
    shutil.copy(weights_of(other)[0], weights_of(unopened)[0])
    said = resumed(unopened)
    require_undisturbed(unopened, finished_run, said, 1)
    assert "it is of another run" in said[0]


def test_several_slots_train_damaged_weights_again(finished_run: Path, unopened: Path) -> None:
    def two_at_once(session: Session, prepared: Any, slots: int) -> None:
        data = TensorView.of(prepared.view, CPU)
        while requests := [r for r in (session.ask(), session.ask()) if r is not None]:
            runs = [TrialRun(each, data, CPU) for each in reversed(requests)]
            while runs:
                runs = [run for run in runs if session.report(run.next_rung())]

    flip_exponents(unopened, weights_of(unopened))
    require_undisturbed(unopened, finished_run, resumed(unopened, two_at_once), 3)


def test_weights_damaged_while_they_are_scored_open_nothing_again(
    finished_run: Path, unopened: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count()

    def scored(*given: Any) -> Any:
        if next(calls) == 0:
            exchange(unopened, weights_of(unopened))
        return score_here(*given)

    said: list[str] = []
    with without_ray(train_here):
        monkeypatch.setattr(execution, "_scored", scored)
        driver.resume(unopened, announce=said.append)
    require_undisturbed(unopened, finished_run, said, 2)


def test_killed_while_training_again_it_goes_on_there(finished_run: Path, opened: Path) -> None:
    flip_exponents(opened, weights_of(opened))
    said: list[str] = []
    with without_ray(lambda *_: None):
        assert driver.resume(opened, announce=said.append).verdict is None
    assert resumed(opened) == []
    require_undisturbed(opened, finished_run, said, 3)


def test_weights_that_do_not_stay_what_they_are_end_it_in_a_line(unopened: Path) -> None:
    def on_a_bad_disk(session: Session, *others: Any) -> None:
        train_here(session, *others)
        flip_exponents(unopened, weights_of(unopened)[:1])

    flip_exponents(unopened, weights_of(unopened)[:1])
    with without_ray(on_a_bad_disk), pytest.raises(StorageError, match="do not stay what they"):
        driver.resume(unopened, announce=lambda words: None)
    kinds = [each.kind for each in read_events(unopened / "journal.jsonl")]
    assert kinds.count("damaged") == 3 and "open_test" not in kinds


@pytest.mark.parametrize(("state", "noted"), [("unopened", False), ("opened", True)])
def test_weights_that_come_out_otherwise_are_told_of_if_the_test_was_open(
    request: pytest.FixtureRequest, state: str, noted: bool
) -> None:
    """As on a GPU, where the same config and seed do not give the same to the last bit."""

    def train(session: Session, prepared: Any, slots: int) -> None:
        data = TensorView.of(prepared.view, CPU)
        while (asked := session.ask()) is not None:
            trial = TrialRun(asked, data, CPU)
            next(iter(trial.learner.model.parameters())).data.mul_(1 + 1e-6)  # type: ignore[attr-defined]
            while session.report(trial.next_rung()):
                pass

    run: Path = request.getfixturevalue(state)
    flip_exponents(run, weights_of(run)[:1])
    resumed(run, train)
    notes = json.loads((run / "verdict.json").read_text())["notes"]
    assert any("1 verdict trainings were lost after the test" in each for each in notes) == noted


def test_weights_of_earlier_versions_without_a_hash_are_trained_again(
    finished_run: Path, unopened: Path
) -> None:
    rewrite(unopened / "journal.jsonl", lambda event: event.pop("digest", None))
    count = len(verdict_trainings(unopened))
    said = resumed(unopened)
    require_undisturbed(unopened, finished_run, said, count)
    assert "no hash of it was noted" in said[0]


def test_damaged_weights_are_not_exported(finished_run: Path, run_folder: Path) -> None:
    for arm in ("plain", "superloss", "anti_curriculum"):
        flip_exponents(run_folder, weights_of(run_folder, arm))
    with pytest.raises(InputError, match="are not what was written"):
        export_run(run_folder, run_folder.parent / "mine.yaml", weights=True)
    assert not list(run_folder.parent.glob("mine.*"))


# Checkpoints of the search.


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SearchSpec:
    data = tmp_path_factory.mktemp("data") / "toy.npz"
    np.savez(data, **toy())
    return SearchSpec(
        "curriculum", str(data), space=NARROW, trials=4, max_epochs=2.0, seeds=3, no_history=True
    )


@pytest.fixture(scope="module")
def calm(spec: SearchSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search_here(spec, tmp_path_factory.mktemp("calm") / "run", train_here)


@pytest.fixture
def cut_run(spec: SearchSpec, tmp_path: Path) -> Path:
    """A run whose driver stopped in its first trial, after a rung."""
    return search_here(spec, tmp_path / "run", train_until(1))


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 64
    file.write_bytes(content)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


@pytest.mark.parametrize("damage", [flipped, cut_short, Path.unlink])
def test_a_trial_whose_checkpoint_is_damaged_begins_again_and_the_table_is_the_same(
    cut_run: Path, calm: Path, damage: Callable[[Path], object]
) -> None:
    (checkpoint,) = cut_run.glob("checkpoints/000000/*-rung-1.pt")
    damage(checkpoint)
    (said,) = resumed(cut_run)
    assert said.startswith("trial 0 (plain): the checkpoint") and "begins again" in said
    assert table(cut_run) == table(calm)
    assert (cut_run / "verdict.json").read_text() == (calm / "verdict.json").read_text()

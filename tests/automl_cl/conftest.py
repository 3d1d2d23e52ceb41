"""The command line called in this process, and runs that were made without Ray."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch

from automl_cl.command import cli
from automl_cl.engine import driver, execution
from automl_cl.engine.fork import Fork
from automl_cl.engine.session import Session
from automl_cl.results.tuned import Tuned
from automl_cl.spec.preparation import Prepared
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import to_config
from trainables.data import DataSpec, load_view
from trainables.learning.tensors import TensorView
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizers.adamw import AdamW
from trainables.parts.schedules.cosine import Cosine
from trainables.parts.sections.training import Training
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss
from trainables.scenarios.curriculum.recipe import Recipe
from trainables.trials.item_scores import score_items
from trainables.trials.trial_run import TrialRun

CPU = torch.device("cpu")
# Enough for two epochs on little data to learn something.
NARROW = {
    "algorithm": ["superloss", "anti_curriculum"],
    "algorithm.anti_curriculum.scorer": "current_loss",  # two epochs pay for no other
    "optimizer": "adamw",
    "optimizer.lr": {"low": 0.02},
    "training.batch_size": 8,
}
# The least that comes to a verdict.
SMALL = {"algorithm": "superloss", **{k: v for k, v in NARROW.items() if "algorithm" not in k}}

WriteNpz = Callable[..., Path]


def toy() -> dict[str, np.ndarray]:
    """120 vectors of 4 features around 3 well separated centres, as the arrays of an archive."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 40)
    centres = 3.0 * rng.normal(size=(3, 4))
    return {"x": centres[labels] + rng.normal(size=(120, 4)), "y": labels}


@pytest.fixture
def write_npz(tmp_path: Path) -> WriteNpz:
    """Writes an archive into the test's folder: the toy data, if no arrays are given."""

    def write(name: str = "toy.npz", **arrays: Any) -> Path:
        path = tmp_path / name
        np.savez(path, **(arrays or toy()))
        return path

    return write


@dataclass(frozen=True)
class Outcome:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]
Refused = Callable[..., None]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Calls `automl-cl` with arguments, the test's folder being the working directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["automl-cl", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, printed.out, printed.err)

    return run


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything in a folder, but locks, which are held while checking."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.suffix != ".lock"
    }


@pytest.fixture
def refused(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Calls the command line and asserts that it refuses as it should, with these words."""
    starts: list[object] = []
    monkeypatch.setattr(ray, "init", lambda *args, **kwargs: starts.append(args))

    def check(*arguments: object, words: list[str], usage: bool = False) -> None:
        before = state_of(tmp_path)
        outcome = command(*arguments)
        assert not starts, "Ray was started before the mistake was told"
        assert outcome.code == 2, outcome
        assert "Traceback" not in outcome.err + outcome.out
        if not usage:
            lines = outcome.err.splitlines()
            assert len(lines) == 1 and lines[0].startswith("Error: "), outcome.err
            assert outcome.out == ""
        said = " ".join(outcome.err.replace("│", " ").split())
        for word in words:
            assert word in said
        assert state_of(tmp_path) == before, "something was written"

    return check


def train_here(session: Session, prepared: Prepared, slots: int) -> None:
    """What `execution.train` does, one trial after the other in this process."""
    data = TensorView.of(prepared.view, CPU)
    while (request := session.ask()) is not None:
        trial = TrialRun(request, data, CPU)
        while session.report(trial.next_rung()):
            pass


def score_here(prepared: Prepared, slots: int, trained: Any, test: Any) -> Any:
    """What `execution._scored` does, in this process."""
    return score_items(prepared.spec.scenario, trained, prepared.view, test, "cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """As in a trial actor; many threads on tiny tensors only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def without_ray(train: Callable[..., None]) -> Iterator[None]:
    """Lets the driver do everything but start Ray; `train` stands for `execution.train`."""
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.setattr(driver, "connect", lambda *args, **kwargs: nullcontext())
        patch.setattr(driver, "concurrency", lambda trial: 1)
        patch.setattr(driver, "watched_head", lambda *args: nullcontext())
        patch.setattr(driver, "train", train)
        patch.setattr(execution, "_scored", score_here)
        yield


def train_until(reports: int) -> Callable[..., None]:
    """Like `train_here`, but the driver stops after so many reports, in the middle of a trial."""

    def train(session: Session, prepared: Prepared, slots: int) -> None:
        data, left = TensorView.of(prepared.view, CPU), reports
        while (request := session.ask()) is not None:
            trial = TrialRun(request, data, CPU)
            while session.report(trial.next_rung()):
                left -= 1
                if left <= 0:
                    session.stopping = True
                    return

    return train


def search_here(
    spec: SearchSpec, folder: Path, train: Callable[..., None], fork: Fork | None = None
) -> Path:
    """A search with everything but Ray."""
    with without_ray(train):
        return driver.start(spec, folder, fork=fork).folder.path


@pytest.fixture(scope="session")
def search_without_ray() -> Callable[[SearchSpec, Path], Path]:
    """A whole search in this process; gives its run folder."""
    return lambda spec, folder: search_here(spec, folder, train_here)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole small run on `toy.npz` beside it. To be read only: see `run_folder`."""
    folder = tmp_path_factory.mktemp("finished")
    np.savez(folder / "toy.npz", **toy())
    spec = SearchSpec(
        "curriculum",
        str(folder / "toy.npz"),
        noise="0.2",
        space=NARROW,
        trials=7,
        max_epochs=2.0,
        seeds=3,
    )
    run = search_here(spec, folder / "run", train_here)
    assert (run / "tuned.yaml").exists()
    return run


@pytest.fixture(scope="session")
def forked_run(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fork of a copy of the finished run, which is gone, with 3 trials of its own."""
    folder = tmp_path_factory.mktemp("forked")
    parent = Path(shutil.copytree(finished_run, folder / "parent"))
    fork = Fork.of(parent, {"trials": 3, "scheduler": "none"})
    run = search_here(fork.spec, folder / "fork", train_here, fork)
    shutil.rmtree(parent)
    return run


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to do with as one likes; its data stays where it was."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def begun_run(write_npz: WriteNpz, tmp_path: Path) -> Path:
    """A run on `toy.npz` beside it that was stopped before its first trial."""
    spec = SearchSpec("curriculum", str(write_npz()), space=NARROW, trials=7)
    return search_here(spec, tmp_path / "begun", lambda *args: None)


@pytest.fixture
def tuned(write_npz: WriteNpz) -> Tuned:
    """A tuned config found on `toy.npz`."""
    recipe = Recipe(
        algorithm=SuperLoss(lam=2.0),
        optimizer=AdamW(lr=0.02, weight_decay=0.005, beta1=0.85),
        schedule=Cosine(warmup=0.25),
        training=Training(epochs=8.0, batch_size=16),
        model=MLP(width=8),
    )
    data = DataSpec(str(write_npz()), noise="0.1", seed=3)
    return Tuned(
        scenario="curriculum",
        config=to_config(recipe),
        data=data.to_dict() | {"fingerprint": load_view(data).fingerprint},
        shape={"classes": 3, "input_shape": [4]},
        verdict={"recommended": "challenger", "reason": "It was better."},
        versions={"torch": "2.13.0"},
    )

"""Models of the user's own that raise or diverge: what is said, and what is kept in the run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver, execution
from automl_cl.engine.session import Session
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import replayed
from automl_cl.spec.preparation import Prepared
from trainables.learning.tensors import TensorView
from trainables.trials.trial_run import RungReport, TrialRun, following, reason_of

from .conftest import CPU, NARROW, Command, Outcome, WriteNpz, score_here, without_ray

MODEL = """\
import math, sys
import torch
from torch import nn

class Bad(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        raise ValueError("no way back")  # line 12

class Mine(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))
        self.calls = 0

    def forward(self, x):
        y = self.net(x)
        self.calls += self.training
        if not self.training or self.calls <= 3:
            return y
        return self.fail(y)

class Diverges(Mine):
    def fail(self, y):
        return y * float("nan")

class Raises(Mine):
    def fail(self, y):
        return y @ y  # line 33: torch raises

class RaisesBackwards(Mine):
    def fail(self, y):
        return Bad.apply(y)

class Exits(Mine):
    def fail(self, y):
        sys.exit("enough")  # line 41

made = 0

def raises_when_made_again(shape, classes):
    global made
    made += 1
    if made > ALLOWED:
        raise RuntimeError("not so often")  # line 49
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))
"""
LINES = {"Raises": 33, "RaisesBackwards": 12, "Exits": 41, "raises_when_made_again": 49}
WORDS = {
    "Raises": "RuntimeError: mat1 and mat2",
    "RaisesBackwards": "ValueError: no way back",
    "Exits": "SystemExit: enough",
    "raises_when_made_again": "RuntimeError: not so often",
}


def train_as_an_actor(session: Session, prepared: Prepared, slots: object) -> None:
    """Trains in this process; what a trial raises is reported, as an actor does."""
    data = TensorView.of(prepared.view, CPU)
    try:
        while (request := session.ask()) is not None:
            trial: TrialRun | None = None
            goes_on = True
            while goes_on:
                try:
                    trial = trial or TrialRun(request, data, CPU)
                    report = trial.next_rung()
                except (Exception, SystemExit) as error:
                    report = RungReport.of_error(request, error)
                goes_on = session.report(report)
                request = following(request, report)
    except Exception as error:
        session.fail(error)
        raise


@pytest.fixture
def searched(command: Command, write_npz: WriteNpz, tmp_path: Path, request: Any) -> Any:
    """Searches with one of the models; gives the outcome and the run folder."""

    def search(model: str, allowed: int = 6) -> tuple[Outcome, Path]:
        module = f"mine_{request.node.name}_{model}".translate({91: "_", 93: "_", 45: "_"})
        (tmp_path / f"{module}.py").write_text(MODEL.replace("ALLOWED", str(allowed)))
        space = "algorithm: [superloss]\ntraining.batch_size: 8\n"
        (tmp_path / "space.yaml").write_text(space)
        run = tmp_path / "run"
        with without_ray(train_as_an_actor):
            outcome = command(
                *("search", "curriculum", "--data", write_npz(), "--space", "space.yaml"),
                *("--model", f"{module}:{model}", "--trials", 3, "--max-epochs", 2),
                *("--seeds", 3, "--output", run),
            )
        sys.modules.pop(module, None)
        return outcome, run

    return search


def statuses(run: Path) -> set[str]:
    return set(pq.read_table(run / "trials.parquet")["status"].to_pylist())


@pytest.mark.parametrize("model", list(LINES))
def test_a_model_that_fails_is_told_by_the_users_own_line(
    searched: Any, tmp_path: Path, model: str
) -> None:
    outcome, run = searched(model)
    (module,) = tmp_path.glob("mine_*.py")
    assert outcome.code == 1
    assert "Traceback" not in outcome.out + outcome.err
    said = outcome.err.splitlines()[-1]
    assert said.startswith("Error: no config of the baseline 'plain' came through")
    assert f" of plain failed: {module}:{LINES[model]}: {WORDS[model]}" in said
    assert str(run / "trials.parquet") in said and str(run / "report.html") in said
    assert "failed" in statuses(run)
    assert f"{module}:{LINES[model]}" in (run / "report.html").read_text()
    trials = replayed(read_events(run / "journal.jsonl")).trials
    failed = [trial for trial in trials if trial.status == "failed"]
    for trial in failed:
        kept = (run / "failures" / f"{trial.number:06d}.txt").read_text()
        assert kept.startswith("Traceback (most recent call last)")
        assert f'"{module}", line {LINES[model]}' in kept
    assert any(str(run / "failures" / f"{t.number:06d}.txt") in said for t in failed)


def test_a_baseline_that_always_diverges_is_told_with_counts(searched: Any) -> None:
    outcome, run = searched("Diverges")
    assert outcome.code == 1
    said = outcome.err.splitlines()[-1]
    assert "of plain diverged: the loss was no longer a finite number" in said
    assert str(run / "trials.parquet") in said and str(run / "report.html") in said
    assert statuses(run) == {"diverged"}
    assert (run / "report.html").stat().st_size > 10_000
    assert not (run / "failures").exists()


def test_a_failure_among_others_is_told_beside_the_verdict(
    command: Command, write_npz: WriteNpz, tmp_path: Path
) -> None:
    def train(session: Session, prepared: Prepared, slots: object) -> None:
        data, failed = TensorView.of(prepared.view, CPU), False
        while (request := session.ask()) is not None:
            if not failed and request.number == 2:
                failed = True
                session.report(RungReport.of_error(request, _raised()))
                continue
            trial = TrialRun(request, data, CPU)
            while session.report(trial.next_rung()):
                pass

    space = "algorithm: [superloss]\noptimizer: adamw\noptimizer.lr: {low: 0.02}\n"
    (tmp_path / "space.yaml").write_text(space + "training.batch_size: 8\n")
    with without_ray(train):
        outcome = command(
            *("search", "curriculum", "--data", write_npz(), "--space", "space.yaml"),
            *("--trials", 4, "--max-epochs", 2, "--seeds", 3, "--output", "run"),
        )
    assert outcome.code == 0, outcome
    (said,) = (line for line in outcome.out.splitlines() if "full tracebacks" in line)
    assert said.startswith(f"1 training failed: {__file__}:")
    assert said.endswith(str(tmp_path / "run" / "failures"))
    assert "trial 2" in outcome.out and "failed" in outcome.out


def _raised() -> Exception:
    try:
        raise KeyError("nothing")
    except KeyError as error:
        return error


def test_where_no_line_is_the_users_the_place_comes_after_the_kind() -> None:
    error = ValueError("no such thing")
    namespace: dict[str, Any] = {"error": error}
    with pytest.raises(ValueError, match="no such") as raised:
        exec(compile("raise error", "<string>", "exec"), namespace)
    trace = raised.value.__traceback__
    assert trace is not None
    reason = reason_of(error.with_traceback(trace.tb_next))  # without this file
    assert reason == "ValueError at <string>:1: no such thing"


def test_what_cannot_be_written_about_a_run_costs_neither_the_verdict_nor_the_rest(
    command: Command, write_npz: WriteNpz, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import automl_cl.engine.run_files as run_files

    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "history"))

    monkeypatch.setattr(run_files, "add_to_history", full)
    monkeypatch.setattr(execution, "_scored", score_here)
    lines = [f"{key}: {value}" for key, value in NARROW.items()]
    (tmp_path / "space.yaml").write_text("\n".join(lines).replace("'", ""))
    with without_ray(train_as_an_actor):
        outcome = command(
            *("search", "curriculum", "--data", write_npz(), "--space", "space.yaml"),
            *("--trials", 3, "--max-epochs", 2, "--seeds", 3, "--output", "run"),
        )
    assert outcome.code == 2
    assert "tuned baseline" in outcome.out and "tuned config:" in outcome.out
    for name in ("verdict.json", "tuned.yaml", "report.html", "trials.parquet"):
        assert (tmp_path / "run" / name).exists()
    last = outcome.err.splitlines()[-1]
    assert "No space left on device" in last and "automl-cl resume" in last
    assert driver.RunFolder.existing(tmp_path / "run")

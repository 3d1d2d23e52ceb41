from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trainables.trials.trial_run
from search_spaces import InputError
from trainables.learning.checkpoint import read_checkpoint
from trainables.learning.tensors import TensorView
from trainables.learning.weights import read_weights
from trainables.scenarios.scorers.self_taught import SelfTaught
from trainables.trials.item_scores import Trained, score_items
from trainables.trials.trial_run import RungReport, TrialRequest, TrialRun

CPU = torch.device("cpu")
LEVELS = [1.0, 3.0, 6.0]
# Where each rung is a run of its own, each has to pay for its scorer.
LONGER = [5.0, 7.0, 9.0]
FIDELITIES = ["prefix", "compressed"]
# What a report says besides the time it took and where things were written.
SAID = ("number", "rung", "status", "compute", "metrics", "reason", "memory", "model_size")

Start = Callable[..., TrialRun]


@pytest.fixture
def start(make_config, vectors, tmp_path) -> Start:
    """A trial's run, from its first rung or as the request says."""

    def of(
        algorithm: str = "superloss",
        fidelity: str = "prefix",
        stop: Callable[[], bool] = lambda: False,
        view: Any = None,
        **fields: Any,
    ) -> TrialRun:
        request = TrialRequest(
            number=7,
            scenario="curriculum",
            config=make_config("curriculum", algorithm),
            seed=3,
            levels=LONGER if algorithm == "easy_to_hard" else LEVELS,
            fidelity=fidelity,
            folder=str(tmp_path / "trial"),
        )
        request = replace(request, **fields)
        assert TrialRequest(**json.loads(json.dumps(request.to_dict()))) == request
        return TrialRun(request, TensorView.of(view or vectors, CPU), CPU, stop)

    return of


def said(report: RungReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in SAID}


def all_rungs(run: TrialRun) -> list[RungReport]:
    reports = [run.next_rung()]
    while reports[-1].status == "running":
        reports.append(run.next_rung())
    return reports


def stopping_after(polls: int) -> Callable[[], bool]:
    """Says stop from this poll on."""
    left = iter(range(polls))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_it_reports_at_every_rung_and_then_it_is_done(start: Start, fidelity: str) -> None:
    reports = all_rungs(start(fidelity=fidelity))
    assert [(r.rung, r.status) for r in reports] == [(0, "running"), (1, "running"), (2, "done")]
    assert all((r.number, r.attempt, r.reason, r.weights) == (7, 0, None, None) for r in reports)
    assert all(0.0 < r.metrics["accuracy"] <= 1.0 for r in reports)
    assert all(r.seconds > 0.0 for r in reports)
    assert reports[2].metrics["loss"] < reports[0].metrics["loss"]


# In units: a step trains on 32 of 210 examples; an evaluation is a forward pass over 70, and of
# the 2208 multiplications and additions of an example's training the forward pass makes 800.
STEP, EVALUATION = 32 / 210, 70 / 210 * 800 / 2208


def test_a_prefix_is_one_run_whose_compute_is_told_in_all(start: Start) -> None:
    run = start(fidelity="prefix")
    learner = run.learner
    for rung, report in enumerate(all_rungs(run)):
        trained = report.compute - (rung + 1) * EVALUATION
        # Trained as far as whole steps go, perhaps with a validation pass owed.
        assert LEVELS[rung] - STEP <= trained <= LEVELS[rung] + EVALUATION
    assert run.learner is learner
    assert learner.progress > 1.0 - (STEP + EVALUATION) / LEVELS[-1]


def test_compressed_rungs_are_runs_of_their_own_and_compute_adds_up(start: Start) -> None:
    run, horizons, before = start(fidelity="compressed"), [], 0.0
    for level in LEVELS:
        learner = run.learner
        assert learner.spent == 0, "each starts anew"
        report = run.next_rung()
        horizons.append(learner.horizon / learner.unit)
        assert report.compute == before + learner.compute
        assert level - STEP <= learner.compute - EVALUATION <= level + EVALUATION
        before = report.compute
    assert horizons == pytest.approx(LEVELS, abs=1e-3)


def test_a_compressed_rung_equals_a_trial_of_that_length_alone(start: Start) -> None:
    rung = all_rungs(start(fidelity="compressed"))[1]
    (alone,) = all_rungs(start(fidelity="compressed", levels=[3.0]))
    assert alone.metrics == rung.metrics


def test_a_prefix_differs_from_a_short_run_under_a_schedule(start: Start) -> None:
    first = start(fidelity="prefix").next_rung()
    (alone,) = all_rungs(start(fidelity="prefix", levels=[1.0]))
    assert alone.metrics["loss"] != first.metrics["loss"]


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("algorithm", ["self_paced", "easy_to_hard"])
def test_going_on_from_a_rung_in_another_process_gives_the_same_rest(
    start: Start, tmp_path, algorithm: str, fidelity: str
) -> None:
    undisturbed = all_rungs(start(algorithm, fidelity, folder=str(tmp_path / "other")))
    reports = [start(algorithm, fidelity).next_rung()]
    while reports[-1].status == "running":
        last = reports[-1]
        assert (last.checkpoint is not None) == (fidelity == "prefix")
        resumed = start(
            algorithm,
            fidelity,
            attempt=len(reports),
            from_rung=len(reports),
            checkpoint=last.checkpoint,
            compute=last.compute,
        )
        reports.append(resumed.next_rung())
    assert [said(report) for report in reports] == [said(report) for report in undisturbed]
    assert [report.attempt for report in reports] == [0, 1, 2]


def test_a_rungs_checkpoint_is_on_disk_when_it_is_reported(start: Start) -> None:
    run = start()
    report = run.next_rung()
    state = read_checkpoint(Path(report.checkpoint), CPU)
    assert state["spent"] == run.learner.spent
    assert (state["spent"] + state["owed"] + state["evaluated"]) / state["unit"] == report.compute


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("rung", [0, 1])
def test_told_to_stop_it_saves_where_it_is_and_the_next_attempt_goes_on_there(
    start: Start, tmp_path, fidelity: str, rung: int
) -> None:
    undisturbed = all_rungs(start(fidelity=fidelity, folder=str(tmp_path / "other")))
    # Six slices up to a 64th of the last level, then these: 15 to level 1, 36 to level 3 (25 more
    # as a prefix).
    polls = 10 if rung == 0 else 15 + 15
    run = start(fidelity=fidelity, stop=stopping_after(polls))
    reports = [run.next_rung() for _ in range(rung + 1)]
    interrupted = reports[-1]
    assert interrupted.status == "interrupted"
    assert (interrupted.rung, interrupted.metrics, interrupted.checkpoint) == (rung, {}, None)
    # It had started on the rung, and was not through with it.
    done = reports[-2].compute if rung else 0.0
    assert done + 0.2 < interrupted.compute < undisturbed[rung].compute - 0.2
    again = start(
        fidelity=fidelity,
        attempt=1,
        from_rung=rung,
        compute=done,
        checkpoint=reports[-2].checkpoint if rung else None,
    )
    trained = again.learner.spent
    assert trained > run.learner.unit * (LEVELS[0] if rung and fidelity == "prefix" else 0.1)
    assert trained == run.learner.spent
    rest = all_rungs(again)
    assert [said(report) for report in rest] == [said(report) for report in undisturbed[rung:]]


def test_the_state_of_the_newest_attempt_counts(start: Start) -> None:
    spent = []
    for attempt in range(12):  # more than ten, so that 10 must come after 9
        run = start(attempt=attempt, levels=[6.0], stop=stopping_after(8))
        assert run.next_rung().status == "interrupted"
        spent.append(run.learner.spent)
    assert spent == sorted(spent)
    assert spent[-1] > spent[9] > spent[0]
    assert start(attempt=12, levels=[6.0]).learner.spent == spent[-1]


def test_between_slices_it_saves_every_so_often(start: Start, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(trainables.trials.trial_run, "CHECKPOINT_SECONDS", 0.0)
    start().next_rung()
    inside = read_checkpoint(tmp_path / "trial" / "0000000-inside-0.pt", CPU)
    assert inside["spent"] > 0
    monkeypatch.setattr(trainables.trials.trial_run, "CHECKPOINT_SECONDS", 1e9)
    start(folder=str(tmp_path / "rare")).next_rung()
    assert [path.name for path in (tmp_path / "rare").iterdir()] == ["0000000-rung-1.pt"]


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_divergence_is_reported_and_not_raised(start: Start, vectors, fidelity: str) -> None:
    inputs = vectors.train.inputs * np.float32(np.nan)
    broken = replace(vectors, train=replace(vectors.train, inputs=inputs))
    report = start(fidelity=fidelity, view=broken).next_rung()
    assert (report.status, report.metrics, report.checkpoint) == ("diverged", {}, None)
    assert "finite" in report.reason
    assert report.compute < LEVELS[0] + STEP


def test_a_validation_metric_that_is_no_number_is_divergence_too(start: Start, vectors) -> None:
    inputs = vectors.validation.inputs * np.float32(np.nan)
    broken = replace(vectors, validation=replace(vectors.validation, inputs=inputs))
    report = start(view=broken).next_rung()
    assert (report.status, report.metrics) == ("diverged", {})
    assert "validation" in report.reason
    json.loads(json.dumps(report.__dict__), parse_constant=pytest.fail)


@pytest.mark.parametrize("fidelity", FIDELITIES)
@pytest.mark.parametrize("algorithm", ["superloss", "easy_to_hard"])
@pytest.mark.parametrize("rung", [1, 2])
def test_without_its_checkpoint_a_trial_begins_again_and_reports_the_same(
    start: Start, tmp_path, fidelity: str, algorithm: str, rung: int
) -> None:
    run = start(algorithm, fidelity, keep_weights=True)
    reports = [run.next_rung() for _ in LEVELS]
    before = reports[rung - 1]
    again = start(
        algorithm,
        fidelity,
        keep_weights=True,
        attempt=1,
        from_rung=rung,
        checkpoint=str(tmp_path / "trial" / "gone.pt"),
        digest="0" * 64,
        compute=before.compute,
    )
    told = [again.next_rung() for _ in LEVELS[rung:]]
    assert [said(each) for each in told] == [said(each) for each in reports[rung:]]
    assert told[-1].digest == reports[-1].digest
    words = [each.damage for each in told]
    if fidelity == "prefix":
        assert "gone.pt is missing; it begins again" in str(words.pop(0))
    assert set(words) <= {None}


def test_a_checkpoint_that_is_not_what_was_written_is_told_of(start: Start) -> None:
    run = start()
    first, second = run.next_rung(), run.next_rung()
    shutil.copy(second.checkpoint, first.checkpoint)
    given = {"from_rung": 1, "checkpoint": first.checkpoint, "digest": first.digest}
    again = start(attempt=1, **given, compute=first.compute).next_rung()
    assert said(again) == said(second)
    assert "is not what was written; it begins again" in str(again.damage)


def test_a_state_inside_a_rung_that_is_of_another_trial_is_passed_over(
    start: Start, tmp_path
) -> None:
    first = start().next_rung()
    other = start(
        number=8, folder=str(tmp_path / "other"), stop=iter([False] * 9 + [True]).__next__
    )
    assert other.next_rung().status == "interrupted"
    (inside,) = (tmp_path / "other").iterdir()
    inside.rename(tmp_path / "trial" / inside.name.replace("inside-0", "inside-1"))
    given = {"from_rung": 1, "checkpoint": first.checkpoint, "digest": first.digest}
    again = start(attempt=1, **given, compute=first.compute).next_rung()
    assert "it is that of trial 8; it goes on from 0000000-rung-1.pt" in str(again.damage)
    undisturbed = start(folder=str(tmp_path / "calm"))
    assert said(again) == [said(undisturbed.next_rung()) for _ in range(2)][1]


def test_nothing_is_spent_on_a_rung_that_may_not_come(start: Start, monkeypatch) -> None:
    # A compressed trial is mostly stopped at its rung: scoring for the next would be for nothing.
    scored, score = [], SelfTaught.difficulty
    monkeypatch.setattr(
        SelfTaught, "difficulty", lambda *given: (scored.append(1), score(*given))[1]
    )
    run = start("easy_to_hard", "compressed")
    for rungs in (1, 2, 3):
        run.next_rung()
        assert len(scored) == rungs


@pytest.mark.parametrize("selection", ["last", "best"])
@pytest.mark.parametrize("setting", ["adamw", "cnn"])  # without buffers and with them
def test_kept_weights_score_items_as_the_run_did(
    start: Start, make_config, views, setting: str, selection: str
) -> None:
    view = views[setting]
    config = make_config("curriculum", "plain", setting, {"training.selection": selection})
    run = start(view=view, config=config, keep_weights=True)
    report = all_rungs(run)[-1]
    weights = read_weights(Path(report.weights), CPU)
    for name, value in run.learner.weights().items():
        assert torch.equal(weights[name], value), name
    trained = [Trained(config, seed, report.weights) for seed in (3, 4)]
    scores = score_items("curriculum", trained, view, view.validation, "cpu")
    assert scores.shape == (2, len(view.validation))
    assert scores.mean(1) == pytest.approx([report.metrics["accuracy"]] * 2)
    assert set(np.unique(scores)) <= {0.0, 1.0}


def test_weights_are_kept_only_at_the_end_and_only_if_wanted(start: Start) -> None:
    assert all_rungs(start())[-1].weights is None
    wanted = all_rungs(start(keep_weights=True, attempt=1))
    assert [report.weights is None for report in wanted] == [True, True, False]


def test_damaged_or_missing_weights_are_named(start: Start, tmp_path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        read_weights(path, CPU)
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        read_weights(path, CPU)


@pytest.mark.parametrize("fidelity", FIDELITIES)
def test_a_trial_that_costs_more_compute_than_it_may_is_ended_at_once(
    start: Start, fidelity: str
) -> None:
    within = all_rungs(start(fidelity=fidelity))
    most = within[1].compute + 0.5
    reports = all_rungs(start(fidelity=fidelity, max_compute=most))
    assert [report.status for report in reports] == ["running", "running", "infeasible"]
    last = reports[-1]
    assert most < last.compute < most + 2 * LEVELS[-1] / trainables.trials.trial_run.SLICES + 0.3
    assert last.compute < within[2].compute
    assert last.metrics == {}
    assert last.reason == f"compute {last.compute:.4g} epochs, at most {most:g} allowed"


def test_a_trial_that_takes_more_memory_than_it_may_is_ended_before_its_first_rung(
    start: Start,
) -> None:
    (within, *_) = all_rungs(start())
    assert within.memory is not None
    exactly = all_rungs(start(max_memory=all_rungs(start())[-1].memory))
    assert exactly[-1].status == "done"
    (report,) = all_rungs(start(max_memory=within.memory // 2))
    assert (report.status, report.metrics) == ("infeasible", {})
    assert report.memory is not None
    assert report.memory > within.memory // 2
    assert report.reason is not None
    assert f"memory {report.memory:,} bytes" in report.reason
    assert report.compute < LEVELS[0]


def test_what_a_trial_takes_is_reported(start: Start, make_config: Any) -> None:
    wide = make_config("curriculum", "superloss")
    wide["model"]["width"] *= 4
    small, large = (all_rungs(start(**more))[-1] for more in ({}, {"config": wide}))
    assert small.memory is not None and large.memory is not None
    assert small.model_size is not None and large.model_size is not None
    assert large.memory > small.memory > 4 * small.model_size, "four bytes a weight, and more"
    assert large.model_size > 3 * small.model_size


def test_a_long_rung_looks_up_about_every_second(start: Start, monkeypatch) -> None:
    """However large the horizon: a notice may leave half a minute."""
    monkeypatch.setattr(trainables.trials.trial_run, "SLICE_SECONDS", 1e-4)
    looked: list[float] = []
    run = start(stop=lambda: bool(looked.append(run.learner.spent)), levels=[60.0])
    run.next_rung()
    most = max(after - before for before, after in pairwise(looked))
    assert most < run.learner.horizon / 64 / 2, "a 64th of the horizon are five steps"


@pytest.mark.parametrize("notice", [True, False])
def test_a_notice_saves_and_gives_the_trial_back(start: Start, tmp_path, notice: bool) -> None:
    run = start(stop=lambda: not notice)
    run.preempted = lambda: run.learner.spent > 0
    report = run.next_rung()
    assert (report.status, report.metrics) == ("preempted" if notice else "interrupted", {})
    saved = list(Path(run.request.folder).glob("*-inside-0.pt"))
    assert len(saved) == 1
    assert read_checkpoint(saved[0], CPU)["spent"] == run.learner.spent
    undisturbed = start(folder=str(tmp_path / "other")).next_rung()
    again = start(attempt=1).next_rung()
    assert (again.status, again.metrics) == (undisturbed.status, undisturbed.metrics)

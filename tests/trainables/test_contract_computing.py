"""Every algorithm in bfloat16 and with batches in parts, or it says that it cannot."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from search_spaces import option, options, to_config
from trainables.learning.learner import Learner
from trainables.scenarios.scenario import load_scenario, scenario_names

pytestmark = pytest.mark.exhaustive

ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
every_algorithm = pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
HORIZON = 2.0
LONGER = 4.0  # so much that teachers, too, leave something for training
HALF = {"computing.precision": "bfloat16"}
# Of whole tasks there must be several in a batch.
PARTS = {"computing.micro_batches": 4, "training.batch_size": 64}


def floats_in(value: Any) -> list[torch.dtype]:
    if isinstance(value, torch.Tensor):
        return [value.dtype] if value.is_floating_point() else []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [dtype for each in value for dtype in floats_in(each)]
    return []


def resumed(make_learner: Any, algorithm: tuple[str, str], changes: dict[str, Any]) -> Learner:
    """A run that was stopped in the middle and went on elsewhere."""
    first = make_learner(*algorithm, horizon=HORIZON, changes=changes)
    first.advance(HORIZON / 2)
    second = make_learner(*algorithm, changes=changes)
    second.load_state_dict(first.state_dict())
    second.advance(HORIZON)
    return second


@every_algorithm
def test_bfloat16_is_near_float32_and_keeps_float32(
    make_learner, scenario: str, algorithm: str
) -> None:
    full, half = (
        make_learner(scenario, algorithm, horizon=LONGER, changes=changes)
        for changes in ({}, HALF)
    )
    for each in (full, half):
        each.advance(LONGER)
    assert not half.diverged
    assert half.epoch + half.step_in_epoch > 0, "nothing was trained"
    assert (half.unit, half.spent) == (full.unit, full.spent), "precision is no compute"
    metrics = [each.evaluate() for each in (full, half)]
    name = load_scenario(scenario).metric
    assert metrics[1][name] == pytest.approx(metrics[0][name], abs=0.15)
    assert metrics[1]["loss"] == pytest.approx(metrics[0]["loss"], rel=0.25)
    assert metrics[1] != metrics[0], "nothing was computed in bfloat16"
    kept = set(floats_in(half.state_dict()["parts"]))
    assert kept <= {torch.float32, torch.float64}


@every_algorithm
def test_batches_in_parts_train_as_well_or_the_algorithm_says_why_not(
    make_learner, scenario: str, algorithm: str
) -> None:
    kind: Any = option(load_scenario(scenario).algorithm, algorithm)
    if kind.indivisible is not None:
        assert load_scenario(scenario).indivisible({"algorithm": to_config(kind())})
        pytest.skip(f"it cannot: {kind.indivisible}")
    whole, parts = (
        make_learner(scenario, algorithm, horizon=LONGER, changes=changes)
        for changes in ({"training.batch_size": 64}, PARTS)
    )
    before = {name: each.clone() for name, each in parts.weights().items()}
    for each in (whole, parts):
        each.advance(LONGER)
    assert not parts.diverged
    assert parts.unit == whole.unit
    assert any(not torch.equal(each, before[n]) for n, each in parts.weights().items())
    costs = [each.state_dict()["step_flops"] for each in (whole, parts)]
    dearer = [costs[1][kind] > costs[0][kind] for kind in costs[0] if kind in costs[1]]
    assert any(dearer), "the pass on the way back is not counted"


BASELINES = [(scenario, load_scenario(scenario).baseline) for scenario in scenario_names()]


@pytest.mark.parametrize(("scenario", "algorithm"), BASELINES)
@pytest.mark.parametrize("changes", [HALF, PARTS, {"computing.compile": "always"}])
def test_stopping_and_resuming_changes_nothing(
    make_learner, assert_equal, monkeypatch, scenario: str, algorithm: str, changes: dict[str, Any]
) -> None:
    # What is traced is what counts; without inductor no C++ has to be compiled.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    whole = make_learner(scenario, algorithm, horizon=HORIZON, changes=changes)
    whole.advance(HORIZON)
    state = resumed(make_learner, (scenario, algorithm), changes).state_dict()
    assert_equal(state["parts"], whole.state_dict()["parts"])
    assert (state["unit"], state["spent"]) == (whole.unit, whole.spent)


@pytest.mark.parametrize(("scenario", "algorithm"), [*BASELINES, ("meta_learning", "maml")])
def test_the_horizon_decides_what_is_compiled(
    make_learner, monkeypatch, scenario: str, algorithm: str
) -> None:
    kind: Any = option(load_scenario(scenario).algorithm, algorithm)
    can = kind.indivisible is None
    monkeypatch.setattr(torch, "compile", lambda run, dynamic: run)
    for mode, steps, expected in (("auto", 1, can), ("auto", 10**6, False), ("always", 1, can)):
        changes = {"computing.compile": mode, "computing.compile_from": steps}
        learner: Any = make_learner(scenario, algorithm, horizon=3.0, changes=changes)
        network = learner.network.backbone if scenario == "continual" else learner.model
        assert (network._compiled_pass is not None) is expected


def test_a_run_that_goes_on_in_parts_counts_its_steps_anew(make_learner) -> None:
    size = {"training.batch_size": 64}
    whole = make_learner("curriculum", "plain", horizon=HORIZON, changes=size)
    whole.advance(HORIZON / 2)
    parts = make_learner("curriculum", "plain", changes=PARTS)
    parts.load_state_dict(whole.state_dict())
    spent = parts.spent
    parts.advance(HORIZON)
    assert spent == whole.spent < parts.spent <= parts.horizon
    assert parts.state_dict()["step_flops"][""] > whole.state_dict()["step_flops"][""]

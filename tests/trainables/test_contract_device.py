"""A training step never waits for the device: no algorithm asks it for a number in between."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from search_spaces import options
from trainables.learning.learner import Learner
from trainables.scenarios.scenario import load_scenario, scenario_names

ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]


def in_the_middle(make_learner: Any, scenario: str, algorithm: str, setting: str) -> Learner:
    """A learner between two steps of an epoch, whose kinds of steps have been counted."""
    learner: Learner = make_learner(scenario, algorithm, setting, horizon=24.0)
    learner.advance(2.0)
    reached = 2.0
    while learner.step_in_epoch == 0 or learner.step_in_epoch == learner.steps_per_epoch - 1:
        reached += 0.05
        learner.advance(reached)
        assert reached < 24.0
    return learner


@pytest.mark.exhaustive
@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
@pytest.mark.parametrize("setting", ["adamw", "cnn"])
def test_a_step_never_waits_for_the_device(
    make_learner, no_waiting, scenario: str, algorithm: str, setting: str
) -> None:
    learner = in_the_middle(make_learner, scenario, algorithm, setting)
    with no_waiting():
        learner.step()


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x.tolist(),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.masked_fill_(x > 0, 0)[x == 0],
        lambda x: x.cpu(),
        lambda x: int(x.max()),
        lambda x: x.unique(),
        lambda x: torch.where(x > 0),
        lambda x: torch.tensor(1.0, device=x.device),
        lambda x: x.long().bincount(),
    ],
)
def test_the_check_sees_what_waits(no_waiting, wait: Any) -> None:
    with pytest.raises(AssertionError, match="waits for the device"), no_waiting():
        wait(torch.ones(3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="asks CUDA itself: needs a GPU")
@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
def test_cuda_sees_no_waiting_in_a_step(
    make_config, view_for, setting_of, scenario: str, algorithm: str
) -> None:
    kind, setting = load_scenario(scenario), setting_of(scenario, algorithm)
    device = torch.device("cuda")
    data = kind.on_device(view_for(scenario, setting), device)
    learner = kind.learner(make_config(scenario, algorithm, setting), data, 0, device)
    learner.begin(24.0)
    in_middle = in_the_middle(lambda *_, **__: learner, scenario, algorithm, setting)
    torch.cuda.set_sync_debug_mode("error")
    try:
        in_middle.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")

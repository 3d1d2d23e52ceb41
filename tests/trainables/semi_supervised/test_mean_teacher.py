"""Mean Teacher by hand: Tarvainen and Valpola, NeurIPS 2017."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables.ranks.ranks import ALONE
from trainables.scenarios.semi_supervised.algorithms.mean_teacher import MeanTeacher
from trainables.scenarios.semi_supervised.average import Average
from trainables.scenarios.semi_supervised.networks import Networks


def averaged(values: list[float], decay: float) -> float:
    """The average of a weight that has these values after steps 0, 1, ..., and was 100 before."""
    model, state = nn.Linear(1, 1, bias=False), {}
    average = Average(state)
    nn.init.constant_(model.weight, 100.0)
    average.begin(model)
    for step, value in enumerate(values):
        nn.init.constant_(model.weight, value)
        average.update(model, decay, step)
    return average.weights()["weight"].item()


def test_the_average_after_three_steps_by_hand() -> None:
    # At first it is the plain mean, in which the initial weight does not count.
    assert averaged([2.0], 0.999) == pytest.approx(2.0)
    assert averaged([2.0, 4.0], 0.999) == pytest.approx(3.0)
    assert averaged([2.0, 4.0, 9.0], 0.999) == pytest.approx(5.0)
    # A decay of 0.6 takes over at the third step: 0.6 * 3 + 0.4 * 9.
    assert averaged([2.0, 4.0, 9.0], 0.6) == pytest.approx(5.4)


def test_the_average_after_three_steps_of_a_learner(learner_of, take_steps) -> None:
    learner, seen = learner_of(MeanTeacher(ratio=1)), []
    for _ in range(3):
        take_steps(learner, 1)
        seen.append({k: v.clone() for k, v in learner.model.state_dict().items()})
    for name, value in learner.weights().items():
        mean = sum(weights[name] for weights in seen) / 3
        torch.testing.assert_close(value, mean)
        assert not torch.equal(value, learner.model.state_dict()[name])


def test_the_loss_by_hand(told, batch_of) -> None:
    # (0.2^2 + 0.2^2 + 0) over three classes.
    networks = told([[0.5, 0.3, 0.2]], [[1.0, 1.0, 1.0]], average=[[0.7, 0.1, 0.2]])
    loss = MeanTeacher().unlabelled_loss(batch_of([0]), networks)
    assert loss.item() == pytest.approx(0.08 / 3, rel=1e-5)
    loss.backward()
    assert networks.average.grad is None
    assert networks.weak.grad.abs().sum() > 0
    assert networks.asked == ["weak"]


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, math.exp(-5)), (0.1, math.exp(-1.25)), (0.2, 1.0), (0.9, 1.0)],
)
def test_the_ramp_by_hand(progress: float, expected: float) -> None:
    assert MeanTeacher(ramp_length=0.2).ramp(progress) == pytest.approx(expected)


def test_the_teacher_sees_another_view_than_the_student(learner_of) -> None:
    learner = learner_of(MeanTeacher(ratio=1))
    learner.open_epoch()
    batch = learner._batch(learner.unlabelled_order, 32, "unlabelled")
    assert torch.equal(batch.weak(0), batch.weak(0))
    assert not torch.equal(batch.weak(0), batch.weak(1))


def test_a_teachers_pass_changes_neither_network() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    state: dict[str, torch.Tensor] = {}
    average = Average(state)
    average.begin(model)
    before = [{k: v.clone() for k, v in each.items()} for each in (state, model.state_dict())]
    inputs = torch.randn(8, 2)
    found = Networks(model.train(), average, ALONE).average_probabilities(inputs)
    assert torch.equal(found, model(inputs).softmax(1)) and not found.requires_grad
    assert all(torch.equal(state[name], value) for name, value in before[0].items())
    assert torch.equal(before[1]["1.running_mean"], torch.zeros(4))

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.data_parameters import DataParameters

cross_entropy = partial(F.cross_entropy, reduction="none")


def prepared(count: int = 4, **fields: object) -> tuple[DataParameters, TensorExamples]:
    examples = TensorExamples(torch.zeros(count, 1), torch.arange(count) % 2)
    algorithm = DataParameters(**fields)
    algorithm.data_prepare(examples, 0)
    algorithm.model_prepare(torch.nn.Linear(1, 2), examples, 0)
    return algorithm, examples


def step(algorithm: DataParameters, outputs: torch.Tensor, labels, indices) -> torch.Tensor:
    labels, indices = torch.tensor(labels), torch.tensor(indices)
    return algorithm.loss_curriculum(
        cross_entropy, outputs, labels, indices, torch.zeros(len(labels), 1)
    )


def test_an_examples_step_by_hand() -> None:
    algorithm, _ = prepared(lr=0.5)
    # Logits (2, 0), label 0, temperature s = 1: loss log(1 + e^(-2/s)), and its derivative with
    # respect to log s is (2/s) x e^(-2/s) / (1 + e^(-2/s)) = 2 x 0.119203 = 0.238406. A step on a
    # batch of this one: 0 - 0.5 x 0.238406.
    loss = step(algorithm, torch.tensor([[2.0, 0.0]]), [0], [2])
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)
    expected = [0.0, 0.0, -0.119203, 0.0]
    assert algorithm.state["data"].tolist() == pytest.approx(expected, abs=1e-6)
    # Another example's step leaves it alone: its momentum does not carry it on.
    step(algorithm, torch.tensor([[2.0, 0.0]]), [0], [0])
    assert algorithm.state["data"][2].item() == pytest.approx(-0.119203, abs=1e-6)
    # Its own next one: s = e^-0.119203 = 0.887628, 2/s = 2.253196, derivative 2.253196 x 0.095074
    # = 0.214220; momentum 0.9 x 0.238406 + 0.214220 = 0.428786; -0.119203 - 0.214393.
    step(algorithm, torch.tensor([[2.0, 0.0]]), [0], [2])
    assert algorithm.state["data"][2].item() == pytest.approx(-0.333596, abs=2e-6)


def test_the_temperature_is_the_sum_of_both() -> None:
    algorithm, _ = prepared(class_parameters=True)
    algorithm.state["data"][:] = math.log(0.5)
    algorithm.state["class"][:] = torch.tensor([math.log(1.5), math.log(3.5)])
    # Temperatures 0.5 + 1.5 = 2 and 0.5 + 3.5 = 4: logits (1, 0) and (0.5, 0).
    loss = step(algorithm, torch.tensor([[2.0, 0.0], [2.0, 0.0]]), [0, 1], [0, 1])
    by_hand = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(0.5))) / 2
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_the_gradients_are_those_of_the_loss() -> None:
    torch.manual_seed(1)
    algorithm, _ = prepared(6, class_parameters=True, lr=1.0, class_lr=2.0)
    before = {name: value.clone().requires_grad_() for name, value in algorithm.state.items()}
    outputs, labels = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
    # One that is there twice counts twice.
    indices = torch.tensor([5, 1, 1, 0])
    temperature = before["data"][indices].exp() + before["class"][labels].exp()
    loss = cross_entropy(outputs / temperature[:, None], labels).mean()
    data, classes = torch.autograd.grad(loss, [before["data"], before["class"]])
    step(algorithm, outputs, labels.tolist(), indices.tolist())
    limit = math.log(20.0)
    moved = torch.where(data != 0, (before["data"] - data).clamp(-limit, limit), before["data"])
    torch.testing.assert_close(algorithm.state["data"], moved.detach())
    torch.testing.assert_close(algorithm.state["class"], (before["class"] - 2 * classes).detach())


def test_weight_decay_pulls_the_logarithm_to_0_by_hand() -> None:
    algorithm, _ = prepared(lr=0.5, weight_decay=1e-4)
    algorithm.state["data"][:] = 2.0
    # Logits (0, 0) have no gradient with respect to the temperature: 2 - 0.5 x 1e-4 x 2.
    step(algorithm, torch.zeros(1, 2), [0], [2])
    assert algorithm.state["data"].tolist() == pytest.approx([2.0, 2.0, 1.9999, 2.0], abs=1e-6)
    assert (algorithm.state["data"] == 2.0).tolist() == [True, True, False, True]


def test_they_begin_at_the_logarithm_of_their_start() -> None:
    # CurML has the logarithm of the learning rate here.
    assert prepared(lr=0.7)[0].state["data"].tolist() == [0.0] * 4
    joint = prepared(class_parameters=True, lr=0.7, class_lr=0.3)[0].state
    assert joint["data"].tolist() == pytest.approx([math.log(0.001)] * 4)
    assert joint["class"].tolist() == [0.0, 0.0]


def test_they_stay_within_a_factor_of_twenty() -> None:
    algorithm, _ = prepared(lr=10.0)
    for _ in range(50):
        step(algorithm, torch.tensor([[9.0, 0.0], [9.0, 0.0]]), [0, 1], [0, 1])
    # The right label sharpens and the wrong one flattens, as far as they may.
    found = algorithm.state["data"].exp().tolist()
    assert found[1:] == pytest.approx([20.0, 1.0, 1.0])
    assert 1 / 20 - 1e-6 <= found[0] < 1.0


def test_with_no_step_of_theirs_it_is_the_baseline(make_learner, assert_equal) -> None:
    learners = [
        make_learner("curriculum", name, horizon=6.0) for name in ("data_parameters", "plain")
    ]
    learners[0].algorithm.__dict__["lr"] = 0.0
    for learner in learners:
        learner.advance(6.0)
    assert_equal(learners[0].model.state_dict(), learners[1].model.state_dict())


def test_flipped_examples_come_to_count_less(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {"algorithm.data_parameters.lr": 10.0}
    learner = make_learner(
        "curriculum", "data_parameters", view=view, changes=changes, horizon=20.0
    )
    learner.advance(20.0)
    temperature = learner.algorithm.state["data"].exp()
    assert temperature[flips].mean() > 1.2 * temperature[~flips].mean()


def test_a_step_never_waits_for_the_device() -> None:
    algorithm = DataParameters(class_parameters=True)
    for name, count in (("data", 8), ("class", 3)):
        algorithm._begin(name, torch.zeros(count, device="meta"))
    labels = torch.zeros(4, dtype=torch.int64, device="meta")
    outputs = torch.zeros(4, 3, device="meta", requires_grad=True)
    loss = algorithm.loss_curriculum(cross_entropy, outputs, labels, labels, outputs)
    assert loss.device.type == "meta"

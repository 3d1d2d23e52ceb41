from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.continual.algorithms.ewc import EWC
from trainables.scenarios.continual.algorithms.fine_tuning import FineTuning
from trainables.scenarios.continual.network import GrowingNetwork


def linear(classes: int = 2) -> GrowingNetwork:
    """Logits W x, W = 0 and no bias: p = 1/2 for either class."""
    network = GrowingNetwork(nn.Identity(), 2, seed=0)
    network.grow(classes)
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
    return network


INPUTS = torch.tensor([[1.0, 0.0], [2.0, 1.0]])
LABELS = torch.tensor([0, 1])


def test_fisher_is_the_mean_of_squared_per_sample_gradients() -> None:
    fisher = EWC().fisher(linear(), INPUTS, LABELS)
    # d(-log p_y)/dW_c = (p_c - [c = y]) x: squared it is x²/4 whatever c and y.
    weight = torch.tensor([[1.0, 0.0], [4.0, 1.0]]).mean(0) / 4
    torch.testing.assert_close(fisher["heads.0.weight"], torch.stack([weight, weight]))
    torch.testing.assert_close(fisher["heads.0.bias"], torch.full((2,), 0.25))


def test_opposite_gradients_do_not_cancel() -> None:
    twice = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    fisher = EWC().fisher(linear(), twice, LABELS)
    assert fisher["heads.0.weight"][0, 0] == 0.25, "the batch's mean gradient is zero"


def test_fisher_equals_a_loop_over_examples_and_leaves_the_network_alone() -> None:
    torch.manual_seed(0)
    network = GrowingNetwork(nn.Sequential(nn.Linear(2, 5), nn.Dropout(0.5), nn.Tanh()), 5, 0)
    network.grow(3)
    inputs, labels = torch.randn(150, 2), torch.arange(150) % 3
    fisher = EWC().fisher(network, inputs, labels)
    assert network.training
    network.eval()
    expected = {name: torch.zeros_like(value) for name, value in network.named_parameters()}
    for one, label in zip(inputs, labels, strict=True):
        network.zero_grad()
        nn.functional.cross_entropy(network(one[None]), label[None]).backward()
        for name, value in network.named_parameters():
            expected[name] += value.grad.square() / len(inputs)
    for name in expected:
        torch.testing.assert_close(fisher[name], expected[name])


def test_labels_drawn_from_the_model_follow_it() -> None:
    network = linear()
    with torch.no_grad():
        network.heads[0].bias.copy_(torch.tensor([0.0, -50.0]))
    inputs, labels = torch.ones(10, 2), torch.ones(10, dtype=torch.int64)
    assert EWC(labels="data").fisher(network, inputs, labels)["heads.0.bias"][0] > 0.9
    assert EWC(labels="model").fisher(network, inputs, labels)["heads.0.bias"][0] < 1e-6


def test_penalty_by_hand() -> None:
    algorithm, network = EWC(strength=6.0), linear()
    algorithm.end_task(network, TensorExamples(INPUTS, LABELS), memory=0)
    with torch.no_grad():
        network.heads[0].weight[0, 0] = 2.0
        network.heads[0].bias[1] = -1.0
    # 6/2 (5/8 x 2² + 1/4 x 1²)
    torch.testing.assert_close(algorithm.penalty(network), torch.tensor(3 * (2.5 + 0.25)))
    network.grow(2)
    torch.testing.assert_close(algorithm.penalty(network), torch.tensor(3 * (2.5 + 0.25)))


def test_the_quadratics_of_two_tasks_are_one_quadratic() -> None:
    algorithm, network = EWC(strength=2.0), linear()
    kept = []
    for place in (0.0, 3.0):
        with torch.no_grad():
            network.heads[0].weight.fill_(place)
        fisher = algorithm.fisher(network, INPUTS, LABELS)["heads.0.weight"]
        kept.append((fisher, network.heads[0].weight.detach().clone()))
        algorithm.end_task(network, TensorExamples(INPUTS, LABELS), memory=0)
    with torch.no_grad():
        network.heads[0].weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 4.0]]))
    algorithm.penalty(network).backward()
    weight = network.heads[0].weight
    expected = sum(2.0 * fisher * (weight.detach() - anchor) for fisher, anchor in kept)
    torch.testing.assert_close(weight.grad, expected)


def test_without_strength_it_is_fine_tuning(make_stream_learner, assert_equal) -> None:
    ends = []
    for algorithm in (EWC(strength=0.0), FineTuning()):
        learner = make_stream_learner(algorithm, horizon=100.0)
        for task in range(3):
            if task:
                learner._enter(task)
            learner.open_epoch()
            torch.manual_seed(task)
            for step in range(learner.steps_per_epoch):
                learner.step_in_epoch = step
                learner._train()
            learner._end_task()
        ends.append({"model": learner.network.state_dict(), "matrix": learner.matrix})
        if isinstance(algorithm, EWC):
            assert learner.algorithm.penalty(learner.network) == 0.0
            assert any(value.any() for value in learner.algorithm.state.values())
    assert_equal(*ends)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_stronger_the_less_weights_move(make_stream_learner, slices, seed: int) -> None:
    moved = []
    for strength in (0.0, 10.0, 1000.0):
        algorithm = replace(EWC(), strength=strength)
        learner = make_stream_learner(algorithm, horizon=4.0, lr=0.0005, seed=seed)
        assert any(learner.task == 1 for _ in slices(learner))
        before = learner.network.backbone[1].weight.detach().clone()
        learner.advance(4.0)
        assert learner.finished
        moved.append((learner.network.backbone[1].weight - before).norm().item())
    assert moved[0] > moved[1] > moved[2]

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.learning.scoring import evaluating
from trainables.learning.tensors import TensorExamples
from trainables.parts.optimizers.sgd import SGD
from trainables.ranks.batch_norm import SharedBatchNorm
from trainables.ranks.ranks import ALONE
from trainables.scenarios.continual.algorithms.fine_tuning import FineTuning
from trainables.scenarios.continual.algorithms.slca import SLCA, normalised
from trainables.scenarios.continual.network import GrowingNetwork
from trainables.scenarios.continual.scenario import SCENARIO


def two_tasks() -> tuple[GrowingNetwork, list[TensorExamples]]:
    """Features are the inputs: 4 classes at the corners of a square, 2 a task."""
    torch.manual_seed(0)
    network = GrowingNetwork(nn.Identity(), 2, seed=0)
    corners = torch.tensor([[3.0, 3.0], [-3.0, 3.0], [-3.0, -3.0], [3.0, -3.0]])
    tasks = []
    for labels in (torch.arange(200) % 2, torch.arange(200) % 2 + 2):
        noise = torch.randn(200, 2) * torch.tensor([1.0, 0.2])
        tasks.append(TensorExamples(corners[labels] + noise, labels))
    return network, tasks


def test_the_norm_is_taken_per_task_and_averaged() -> None:
    logits = [torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 1.0]])]
    expected = torch.tensor([[3.0, 4.0, 0.0, 1.0]]) / (3.0 * 0.1)
    torch.testing.assert_close(normalised(logits, 0.1), expected)


def test_statistics_are_the_classes_means_and_covariances() -> None:
    network, tasks = two_tasks()
    algorithm = SLCA(alignment_epochs=0)
    for task in tasks:
        network.grow(2)
        algorithm.end_task(network, task, memory=0)
    own = tasks[1].inputs[tasks[1].labels == 3]
    ridge = 1e-4 * torch.eye(2)
    torch.testing.assert_close(algorithm.state["mean"][3], own.mean(0))
    torch.testing.assert_close(algorithm.state["covariance"][3], own.T.cov() + ridge)
    roots = algorithm._roots(slice(None))
    torch.testing.assert_close(roots @ roots.mT, algorithm.state["covariance"])
    assert algorithm.state["mean"].shape == (4, 2)


def test_a_class_of_one_example_has_a_spread_of_its_own() -> None:
    network, tasks = two_tasks()
    network.grow(2)
    algorithm = SLCA()
    chosen = torch.tensor([0, 1, 3, 5])
    algorithm.end_task(
        network, TensorExamples(tasks[0].inputs[chosen], tasks[0].labels[chosen]), memory=0
    )
    assert all(value.isfinite().all() for value in algorithm.state.values())


def test_means_shrink_with_age() -> None:
    algorithm = SLCA(shrinkage=0.9)
    algorithm.state["mean"] = torch.zeros(5, 2)
    factors = algorithm._shrinkage_of([2, 2, 1])
    old, middle = 0.9 + 0.1 / 3, 0.9 + 0.2 / 3
    torch.testing.assert_close(factors.squeeze(1), torch.tensor([old, old, middle, middle, 1.0]))


def test_alignment_mends_heads_that_never_met() -> None:
    network, tasks = two_tasks()
    algorithm = SLCA()
    for number, task in enumerate(tasks):
        network.grow(2)
        with torch.no_grad():  # heads that tell their own classes apart and know of no others
            network.heads[number].weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
            network.heads[number].weight.mul_(1.0 if number == 0 else -3.0)
            network.heads[number].bias.zero_()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        algorithm.end_task(network, task, memory=0)
        assert all(torch.equal(before[name], v) for name, v in network.state_dict().items())

    def accuracy(weights: dict[str, torch.Tensor]) -> float:
        inputs, labels = (
            torch.cat([getattr(task, part) for task in tasks]) for part in ("inputs", "labels")
        )
        logits = torch.func.functional_call(network, weights, (inputs,))
        return (logits.argmax(1) == labels).float().mean().item()

    # The second task's logits are always the larger: half of the answers are wrong. The best
    # there is lets through the noise of one standard deviation, three from the border.
    best = 0.5 * (1 + math.erf(3 / math.sqrt(2)))
    assert accuracy(network.state_dict()) <= 0.5
    assert accuracy(algorithm.deployed(network)) > (0.5 + best) / 2, "more than half the way"


def test_aligned_heads_answer_until_the_next_task_begins() -> None:
    network, tasks = two_tasks()
    algorithm = SLCA()
    for task in tasks:
        network.grow(2)
        algorithm.end_task(network, task, memory=0)
    raw, deployed = network.state_dict(), algorithm.deployed(network)
    assert not torch.equal(raw["heads.0.weight"], deployed["heads.0.weight"])
    network.grow(2)
    deployed = algorithm.deployed(network)
    assert torch.equal(network.heads[0].weight, deployed["heads.0.weight"])


def test_the_backbone_learns_slowly_and_old_heads_not_at_all() -> None:
    network = GrowingNetwork(nn.Linear(2, 3), 3, seed=0)
    network.grow(2)
    network.grow(2)
    optimizer = SLCA(slow=0.01).optimizer(network, SGD(lr=0.5))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.005, 0.5])
    old = network.heads[0].weight.detach().clone()
    loss = SLCA().loss(network, torch.randn(6, 2), torch.tensor([2, 3] * 3))
    newest = network.heads[1](network.backbone(torch.zeros(1, 2)))
    assert newest.shape == (1, 2)
    loss.backward()
    optimizer.step()
    assert torch.equal(network.heads[0].weight, old)
    inputs, labels = torch.randn(6, 2), torch.tensor([2, 3] * 3)
    expected = F.cross_entropy(network.newest(inputs), labels - 2)
    assert torch.equal(SLCA().loss(network, inputs, labels), expected)


def normalising() -> GrowingNetwork:
    """A backbone with batch normalisation and dropout."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout(0.5))
    network = GrowingNetwork(layers, 3, seed=0)
    network.grow(2)
    return network


def test_statistics_stand_still_once_there_are_some() -> None:
    network = normalising()
    layer = network.backbone[1]
    SLCA().optimizer(network, SGD())
    network.train()
    network.newest(torch.randn(8, 2))
    assert layer.num_batches_tracked == 1, "from scratch the first task learns them"
    network.grow(2)
    SLCA().optimizer(network, SGD())
    before, inputs = layer.running_mean.clone(), torch.randn(8, 2) + 5
    with evaluating(network):
        assert not network.training
    network.train()
    assert network.training and network.backbone[3].training, "dropout still drops"
    found = network.backbone[:3](inputs)
    network.newest(inputs)
    assert torch.equal(layer.running_mean, before) and layer.num_batches_tracked == 1
    alone = torch.cat([network.backbone[:3](one[None]) for one in inputs])
    torch.testing.assert_close(found, alone)


def test_statistics_of_a_pre_trained_backbone_stand_still_from_the_beginning() -> None:
    network = normalising()
    network.backbone[1].num_batches_tracked += 100
    FineTuning().optimizer(network, SGD())
    assert network.train().backbone[1].training, "others let them move"
    SLCA().optimizer(network, SGD())
    assert not network.train().backbone[1].training
    shared = copy.deepcopy(network)
    shared.backbone[1] = SharedBatchNorm(nn.BatchNorm1d(3), ALONE)
    shared.backbone[1].num_batches_tracked += 1
    SLCA().optimizer(shared, SGD())
    assert not shared.train().backbone[1].training, "also over several ranks"


def test_a_batch_of_the_alignment_is_as_many_as_are_drawn_of_a_class(monkeypatch) -> None:
    network, tasks = two_tasks()
    algorithm, sizes = SLCA(samples=12, alignment_epochs=2), []
    plain = F.cross_entropy

    def counted(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        sizes.append(len(labels))
        return plain(logits, labels)

    monkeypatch.setattr(F, "cross_entropy", counted)
    for task in tasks:
        network.grow(2)
        algorithm.end_task(network, task, memory=0)
    assert sizes == [12] * (2 * 4), "as many steps an epoch as there are classes"


def test_its_arm_begins_at_the_authors_values(make_stream) -> None:
    for settings in ({}, {"hpo_protocol": "fixed"}):
        view = make_stream(**settings)
        space = SCENARIO.tunable(SCENARIO.space(view), view)
        own = space.only("algorithm", "slca").default()
        assert own["optimizer"] == {
            "name": "sgd", "lr": 0.01, "weight_decay": 5e-4, "momentum": 0.9, "nesterov": False
        }  # fmt: skip
        assert own["training"]["batch_size"] == 128
        assert space.default()["optimizer"]["lr"] == 0.1, "the baseline has its own"
        assert space.contains(own)

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from search_spaces import narrowed
from trainables.data import DataSpec
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.meta_weight_net import MetaWeightNet
from trainables.scenarios.scenario import load_scenario

cross_entropy = partial(F.cross_entropy, reduction="none")


def test_the_weight_net_has_one_hidden_layer_of_a_hundred() -> None:
    examples = TensorExamples(torch.zeros(20, 2), torch.arange(20) % 2)
    algorithm = MetaWeightNet(lr=1e-3)
    algorithm.model_prepare(torch.nn.Linear(2, 2), examples, 0)
    net = algorithm.networks["weight_net"]
    # 1 x 100 weights and 100 biases, 100 x 1 weights and one bias.
    assert [p.numel() for p in net.parameters()] == [100, 100, 100, 1]
    weights = net(torch.linspace(0, 5, 20)[:, None])
    assert weights.shape == (20,) and (weights > 0).all() and (weights < 1).all()
    options = algorithm.optimizers["weight_net"].param_groups[0]
    assert (options["lr"], options["weight_decay"]) == (1e-3, 1e-4)


def test_its_gradient_is_that_of_the_meta_loss_through_the_virtual_step() -> None:
    torch.manual_seed(0)
    labels = torch.arange(40) % 2
    inputs = torch.randn(40, 3).double() + labels[:, None]
    examples, model = TensorExamples(inputs, labels), torch.nn.Linear(3, 2).double()
    algorithm = MetaWeightNet(virtual_lr=0.7)
    algorithm.data_prepare(examples, 5)
    algorithm.model_prepare(model, examples, 5)
    net = algorithm.networks["weight_net"].double()
    meta = algorithm.state["meta"]
    # Equations 3 to 5, differentiated twice.
    here = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    losses = cross_entropy(functional_call(model, here, (inputs[:10],)), labels[:10])
    loss = (net(losses.detach()[:, None]) * losses).mean()
    gradients = torch.autograd.grad(loss, list(here.values()), create_graph=True)
    there = {n: p - 0.7 * g for (n, p), g in zip(here.items(), gradients, strict=True)}
    outputs = functional_call(model, there, (inputs[meta],))
    meta_loss = cross_entropy(outputs, labels[meta]).mean()
    expected = torch.autograd.grad(meta_loss, list(net.parameters()))
    batch = torch.arange(10)
    algorithm.loss_curriculum(
        cross_entropy, model(inputs[:10]), labels[:10], batch, inputs[:10]
    ).backward()
    for parameter, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-15)


def test_weights_are_those_of_the_net_after_its_step(in_the_plane) -> None:
    model, examples, criterion = in_the_plane
    algorithm = MetaWeightNet()
    algorithm.data_prepare(examples, 0)
    algorithm.model_prepare(model, examples, 0)
    net = algorithm.networks["weight_net"]
    outputs = torch.tensor([0.5, 1.0, 2.0, 3.0], requires_grad=True)
    before = net(outputs.detach()[:, None])
    batch = torch.arange(2, 6)
    inputs, labels = examples.inputs[batch], examples.labels[batch]
    loss = algorithm.loss_curriculum(criterion, outputs, labels, batch, inputs)
    loss.backward()
    after = net(outputs.detach()[:, None])
    assert not torch.equal(after, before)
    torch.testing.assert_close(outputs.grad, after / 4)


def test_where_every_weight_is_one_it_is_the_baseline(
    make_learner, take_steps, assert_equal, declared_clean
) -> None:
    learners = [
        make_learner("curriculum", name, view=declared_clean, changes={"schedule": "constant"})
        for name in ("meta_weight_net", "plain")
    ]
    with torch.no_grad():
        learners[0].algorithm.networks["weight_net"][2].bias.fill_(100.0)
    for learner in learners:
        take_steps(learner, 15)
    assert_equal(learners[0].model.state_dict(), learners[1].model.state_dict())


def test_under_flipped_labels_large_losses_come_to_count_less(
    make_learner, declared_clean
) -> None:
    changes = {"algorithm.meta_weight_net": {"virtual_lr": 1.0, "lr": 0.1}}
    learner = make_learner(
        "curriculum", "meta_weight_net", view=declared_clean, changes=changes, horizon=200.0
    )
    net = learner.algorithm.networks["weight_net"]

    def of_losses() -> list[float]:
        return net(torch.tensor([[0.1], [3.0]])).tolist()

    small, large = of_losses()
    assert small < large, "else this tests nothing"
    learner.advance(160.0)
    small, large = of_losses()
    assert large < 0.5 * small


def test_at_its_default_rate_its_weights_do_not_all_fall_to_nothing() -> None:
    """With a rate of 0.1 they do here: the training stops at 0.77."""
    scenario, cpu = load_scenario("curriculum"), torch.device("cpu")
    noisy = DataSpec("digits", seed=31, noise="symmetric:0.4", clean=100, clean_validation=True)
    view = scenario.load(noisy, scenario.with_settings({}))
    changes = {"optimizer": "adamw", "training.batch_size": 16}
    space = narrowed(scenario.space(view).only("algorithm", "meta_weight_net"), changes)
    learner: Any = scenario.learner(space.default(), scenario.on_device(view, cpu), 31, cpu)
    learner.begin(40.0)
    learner.advance(16.0)
    small, large = learner.algorithm.networks["weight_net"](torch.tensor([[0.3], [4.0]])).tolist()
    assert small > 0.1 and large < 0.5 * small
    assert learner.evaluate()["accuracy"] > 0.85


@pytest.mark.parametrize("name", ["state", "networks", "optimizers"])
def test_its_net_is_part_of_its_state(make_learner, name: str) -> None:
    learner = make_learner("curriculum", "meta_weight_net", horizon=5.0)
    learner.advance(5.0)
    assert getattr(learner.algorithm, name)
    state = learner.algorithm.state_dict()
    assert state["networks"]["weight_net"] and state["optimizers"]["weight_net"]["state"]

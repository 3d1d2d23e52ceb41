from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import SGD

from search_spaces import from_config
from trainables.learning.tensors import TensorView
from trainables.parts.augmentations.shift import Shift
from trainables.parts.schedules.cosine import Cosine
from trainables.scenarios.curriculum.algorithms.plain import Plain
from trainables.scenarios.curriculum.learner import CurriculumLearner
from trainables.scenarios.curriculum.recipe import Recipe

CHANGES = {
    "optimizer": {"name": "sgd", "sgd": {"lr": 0.05, "momentum": 0.8}},
    "schedule": {"name": "cosine", "cosine": {"warmup": 0.1}},
    "training": {"selection": "last", "batch_size": 32},
    "model.mlp.dropout": 0.0,
}

# Of 6 -> 16 -> 16 -> 3 without the gradient of the inputs, for 32 examples.
STEP = 32 * (3 * 2 * (6 * 16 + 16 * 16 + 16 * 3) - 2 * 6 * 16)


def test_two_epochs_equal_a_loop_in_plain_pytorch(make_learner, assert_equal, vectors) -> None:
    learner = make_learner("curriculum", "plain", changes=CHANGES, horizon=3.0)
    model = copy.deepcopy(learner.model)
    optimizer = SGD(
        model.parameters(), lr=0.05, momentum=0.8, weight_decay=5e-4, nesterov=False, fused=True
    )
    inputs, labels = map(torch.from_numpy, (vectors.train.inputs, vectors.train.labels))
    for epoch in range(2):
        learner.advance((epoch * 192 + 1) / 210)  # the epoch is open, its first step not taken
        order = learner.order
        assert (learner.epoch, learner.step_in_epoch) == (epoch, 0)
        assert len(order) == 192 == len(order.unique()), "6 batches, and 18 are left over"
        for number, batch in enumerate(order.split(32)):
            progress = (6 * epoch + number) * STEP / learner.horizon
            optimizer.param_groups[0]["lr"] = 0.05 * Cosine(warmup=0.1).factor(progress)
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    learner.advance((2 * 192 + 1) / 210)
    assert_equal(dict(learner.weights()), dict(model.state_dict()))


def test_each_epoch_has_an_order_of_its_own_and_all_examples_take_part(make_learner) -> None:
    learner = make_learner("curriculum", "plain", changes=CHANGES, horizon=9.0)
    orders = {}
    for compute in range(1, 91):
        learner.advance(compute / 10)
        orders[learner.epoch] = learner.order.clone()
    assert len(orders) >= 9
    assert len({tuple(order.tolist()) for order in orders.values()}) == len(orders)
    assert len(torch.cat(list(orders.values())).unique()) == 210


def test_the_model_and_the_algorithm_see_the_augmented_inputs(make_learner, monkeypatch) -> None:
    drawn, seen = [], []

    def blank(self: Shift, inputs: Tensor, indices: Tensor, key: int) -> Tensor:
        drawn.append((tuple(indices.tolist()), key))
        return torch.full_like(inputs, 7.0)

    def record(self, criterion, outputs, labels, indices, inputs) -> Tensor:
        seen.append((tuple(indices.tolist()), inputs))
        return criterion(outputs, labels).mean()

    monkeypatch.setattr(Shift, "apply", blank)
    monkeypatch.setattr(Plain, "loss_curriculum", record)
    learner = make_learner("curriculum", "plain", "sgd", horizon=3.0)
    learner.advance(3.0)
    assert [indices for indices, _ in seen] == [indices for indices, _ in drawn]
    assert all((inputs == 7.0).all() for _, inputs in seen)
    # 3 x 210 examples are 31 steps of 20, each with a key of its own; the first was also run once
    # to count it.
    assert len({key for _, key in drawn}) == len(drawn) - 1 == 31
    # The model saw nothing else: all its logits of a batch are alike but for dropout.
    assert learner.evaluate()["accuracy"] < 0.7


def test_learners_of_one_recipe_share_no_state(make_config, vectors) -> None:
    recipe = from_config(Recipe, make_config("curriculum", "superloss"))
    data = TensorView.of(vectors, torch.device("cpu"))
    first, second = (CurriculumLearner(recipe, data, 0, torch.device("cpu")) for _ in range(2))
    first.begin(1.0)
    first.advance(1.0)
    assert first.algorithm.state
    assert not second.algorithm.state
    assert not recipe.algorithm.state

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.dds import DDS
from trainables.scenarios.curriculum.weight_network import WeightNetwork, weight_network

cross_entropy = partial(F.cross_entropy, reduction="none")


def prepared(in_the_plane, **fields: object) -> tuple[DDS, torch.Tensor, torch.Tensor]:
    """DDS whose scorer is linear and has yet to learn, and a batch."""
    model, examples, _ = in_the_plane
    algorithm = DDS(**fields)
    algorithm.data_prepare(examples, 0)
    algorithm.model_prepare(nn.Linear(2, 2), examples, 0)
    algorithm.seen["model"] = model
    nn.init.zeros_(algorithm.networks["scorer"].head.weight)
    nn.init.zeros_(algorithm.networks["scorer"].head.bias)
    return algorithm, examples.inputs[2:], examples.labels[2:]


def test_the_scorer_climbs_the_mean_of_reward_times_log_p(in_the_plane) -> None:
    algorithm, inputs, labels = prepared(in_the_plane, baseline="none")
    scorer, criterion = algorithm.networks["scorer"], in_the_plane[2]
    features = scorer.body(inputs).detach()
    outputs = torch.tensor([1.0, 2.0, 3.0, 6.0], requires_grad=True)
    loss = algorithm.loss_curriculum(criterion, outputs, labels, torch.arange(4), inputs)
    # Rewards 1, 1, -1, 2 (sum 3) and p = 1/4: the derivative of mean(r log p) with respect to the
    # scores is (r - 3 p) / 4 = 1/16, 1/16, -7/16, 5/16; what is descended is its negative.
    expected = -(torch.tensor([1.0, 1, -7, 5]) / 16) @ features
    torch.testing.assert_close(scorer.head.weight.grad[0], expected)
    # The loss of this step has the weights from before: p = 1/4 each.
    assert loss.item() == pytest.approx(3.0)
    loss.backward()
    assert outputs.grad.tolist() == [0.25] * 4


def test_a_moving_average_of_rewards_is_taken_off_as_in_the_authors_code(in_the_plane) -> None:
    algorithm, inputs, labels = prepared(in_the_plane)
    scorer, criterion = algorithm.networks["scorer"], in_the_plane[2]
    features = scorer.body(inputs).detach()
    algorithm.state["baseline"].fill_(0.25)
    algorithm.loss_curriculum(criterion, torch.ones(4), labels, torch.arange(4), inputs)
    # 0.25 + 0.01 (0.75 - 0.25) = 0.255, the mean of the rewards 1, 1, -1, 2 being 0.75.
    assert algorithm.state["baseline"].item() == pytest.approx(0.255)
    # What is left of them is r - 0.255; as p is 1/4 each, the derivative is what it was.
    expected = -(torch.tensor([1.0, 1, -7, 5]) / 16) @ features
    torch.testing.assert_close(scorer.head.weight.grad[0], expected)


def test_a_scorer_of_inputs_is_blind_to_labels_and_one_of_both_is_not(in_the_plane) -> None:
    inputs, labels = torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 0, 1])
    for sees, alike in [("inputs", True), ("inputs_and_labels", False)]:
        examples = in_the_plane[1]
        scorer = weight_network(nn.Linear(2, 2), examples, 0, sees == "inputs_and_labels")
        assert torch.equal(scorer(inputs, labels), scorer(inputs, 1 - labels)) == alike


def test_the_label_comes_with_its_own_logit_by_hand() -> None:
    scorer = WeightNetwork(nn.Identity(), 2, sees_labels=True)
    with torch.no_grad():
        scorer.head.weight.copy_(torch.tensor([[1.0, 2.0, 10.0, 20.0, 100.0, 200.0]]))
        scorer.head.bias.zero_()
    # Logits (3, 4) and label 1: 3 + 2 x 4 + 20 + 200 x 4.
    assert scorer(torch.tensor([[3.0, 4.0]]), torch.tensor([1])).item() == 831.0


def test_a_trained_start_is_paid_for_and_told_of(make_learner) -> None:
    changes = {"algorithm.dds.trained_epochs": 2, "training.selection": "last"}
    learner = make_learner("curriculum", "dds", changes=changes, horizon=8.0)
    before = {k: v.clone() for k, v in learner.algorithm.networks["scorer"].state_dict().items()}
    learner.advance(0.0)
    # Two epochs on all but the 21 of the meta set.
    assert learner.compute == pytest.approx(2 * 189 / 210)
    after = learner.algorithm.networks["scorer"].state_dict()
    for name, value in after.items():
        assert torch.equal(value, before[name]) == name.startswith("head."), name
    given = learner.algorithm.was_given(learner.data.train)
    assert given.endswith("a network trained for 2 epochs on the same labels")


def test_examples_that_earn_rewards_come_to_count_more(in_the_plane) -> None:
    algorithm, inputs, labels = prepared(in_the_plane)
    for _ in range(50):
        algorithm.loss_curriculum(in_the_plane[2], torch.zeros(4), labels, labels, inputs)
    # Whose reward is 2, whose is -1.
    *_, worst, best = algorithm.networks["scorer"](inputs).log_softmax(0).tolist()
    assert best > math.log(1 / 4) > worst


def test_the_scorer_has_a_start_of_its_own_and_one_output() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5))
    # The fifth class has no example here, and the network must fit the logits all the same.
    examples = TensorExamples(torch.randn(12, 4), torch.arange(12) % 4)
    scorer = weight_network(model, examples, 3)
    assert scorer(examples.inputs).shape == (12,)
    assert not torch.equal(scorer.body[0].weight, model[0].weight)
    again, other = (weight_network(model, examples, seed) for seed in (3, 4))
    assert torch.equal(again.body[0].weight, scorer.body[0].weight)
    assert not torch.equal(other.body[0].weight, scorer.body[0].weight)


@pytest.mark.parametrize("setting", ["adamw", "cnn"])
def test_a_scorer_without_preferences_is_the_baseline(
    make_learner, take_steps, declared_clean, images, setting: str
) -> None:
    every = replace(images.train, columns={"clean": np.ones(len(images.train), bool)})
    view = declared_clean if setting == "adamw" else replace(images, train=every)
    plain = {"schedule": "constant"} | ({"model.mlp.dropout": 0.0} if setting == "adamw" else {})
    changes = {"dds": {**plain, "algorithm.dds.lr": 1e-5}, "plain": plain}
    learners = [
        make_learner("curriculum", name, setting, view=view, changes=its)
        for name, its in changes.items()
    ]
    head = learners[0].algorithm.networks["scorer"].head
    nn.init.zeros_(head.weight)
    for learner in learners:
        take_steps(learner, 4)
    for name, value in learners[1].model.state_dict().items():
        found = learners[0].model.state_dict()[name]
        torch.testing.assert_close(found, value, rtol=1e-2, atol=1e-3)


def test_inputs_of_any_shape_and_batches_of_any_size_are_taken(make_learner) -> None:
    # CurML's crashes in its first batch, on a reshape.
    learner = make_learner("curriculum", "dds", "cnn", horizon=4.0)
    train = learner.data.train
    for size in (1, 7, 64):
        batch = torch.arange(size)
        inputs, labels = train.inputs[batch], train.labels[batch]
        model = learner.model.eval()
        loss = learner.algorithm.loss_curriculum(
            cross_entropy, model(inputs), labels, batch, inputs
        )
        assert loss.isfinite()


def test_flipped_examples_are_rewarded_less(make_learner, declared_clean, flipped) -> None:
    flips = flipped[1]
    learner = make_learner("curriculum", "dds", view=declared_clean, horizon=40.0)
    learner.advance(40.0)
    train = learner.data.train
    step = 0.1, torch.ones(len(train))
    reward = learner.algorithm.agreement(cross_entropy, train.inputs, train.labels, step)
    assert reward[flips].mean() < 0.0 < reward[~flips].mean()

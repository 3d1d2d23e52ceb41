"""FlexMatch by hand: Zhang et al., NeurIPS 2021."""

from __future__ import annotations

import math

import pytest
import torch

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.semi_supervised.algorithms.fixmatch import FixMatch
from trainables.scenarios.semi_supervised.algorithms.flexmatch import FlexMatch

EIGHT = TensorExamples(torch.zeros(8, 1), torch.full((8,), -1))
SURE_0, SURE_1 = [0.96, 0.03, 0.01], [0.02, 0.96, 0.02]
HALF_0, HALF_1, HALF_2 = [0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6]
FLAT = [[1 / 3] * 3] * 4
# Batches of three steps: the examples, and what the network believes of them.
STEPS = [
    ([0, 1, 2, 3], [SURE_0, SURE_0, SURE_1, HALF_2]),
    ([4, 5, 6, 7], [SURE_0, HALF_0, HALF_1, HALF_2]),
    ([0, 5, 6, 3], [SURE_1, SURE_0, HALF_1, HALF_2]),
]


def prepared(**fields: object) -> FlexMatch:
    algorithm = FlexMatch(**fields)
    algorithm.prepare(EIGHT, 3)
    return algorithm


# Counts (σ and unused) before each step: (0, 0, 0; 8), (2, 1, 0; 5), (3, 1, 0; 4), and after the
# last (3, 2, 0; 3), as example 0 moves from class 0 to class 1. With the warm-up β is σ over
# max(σ, unused): over 8, 5, 4, 3. Without it: over max(0 -> 1), 2, 3, 3.
WARM = [(0, 0, 0), (2 / 5, 1 / 5, 0), (3 / 4, 1 / 4, 0), (1, 2 / 3, 0)]
COLD = [(0, 0, 0), (1, 1 / 2, 0), (1, 1 / 3, 0), (1, 2 / 3, 0)]


@pytest.mark.parametrize(("warm_up", "betas"), [(True, WARM), (False, COLD)])
def test_thresholds_over_three_steps_by_hand(told, batch_of, warm_up: bool, betas) -> None:
    algorithm = prepared(warm_up=warm_up)
    for step in range(4):
        expected = torch.tensor([0.95 * beta / (2 - beta) for beta in betas[step]])
        torch.testing.assert_close(algorithm.class_thresholds(3), expected)
        if step < 3:
            indices, beliefs = STEPS[step]
            algorithm.unlabelled_loss(batch_of(indices), told(beliefs, FLAT))
    assert algorithm.state["last_sure_class"].tolist() == [1, 0, 1, 3, 0, 0, 3, 3]


def test_losses_over_three_steps_by_hand(told, batch_of) -> None:
    # Step 1: all thresholds are 0, so all four count, however unsure. Step 2: thresholds are
    # 0.2375, 0.1056 and 0, so all four count. Step 3: 0.57, 0.1357 and 0, so all four count.
    algorithm = prepared()
    for indices, beliefs in STEPS:
        loss = algorithm.unlabelled_loss(batch_of(indices), told(beliefs, FLAT))
        assert loss.item() == pytest.approx(math.log(3), rel=1e-5)
    # Now 0.95, 0.475 and 0: of class 0 only the sure count, of class 1 also the half sure.
    beliefs = [SURE_0, HALF_0, HALF_1, HALF_2]
    loss = algorithm.unlabelled_loss(batch_of([4, 5, 6, 7]), told(beliefs, FLAT))
    assert loss.item() == pytest.approx(0.75 * math.log(3), rel=1e-5)


def test_a_step_uses_the_thresholds_from_before_it(told, batch_of) -> None:
    # All eight become sure of class 0 in one step, and would raise its threshold to 0.95.
    algorithm = prepared()
    weak = [[0.96, 0.03, 0.01]] * 7 + [HALF_0]
    loss = algorithm.unlabelled_loss(batch_of(list(range(8))), told(weak, FLAT * 2))
    assert loss.item() == pytest.approx(math.log(3), rel=1e-5)
    loss = algorithm.unlabelled_loss(batch_of(list(range(8))), told(weak, FLAT * 2))
    assert loss.item() == pytest.approx(7 / 8 * math.log(3), rel=1e-5)


def test_an_example_that_is_no_longer_sure_keeps_its_class(told, batch_of) -> None:
    algorithm = prepared()
    algorithm.unlabelled_loss(batch_of([0]), told([SURE_0], FLAT[:1]))
    algorithm.unlabelled_loss(batch_of([0]), told([HALF_1], FLAT[:1]))
    assert algorithm.state["last_sure_class"].tolist() == [0, *[3] * 7]


def test_once_all_classes_are_learnt_alike_it_is_fixmatch(told, batch_of) -> None:
    algorithm = FlexMatch()
    algorithm.state["last_sure_class"] = torch.tensor([0, 1, 2, 0, 1, 2])
    networks = told([SURE_0, HALF_1, SURE_1], [HALF_0, HALF_1, HALF_2])
    fixed = FixMatch().unlabelled_loss(batch_of([0, 1, 2]), networks)
    assert torch.equal(algorithm.unlabelled_loss(batch_of([0, 1, 2]), networks), fixed)
    assert fixed > 0


def test_the_gradient_goes_through_the_strong_view_alone(told, batch_of) -> None:
    networks = told([SURE_0, HALF_1], [HALF_0, HALF_1])
    prepared().unlabelled_loss(batch_of([0, 1]), networks).backward()
    assert networks.weak.grad is None
    assert networks.strong.grad.abs().sum() > 0


def test_labels_of_the_training_examples_play_no_part(told, batch_of) -> None:
    other = FlexMatch()
    other.prepare(TensorExamples(torch.zeros(8, 1), torch.arange(8) % 3), 3)
    assert torch.equal(other.state["last_sure_class"], prepared().state["last_sure_class"])

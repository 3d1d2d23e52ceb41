from __future__ import annotations

import pytest
import torch

from trainables.scenarios.curriculum.algorithms.learning_to_reweight import (
    LearningToReweight,
    weights,
)


def test_weights_by_hand() -> None:
    # max(u, 0) = 1, 0, 3, 0, whose sum is 4.
    assert weights(torch.tensor([1.0, -2.0, 3.0, 0.0])).tolist() == [0.25, 0.0, 0.75, 0.0]


def test_where_no_example_helps_nothing_is_learnt() -> None:
    # The sum is 0, and 0 / 0 would be NaN: delta(0) = 1 is added to it (eq. 10).
    assert weights(torch.tensor([-1.0, -2.0, 0.0])).tolist() == [0.0, 0.0, 0.0]


def test_examples_that_agree_alike_count_alike() -> None:
    assert weights(torch.full((8,), 0.3)).tolist() == pytest.approx([1 / 8] * 8)


def test_the_loss_by_hand(in_the_plane) -> None:
    model, examples, criterion = in_the_plane
    algorithm = LearningToReweight()
    algorithm.data_prepare(examples, 0)
    algorithm.model_prepare(model, examples, 0)
    batch = torch.arange(2, 6)
    inputs, labels = examples.inputs[batch], examples.labels[batch]
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)

    def told(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return outputs if outputs is losses else criterion(outputs, labels)

    loss = algorithm.loss_curriculum(told, losses, labels, batch, inputs)
    loss.backward()
    # Products 1, 1, -1, 2: weights 1/4, 1/4, 0, 2/4, constants of the step.
    assert losses.grad.tolist() == pytest.approx([0.25, 0.25, 0.0, 0.5])
    assert loss.item() == pytest.approx(0.25 + 0.5 + 2.0)


def test_flipped_examples_count_less_than_clean_ones(
    make_learner, flipped, declared_clean
) -> None:
    flips = flipped[1]
    for view, most in ((flipped[0], 0.8), (declared_clean, 0.5)):
        learner = make_learner("curriculum", "learning_to_reweight", view=view, horizon=30.0)
        learner.advance(30.0)
        train = learner.data.train
        agreement = learner.algorithm.agreement(
            lambda outputs, labels: torch.nn.functional.cross_entropy(
                outputs, labels, reduction="none"
            ),
            train.inputs,
            train.labels,
        )
        found = weights(agreement)
        assert found[flips].mean() < most * found[~flips].mean()

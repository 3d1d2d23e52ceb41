from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.learning.scoring import losses_of
from trainables.scenarios.curriculum.algorithms import adaptive
from trainables.scenarios.curriculum.algorithms.adaptive import Adaptive


@pytest.fixture
def reversed_teacher(monkeypatch) -> None:
    """A teacher for whom hard is what is easy for the model that it is asked about."""

    class Reversed(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs):
            return self.model(-inputs)

    monkeypatch.setattr(adaptive, "trained_copy", lambda model, *arguments: Reversed(model))


def test_the_share_by_hand() -> None:
    algorithm = Adaptive(start=0.1, growth=2.5)
    # 0.1 x 2.5^k, a stage every 0.075: 0.1, 0.25, 0.625, and then 1.5625.
    found = [algorithm.share(progress) for progress in (0.0, 0.074, 0.075, 0.15, 0.224, 0.225, 1)]
    assert found == pytest.approx([0.1, 0.1, 0.25, 0.625, 0.625, 1.0, 1.0])


def test_difficulty_is_measured_again_by_the_model_and_not_by_the_teacher(
    ranked, reversed_teacher, let_in
) -> None:
    # Both reference libraries ask the frozen teacher again, so that nothing ever changes.
    examples, model = ranked([i / 100 for i in range(-50, 50)])
    own, teachers = losses_of(model, examples), losses_of(model, examples).flip(0)
    algorithm = Adaptive(start=0.5, growth=1.1, alpha=0.7)
    first = let_in(algorithm, examples, model, 0.0, 0)
    assert sorted(first.tolist()) == list(range(50, 100)), "as the teacher has it"
    let_in(algorithm, examples, model, 0.09, 0)
    assert torch.allclose(algorithm.state["difficulty"], teachers, atol=1e-2)
    before = algorithm.state["difficulty"].clone()
    second = let_in(algorithm, examples, model, 0.1, 0)
    assert torch.allclose(algorithm.state["difficulty"], 0.3 * before + 0.7 * own)
    assert set(range(45)) <= set(second.tolist()), "as the model has it"
    measured = algorithm.state["difficulty"].clone()
    let_in(algorithm, examples, model, 0.15, 0)
    assert torch.equal(algorithm.state["difficulty"], measured), "once an interval"


def test_the_loss_by_hand() -> None:
    algorithm = Adaptive(gamma=0.5)
    algorithm.state["targets"] = torch.tensor([[0.5, 0.5], [0.2, 0.8], [0.8, 0.2]])
    outputs, labels = torch.zeros(1, 2), torch.tensor([0])
    loss = algorithm.loss_curriculum(
        torch.nn.CrossEntropyLoss(reduction="none"), outputs, labels, torch.tensor([2]), outputs
    )
    # log 2 + 0.5 (0.8 log(0.8 / 0.5) + 0.2 log(0.2 / 0.5)) = 0.693147 + 0.5 x 0.192745. From
    # probabilities in place of their logarithms, as in the reference libraries: 0.5 x -1.0004.
    assert loss.item() == pytest.approx(0.789520, abs=1e-6)


def test_targets_are_those_of_the_examples_and_not_of_their_places_in_the_epoch() -> None:
    algorithm = Adaptive(gamma=1.0)
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    algorithm.state["targets"] = logits.softmax(1)
    chosen = torch.tensor([17, 3, 3, 11])
    losses = F.cross_entropy(logits[chosen], torch.zeros(4, dtype=torch.int64))
    loss = algorithm.loss_curriculum(
        torch.nn.CrossEntropyLoss(reduction="none"),
        logits[chosen],
        torch.zeros(4, dtype=torch.int64),
        chosen,
        logits,
    )
    # A model that answers like its teacher is told nothing by it.
    assert loss.item() == pytest.approx(losses.item(), abs=1e-6)


def test_everything_let_in_and_no_teacher_is_the_baseline_bit_for_bit(
    make_learner, assert_equal
) -> None:
    changes = {"algorithm.adaptive.start": 1.0, "algorithm.adaptive.gamma": 0.0}
    adapting = make_learner("curriculum", "adaptive", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (adapting, plain):
        learner.advance(6.0)
    assert_equal(adapting.state_dict(), plain.state_dict())


def test_mostly_clean_examples_are_let_in_first(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {
        "algorithm.adaptive.teacher_epochs": 3,
        "algorithm.adaptive.start": 0.5,
        "model.mlp.width": 64,
    }
    learner = make_learner("curriculum", "adaptive", view=view, changes=changes, horizon=60.0)
    learner.advance(4.5)
    assert 0 < learner.epoch + learner.step_in_epoch < 6
    assert flips[learner.order].double().mean() < 0.25


def test_a_teacher_is_given_and_its_training_paid_for(make_learner) -> None:
    changes = {"algorithm.adaptive.teacher_epochs": 3, "training.selection": "last"}
    learner = make_learner("curriculum", "adaptive", changes=changes, horizon=20.0)
    assert "3 epochs" in learner.algorithm.was_given(learner.data.train)
    learner.advance(0.0)
    forward = 2 * (6 * 16 + 16 * 16 + 16 * 3)
    # Three epochs and a pass to ask it.
    assert learner.compute * learner.unit == pytest.approx(3 * learner.unit + 210 * forward)

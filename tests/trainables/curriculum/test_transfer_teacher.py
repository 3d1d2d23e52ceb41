from __future__ import annotations

import pytest
import torch

from trainables.learning.scoring import losses_of
from trainables.scenarios.curriculum.algorithms.transfer_teacher import TransferTeacher
from trainables.scenarios.curriculum.order import every_class_first
from trainables.scenarios.pacings.linear import Linear
from trainables.scenarios.scorers.teacher import Teacher


def test_the_order_is_that_of_the_losses_under_the_teacher(
    make_learner, monkeypatch, let_in
) -> None:
    learner = make_learner("curriculum", "plain")
    examples, model = learner.data.train, learner.model
    # The teacher stands still, so that it is the model and its losses can be asked for.
    teacher = "trainables.scenarios.scorers.teacher.trained_copy"
    monkeypatch.setattr(teacher, lambda model, *_, **__: model)
    algorithm = TransferTeacher(balanced=False)
    losses = losses_of(model, examples)
    # Linear from nothing, all after half: 0.125 / 0.5 of 210 is 52.5, and 52 by rounding to even.
    chosen = let_in(algorithm, examples, model, 0.125, 0)
    expected = every_class_first(losses.argsort(), examples.labels)
    assert chosen.tolist() == expected[:52].tolist()
    assert len(let_in(algorithm, examples, model, 0.0, 0)) == 32
    assert let_in(algorithm, examples, model, 0.5, 0) is None


def test_its_defaults_are_those_of_curbench() -> None:
    assert TransferTeacher().pacing == Linear(start=0.0, full_at=0.5)


def test_the_teacher_is_asked_once_and_then_frozen(make_learner) -> None:
    learner = make_learner("curriculum", "transfer_teacher", horizon=8.0)
    learner.advance(1.5)
    assert learner.epoch == 0
    order = learner.algorithm.state["order"].clone()
    learner.advance(5.0)
    assert learner.epoch >= 2
    assert torch.equal(learner.algorithm.state["order"], order)


def test_the_teacher_is_paid_for_and_told_of(make_learner) -> None:
    changes = {"algorithm.transfer_teacher.scorer.epochs": 2}
    learner = make_learner("curriculum", "transfer_teacher", changes=changes, horizon=8.0)
    learner.advance(0.0)
    assert learner.compute > 2.0
    given = learner.algorithm.was_given(learner.data.train)
    assert given == "a teacher trained for 2 epochs on the same labels"


def test_mostly_clean_examples_are_let_in_first(make_learner, flipped) -> None:
    view, flips = flipped
    learner = make_learner(
        "curriculum", "transfer_teacher", view=view, changes={"model.mlp.width": 64}, horizon=30.0
    )
    learner.advance(6.0)
    first = learner.algorithm.state["order"][: len(flips) // 2]
    assert flips.double().mean() == pytest.approx(0.4)
    assert flips[first].double().mean() < 0.25


def test_letting_everything_in_at_once_is_the_baseline(make_learner, assert_equal) -> None:
    changes = {"algorithm.transfer_teacher.pacing.linear.start": 1.0}
    paced = make_learner("curriculum", "transfer_teacher", changes=changes, horizon=4.0)
    plain = make_learner("curriculum", "plain", horizon=4.0)
    for learner in (paced, plain):
        learner.advance(4.0)
    assert_equal(paced.model.state_dict(), plain.model.state_dict())


def test_a_short_teacher_is_another_one_than_a_long_one(make_learner) -> None:
    learner = make_learner("curriculum", "plain", changes={"model.mlp.dropout": 0.0})
    examples, model = learner.data.train, learner.model
    short, long = (Teacher(epochs=n).difficulty(examples, model, 0) for n in (1, 30))
    assert losses_of(model, examples).mean() > short.mean() > long.mean()

from __future__ import annotations

import copy

import pytest
import torch

from search_spaces import InputError
from trainables.learning.scoring import losses_of
from trainables.scenarios.curriculum.algorithms.easy_to_hard import EasyToHard
from trainables.scenarios.pacings.step import Step
from trainables.scenarios.scorers.self_taught import SelfTaught

HALF = Step(start=0.5, full_at=1.0)


def test_the_order_is_that_of_the_scorers_difficulty(ranked, monkeypatch, let_in) -> None:
    examples, model = ranked([float(37 * i % 100) for i in range(100)])
    monkeypatch.setattr(
        SelfTaught, "difficulty", lambda self, examples, model, seed: losses_of(model, examples)
    )
    for balanced in (True, False):  # there is one class, so it makes no difference
        algorithm = EasyToHard(HALF, balanced=balanced)
        admitted = let_in(algorithm, examples, model, 0.8, 0)
        assert [37 * i % 100 for i in algorithm.state["order"].tolist()] == list(range(100))
        assert [37 * i % 100 for i in admitted.tolist()] == list(range(50))


def test_mostly_clean_examples_are_let_in_first(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {"algorithm.easy_to_hard.scorer.self_taught.epochs": 3, "model.mlp.width": 64}
    learner = make_learner("curriculum", "easy_to_hard", view=view, changes=changes, horizon=30.0)
    learner.advance(6.0)
    first = learner.algorithm.state["order"][: len(flips) // 2]
    assert flips.double().mean() == pytest.approx(0.4)
    assert flips[first].double().mean() < 0.25


def test_scoring_trains_a_copy_and_not_the_model(make_learner, assert_equal) -> None:
    scored = make_learner("curriculum", "easy_to_hard")
    before = copy.deepcopy(scored.model.state_dict())
    scored.begin(5.0)
    scored.advance(0.1)
    assert scored.compute > 1.0, "it has been scored, and owes for that"
    assert_equal(dict(scored.model.state_dict()), dict(before))
    assert scored.model.training


def test_the_score_is_the_loss_under_the_model_trained_for_some_epochs(make_learner) -> None:
    learner = make_learner("curriculum", "plain", changes={"model.mlp.dropout": 0.0})
    examples, model = learner.data.train, learner.model
    few, many = (SelfTaught(epochs=n).difficulty(examples, model, 0) for n in (1, 10))
    untrained = losses_of(model, examples)
    assert few.shape == (210,)
    assert untrained.mean() > few.mean() > many.mean()
    assert torch.equal(few, SelfTaught(epochs=1).difficulty(examples, model, 0))
    assert not torch.equal(few, SelfTaught(epochs=1).difficulty(examples, model, 1))


@pytest.mark.parametrize("size", [1, 65])
def test_a_last_batch_of_one_does_not_break_batch_normalisation(make_learner, size: int) -> None:
    learner = make_learner("curriculum", "plain", "sgd" if size == 1 else "cnn")
    examples = type(learner.data.train)(
        learner.data.train.inputs[:size], learner.data.train.labels[:size]
    )
    assert SelfTaught(epochs=1).difficulty(examples, learner.model, 0).isfinite().all()


def test_a_scoring_that_would_take_more_than_half_is_refused_in_one_line(make_learner) -> None:
    # Two epochs, and a pass: 800 of 2208 FLOPs an example, see test_contract_compute.py.
    least, changes = 2 * (2 + 800 / 2208), {"algorithm.easy_to_hard.scorer.self_taught.epochs": 2}
    with pytest.raises(InputError, match=r"'easy_to_hard' spends 2\.362 epochs of") as told:
        make_learner("curriculum", "easy_to_hard", changes=changes, horizon=least - 0.01)
    assert "at least 4.725" in str(told.value) and "\n" not in str(told.value)
    learner = make_learner("curriculum", "easy_to_hard", changes=changes, horizon=least)
    learner.advance(least)
    assert learner.taken > 0
    assert learner.spent <= learner.horizon

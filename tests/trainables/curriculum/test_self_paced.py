from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from trainables.learning.scoring import losses_at, losses_of
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.self_paced import WEIGHTINGS, SelfPaced, weights
from trainables.scenarios.pacings.linear import Linear
from trainables.scenarios.pacings.step import Step

LOSSES = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0, 3.0])


def test_hard_weights_count_whoever_was_let_in_as_one() -> None:
    assert weights("hard", LOSSES, torch.tensor(0.5)).tolist() == [1.0] * 6


def test_linear_weights_by_hand() -> None:
    # 1 - l / 0.5, and nothing below 0.
    found = weights("linear", LOSSES, torch.tensor(0.5))
    assert found.tolist() == [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]


def test_logistic_weights_by_hand() -> None:
    # (1 + e^-0.5) / (1 + e^(l - 0.5)), with e^-0.5 = 0.60653:
    # l = 0: 1.60653 / 1.60653; l = 0.5: 1.60653 / 2; l = 3: 1.60653 / (1 + 12.18249).
    found = weights("logistic", LOSSES, torch.tensor(0.5))
    assert found[[0, 2, 5]].tolist() == pytest.approx([1.0, 0.803265, 0.121868], abs=1e-6)
    assert found.tolist() == sorted(found.tolist(), reverse=True)


def test_logarithmic_weights_by_hand() -> None:
    # log(l + 0.5) / log 0.5: l = 0: 1; l = 0.25: log 0.75 / log 0.5 = 0.28768 / 0.69315;
    # l = 0.5: log 1 = 0; nothing below 0.
    found = weights("logarithmic", LOSSES, torch.tensor(0.5))
    assert found.tolist() == pytest.approx([1.0, 0.415037, 0.0, 0.0, 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("threshold", [0.99, 1.0, 1.5, 40.0])
def test_logarithmic_weights_keep_their_shape_where_the_logarithm_has_none(threshold) -> None:
    # In both reference libraries these are 0 or NaN. At half of the threshold, in units of 0.99:
    # log(0.495 + 0.01) / log 0.01 = -0.68320 / -4.60517.
    losses = threshold * torch.tensor([0.0, 0.5, 1.0, 2.0])
    found = weights("logarithmic", losses, torch.tensor(threshold))
    assert found.tolist() == pytest.approx([1.0, 0.148354, 0.0, 0.0], abs=1e-5)


def test_polynomial_weights_by_hand() -> None:
    # (1 - l / 0.5)^(1 / (3 - 1)): the root of 1, 0.5, 0. Without its parentheses, as in both
    # reference libraries, it would be (1 - l / 0.5) / 2.
    found = weights("polynomial", LOSSES, torch.tensor(0.5), order=3.0)
    assert found.tolist() == pytest.approx([1.0, 0.707107, 0.0, 0.0, 0.0, 0.0], abs=1e-6)
    # The fourth power for t = 1.25: 0.5^4.
    assert weights("polynomial", LOSSES, torch.tensor(0.5), order=1.25)[1].item() == 0.0625


def test_polynomial_weights_of_order_2_are_linear() -> None:
    both = (weights(kind, LOSSES, torch.tensor(0.8), 2.0) for kind in ("polynomial", "linear"))
    assert torch.equal(*both)


@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_weights_are_finite_when_everything_is_learned_by_heart(kind: str) -> None:
    # Then the threshold is exactly 0, and 0 / 0 would be NaN.
    found = weights(kind, torch.tensor([0.0, 1e-30, 2.0, 1e6]), torch.tensor(0.0))
    assert found.isfinite().all()
    assert found[0] == 1.0
    assert (found >= 0.0).all() and (found <= 1.0).all()


@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_a_batch_that_is_learned_by_heart_has_no_loss(loss_of, kind: str) -> None:
    algorithm = SelfPaced(weighting=kind)
    algorithm.state["thresholds"] = torch.zeros(40)
    losses = torch.zeros(3, requires_grad=True)
    loss = loss_of(algorithm, losses)
    loss.backward()
    assert loss == 0.0 and losses.grad.isfinite().all()


@pytest.mark.parametrize("kind", WEIGHTINGS)
def test_flipped_examples_come_to_count_less_than_clean_ones(make_learner, flipped, kind) -> None:
    view, flips = flipped
    changes = {
        "algorithm.self_paced.weighting": kind,
        "algorithm.self_paced.pacing": {"name": "step", "step": {"start": 0.6, "full_at": 1.0}},
    }
    learner = make_learner("curriculum", "self_paced", view=view, changes=changes, horizon=16.0)
    learner.advance(12.0)
    losses = losses_of(learner.model, learner.data.train)
    threshold = learner.algorithm.threshold()
    counted = weights(kind, losses, threshold) * (losses <= threshold)
    assert counted[flips].mean() < 0.7 * counted[~flips].mean()


def test_the_easiest_are_let_in_and_the_last_of_them_is_the_threshold(ranked, let_in) -> None:
    # The order of the losses of 100 examples is that of 37 i mod 100.
    difficulty = [float(37 * i % 100) / 50 for i in range(100)]
    examples, model = ranked(difficulty)
    algorithm = SelfPaced(Linear(start=0.2, full_at=0.5))
    # Progress 0.25 is half way: 0.2 + 0.8 / 2 = 0.6 of 100.
    admitted = let_in(algorithm, examples, model, 0.25, 0)
    assert [37 * i % 100 for i in admitted.tolist()] == list(range(60))
    # The 60th has the logit 59 / 50 against 0, and so the loss log(1 + e^1.18).
    expected = math.log(1 + math.exp(1.18))
    algorithm.tell(progress=0.25)
    assert algorithm.threshold().item() == pytest.approx(expected, rel=1e-6)
    # A step later 0.2 + 0.8 x 0.51 = 0.608 of 100 are in, and lambda has grown with them.
    algorithm.tell(progress=0.255)
    assert algorithm.threshold().item() == pytest.approx(math.log(1 + math.exp(1.2)), rel=1e-6)


def test_classes_take_turns_or_else_one_of_each_comes_first(let_in) -> None:
    # The model is sure of class 0 alone, so that all of it is easier than class 1.
    labels = torch.tensor([0, 1]).repeat(50)
    inputs = torch.stack([9.0 - torch.arange(100) / 50, torch.zeros(100)], 1)
    examples = TensorExamples(inputs, labels)
    for balanced, ones in [(True, 20), (False, 1)]:
        algorithm = SelfPaced(Linear(start=0.4), balanced=balanced)
        chosen = let_in(algorithm, examples, torch.nn.Identity(), 0.0, 0)
        assert (len(chosen), int(labels[chosen].sum())) == (40, ones)


def test_averaged_over_all_the_others_count_nothing(ranked, let_in, loss_of) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    soft = SelfPaced(Linear(start=0.4), weighting="linear", averaged_over="all")
    assert len(let_in(soft, examples, model, 0.0, 0)) == 100
    # lambda is the loss of the 40th all the same: log(1 + e^39) = 39.
    assert soft.threshold().item() == pytest.approx(39.0)
    # Weights 1 - l / 39 of 19.5 and 78: (0.5 x 19.5 + 0) / 2.
    assert loss_of(soft, torch.tensor([19.5, 78.0])).item() == pytest.approx(4.875)


def test_in_a_short_run_some_are_measured_several_times(make_learner, monkeypatch) -> None:
    looked_at = []

    def count(model, examples, rows):
        looked_at.append(rows.tolist())
        return losses_at(model, examples, rows)

    monkeypatch.setattr("trainables.scenarios.curriculum.algorithms.self_paced.losses_at", count)
    learner = make_learner("curriculum", "self_paced", horizon=2.0)
    learner.advance(2.0)
    # Each tenth is 42 examples; half of them are fewer than the 32 that are measured at least.
    assert len(looked_at) >= 3
    labels = learner.data.train.labels
    for rows in looked_at:
        assert 32 <= len(rows) <= 34 and len(labels[rows].unique()) == 3
    assert looked_at[0] != looked_at[1]


@pytest.mark.parametrize(
    ("progress", "count"), [(0.0, 32), (0.1, 40), (0.125, 50), (0.2, 80), (0.25, 100), (0.9, 100)]
)
def test_counts_follow_the_pacing_and_are_never_below_32(ranked, progress, count, let_in) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    # start 0, everything at 0.25: progress / 0.25 of 100.
    algorithm = SelfPaced(Linear(start=0.0, full_at=0.25))
    admitted = let_in(algorithm, examples, model, progress, 0)
    assert (100 if admitted is None else len(admitted)) == count


def test_the_loss_is_the_mean_of_weighted_losses(loss_of) -> None:
    algorithm = SelfPaced(weighting="linear")
    algorithm.state["thresholds"] = torch.tensor([2.0])
    # Weights 1 - l / 2: 0.75, 0.5, 0; (0.75 x 0.5 + 0.5 x 1 + 0 x 4) / 3.
    losses = torch.tensor([0.5, 1.0, 4.0], requires_grad=True)
    loss = loss_of(algorithm, losses)
    assert loss.item() == pytest.approx(0.875 / 3)
    loss.backward()
    # The weights are constants of the step, not part of what is differentiated.
    assert losses.grad.tolist() == pytest.approx([0.25, 0.5 / 3, 0.0])


def test_scoring_sees_the_model_without_dropout_and_leaves_its_mode(ranked, let_in) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    model = torch.nn.Sequential(torch.nn.Dropout(0.9), model).train()
    algorithm = SelfPaced(Step(start=0.5, full_at=1.0))
    before = torch.get_rng_state()
    assert let_in(algorithm, examples, model, 0.5, 0).tolist() == list(range(50))
    assert model.training and model[0].training
    assert torch.equal(before, torch.get_rng_state())


def test_admitting_everything_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.self_paced.pacing.linear.start": 1.0}
    paced = make_learner("curriculum", "self_paced", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (paced, plain):
        learner.advance(6.0)
    assert_equal(paced.state_dict(), plain.state_dict())


def test_soft_weights_still_score_when_everything_is_admitted(make_learner, let_in) -> None:
    examples = make_learner("curriculum", "plain").data.train
    model = torch.nn.Linear(6, 3)
    algorithm = SelfPaced(Linear(start=1.0), weighting="logistic")
    admitted = let_in(algorithm, examples, model, 0.0, 0)
    assert sorted(admitted.tolist()) == list(range(len(examples)))
    losses = F.cross_entropy(model(examples.inputs), examples.labels, reduction="none")
    assert algorithm.threshold() == losses.max()

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from trainables.curriculum.self_paced import WEIGHTINGS, SelfPaced, weights
from trainables.pacing.linear import Linear
from trainables.pacing.step import Step
from trainables.scoring import losses_of

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


def test_a_run_that_learns_its_easiest_by_heart_goes_on(make_learner, vectors) -> None:
    changes = {
        "algorithm.self_paced.weighting": "linear",
        "algorithm.self_paced.pacing": {"name": "step", "step": {"start": 0.0, "full_at": 0.9}},
        "optimizer": {"name": "sgd", "sgd": {"lr": 1.0, "momentum": 0.9}},
        "schedule": "constant",
    }
    learner = make_learner("curriculum", "self_paced", changes=changes, horizon=60.0)
    learner.advance(50.0)
    assert learner.algorithm.state["threshold"] == 0.0, "else this tests nothing"
    assert not learner.diverged


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
    threshold = learner.algorithm.state["threshold"]
    counted = weights(kind, losses, threshold) * (losses <= threshold)
    assert counted[flips].mean() < 0.7 * counted[~flips].mean()


def test_the_easiest_are_let_in_and_the_last_of_them_is_the_threshold(ranked) -> None:
    # The order of the losses of 100 examples is that of 37 i mod 100.
    difficulty = [float(37 * i % 100) / 50 for i in range(100)]
    examples, model = ranked(difficulty)
    algorithm = SelfPaced(Linear(start=0.2, full_at=0.5))
    # Progress 0.25 is half way: 0.2 + 0.8 / 2 = 0.6 of 100.
    admitted = algorithm.data_curriculum(examples, model, 0.25, 0)
    assert [37 * i % 100 for i in admitted.tolist()] == list(range(60))
    # The 60th has the logit 59 / 50 against 0, and so the loss log(1 + e^1.18).
    expected = math.log(1 + math.exp(1.18))
    assert algorithm.state["threshold"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("progress", "count"), [(0.0, 32), (0.1, 40), (0.125, 50), (0.2, 80), (0.25, 100), (0.9, 100)]
)
def test_counts_follow_the_pacing_and_are_never_below_32(ranked, progress, count) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    # start 0, everything at 0.25: progress / 0.25 of 100.
    algorithm = SelfPaced(Linear(start=0.0, full_at=0.25))
    admitted = algorithm.data_curriculum(examples, model, progress, 0)
    assert (100 if admitted is None else len(admitted)) == count


def test_the_loss_is_the_mean_of_weighted_losses(loss_of) -> None:
    algorithm = SelfPaced(weighting="linear")
    algorithm.state["threshold"] = torch.tensor(2.0)
    # Weights 1 - l / 2: 0.75, 0.5, 0; (0.75 x 0.5 + 0.5 x 1 + 0 x 4) / 3.
    losses = torch.tensor([0.5, 1.0, 4.0], requires_grad=True)
    loss = loss_of(algorithm, losses)
    assert loss.item() == pytest.approx(0.875 / 3)
    loss.backward()
    # The weights are constants of the step, not part of what is differentiated.
    assert losses.grad.tolist() == pytest.approx([0.25, 0.5 / 3, 0.0])


def test_scoring_sees_the_model_without_dropout_and_leaves_its_mode(ranked) -> None:
    examples, model = ranked([float(i) for i in range(100)])
    model = torch.nn.Sequential(torch.nn.Dropout(0.9), model).train()
    algorithm = SelfPaced(Step(start=0.5, full_at=1.0))
    before = torch.get_rng_state()
    assert algorithm.data_curriculum(examples, model, 0.5, 0).tolist() == list(range(50))
    assert model.training and model[0].training
    assert torch.equal(before, torch.get_rng_state())


def test_admitting_everything_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.self_paced.pacing.linear.start": 1.0}
    paced = make_learner("curriculum", "self_paced", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (paced, plain):
        learner.advance(6.0)
    assert_equal(paced.state_dict(), plain.state_dict())


def test_soft_weights_still_score_when_everything_is_admitted(make_learner) -> None:
    examples = make_learner("curriculum", "plain").data.train
    model = torch.nn.Linear(6, 3)
    algorithm = SelfPaced(Linear(start=1.0), weighting="logistic")
    admitted = algorithm.data_curriculum(examples, model, 0.0, 0)
    assert sorted(admitted.tolist()) == list(range(len(examples)))
    losses = F.cross_entropy(model(examples.inputs), examples.labels, reduction="none")
    assert algorithm.state["threshold"] == losses.max()

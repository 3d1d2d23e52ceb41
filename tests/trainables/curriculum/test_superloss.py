from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import lambertw

from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss, confidence, lambert_w

BRANCH = -1.0 / math.e


def test_lambert_w_at_points_known_by_hand() -> None:
    # W(x e^x) = x, so W(0) = 0, W(e) = 1, W(2 e^2) = 2, W(-log(2) / 2) = -log(2).
    points = torch.tensor(
        [0.0, math.e, 2 * math.exp(2), -math.log(2) / 2, 20 * math.exp(20)], dtype=torch.float64
    )
    expected = [0.0, 1.0, 2.0, -math.log(2), 20.0]
    assert lambert_w(points).tolist() == pytest.approx(expected, rel=1e-14, abs=1e-15)


def test_lambert_w_is_minus_one_at_the_branch_point_where_scipy_has_nan() -> None:
    assert lambert_w(torch.tensor([BRANCH], dtype=torch.float64)).item() == -1.0


def test_lambert_w_equals_scipys_over_the_whole_range() -> None:
    # From where the branch point is 1e-6 away to the losses at which a run counts as diverged.
    points = np.concatenate(
        [
            BRANCH + np.logspace(-6, -1, 4001),
            np.linspace(-0.3, 3.0, 4001),
            -np.logspace(-12, -1, 401),
            np.logspace(-12, 8, 4001),
        ]
    )
    expected = lambertw(points).real
    found = lambert_w(torch.from_numpy(points)).numpy()
    # d W / d x grows like 1 / sqrt(2 (e x + 1)) towards the branch point, and with it what the
    # rounding of x does to W.
    rounding = 1e-15 * (1.0 + np.abs(expected) + 1.0 / np.sqrt(2 * (math.e * points + 1)))
    assert (np.abs(found - expected) <= 4 * rounding).all()


def test_lambert_w_close_to_the_branch_point_follows_its_series() -> None:
    # W = -1 + p - p^2 / 3 + ..., p = sqrt(2 (e x + 1)).
    root = np.logspace(-7, -4, 50)
    points = torch.from_numpy((root**2 / 2 - 1) / math.e)
    expected = -1 + root - root**2 / 3 + 11 / 72 * root**3
    assert lambert_w(points).numpy() == pytest.approx(expected, abs=3e-9)


def test_confidence_by_hand() -> None:
    tau, lam = torch.tensor(1.0), 0.5
    # At l = tau W(0) = 0: 1. At l - tau = 2 lam e, W(e) = 1: 1/e.
    # At l - tau = -lam log 2, W(-log(2) / 2) = -log 2: 2.
    losses = torch.tensor([1.0, 1.0 + 2 * 0.5 * math.e, 1.0 - 0.5 * math.log(2)])
    found = confidence(losses, tau, lam)
    assert found.tolist() == pytest.approx([1.0, 1 / math.e, 2.0], rel=1e-6)


@pytest.mark.parametrize("beyond", [0.0, 1e-3, 1.0, 1e5])
def test_confidence_is_e_at_the_clamp_and_below(beyond: float) -> None:
    # (l - tau) / lam <= -2/e is clamped: W = -1, sigma = e.
    losses = torch.tensor([-2.0 / math.e - beyond], dtype=torch.float64)
    found = confidence(losses, torch.tensor(0.0, dtype=torch.float64), 1.0)
    assert found.item() == pytest.approx(math.e, rel=1e-7)


def test_confidence_minimises_the_loss_it_comes_from() -> None:
    # eq. 3: sigma* is the argmin over sigma of (l - tau) sigma + lam (log sigma)^2.
    losses, lam = torch.linspace(-0.7, 4.0, 30, dtype=torch.float64), 1.3
    grid = torch.logspace(-3, 1, 200_001, dtype=torch.float64)
    best = [grid[(loss * grid + lam * grid.log() ** 2).argmin()].item() for loss in losses]
    found = confidence(losses, torch.tensor(0.0, dtype=torch.float64), lam)
    assert found.tolist() == pytest.approx(best, rel=1e-4)


def test_the_loss_equals_the_formula_with_scipys_w(loss_of) -> None:
    losses = torch.tensor([0.1, 0.9, 1.5, 4.0], dtype=torch.float64)
    lam, tau = 0.7, math.log(5)
    # Clamped at -2/e = -0.736: (0.1 - 1.609) / 0.7 = -2.156 is, (0.9 - 1.609) / 0.7 = -1.013 is,
    # (1.5 - 1.609) / 0.7 = -0.156 is not.
    clamped = np.maximum((losses.numpy() - tau) / lam, -2 / math.e) / 2
    w = np.where(clamped <= BRANCH, -1.0, lambertw(clamped).real)
    assert (w == -1).tolist() == [True, True, False, False]
    sigma = np.exp(-w)
    expected = ((losses.numpy() - tau) * sigma + lam * np.log(sigma) ** 2).mean()
    found = loss_of(SuperLoss(lam=lam, threshold="log_classes"), losses, classes=5)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_that_of_cross_entropy_times_the_confidence(gradient_of) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3.0 * torch.randn(7, 4, dtype=torch.float64, generator=generator)
    labels = torch.where(torch.arange(7) < 4, logits.argmax(1), 0)
    losses = F.cross_entropy(logits, labels, reduction="none")
    sigma = confidence(losses, torch.tensor(math.log(4)), 0.5)
    assert sigma.max() > 1.0 > sigma.min()
    # d CE / d logits = softmax - one-hot, and the batch is averaged.
    plain = (logits.softmax(1) - F.one_hot(labels, 4)) / 7
    found = gradient_of(SuperLoss(lam=0.5, threshold="log_classes"), logits, labels)
    assert torch.allclose(found, sigma[:, None] * plain, rtol=1e-10)


def test_a_large_lambda_leaves_the_plain_loss_minus_tau(loss_of, gradient_of) -> None:
    losses = torch.tensor([0.1, 1.0, 3.0], dtype=torch.float64)
    found = loss_of(SuperLoss(lam=1e9, threshold="log_classes"), losses, classes=10)
    assert found.item() == pytest.approx(losses.mean().item() - math.log(10), abs=1e-7)
    logits, labels = torch.tensor([[1.0, -2.0], [0.3, 0.2]], dtype=torch.float64), [0, 0]
    labels = torch.tensor(labels)
    plain = (logits.softmax(1) - F.one_hot(labels, 2)) / 2
    found = gradient_of(SuperLoss(lam=1e9, threshold="log_classes"), logits, labels)
    assert torch.allclose(found, plain, rtol=1e-7)


def test_the_running_average_by_hand(loss_of) -> None:
    algorithm = SuperLoss(lam=1.0)
    averages = []
    for mean in (2.0, 1.0, 4.0):
        loss_of(algorithm, torch.tensor([mean - 0.5, mean + 0.5]))
        averages.append(algorithm.state["average"].item())
    # The first batch's mean; 0.9 x 2 + 0.1 x 1; 0.9 x 1.9 + 0.1 x 4.
    assert averages == pytest.approx([2.0, 1.9, 2.11])


def test_the_average_of_classes_keeps_no_state(loss_of) -> None:
    algorithm = SuperLoss(threshold="log_classes")
    loss_of(algorithm, torch.tensor([1.0, 2.0]))
    assert algorithm.state == {}


def test_flipped_examples_come_to_count_less_than_clean_ones(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {
        "training.selection": "last",
        "model.mlp.dropout": 0.0,
        "algorithm.superloss.lam": 0.5,
    }
    learner = make_learner("curriculum", "superloss", view=view, changes=changes, horizon=8.0)

    def confidences() -> tuple[float, float]:
        train = learner.data.train
        with torch.no_grad():
            losses = F.cross_entropy(learner.model(train.inputs), train.labels, reduction="none")
        sigma = confidence(losses, learner.algorithm.state["average"], 0.5)
        return sigma[flips].mean().item(), sigma[~flips].mean().item()

    learner.advance(8.0)
    flipped_ones, clean_ones = confidences()
    assert flipped_ones < 0.8 * clean_ones


@pytest.mark.parametrize("threshold", ["average", "log_classes"])
def test_a_step_never_waits_for_the_device(loss_of, threshold: str) -> None:
    # On the meta device there are no values, so whatever fetched one would fail.
    algorithm = SuperLoss(threshold=threshold)
    for _ in range(2):
        assert loss_of(algorithm, torch.ones(8, device="meta")).device.type == "meta"

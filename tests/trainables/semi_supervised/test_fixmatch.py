"""FixMatch by hand: Sohn et al., NeurIPS 2020."""

from __future__ import annotations

import math

import pytest
import torch

from trainables.scenarios.semi_supervised.algorithms.fixmatch import FixMatch

# Sure of class 0, sure of class 2, not sure.
WEAK = [[0.96, 0.02, 0.02], [0.01, 0.02, 0.97], [0.5, 0.3, 0.2]]
STRONG = [[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1]]


def test_the_loss_by_hand(told, batch_of) -> None:
    # -(ln 0.5 + ln 0.2) over all three: the example that is not sure counts as zero.
    expected = -(math.log(0.5) + math.log(0.2)) / 3
    found = FixMatch().unlabelled_loss(batch_of([0, 1, 2]), told(WEAK, STRONG))
    assert found.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (0.5, -(math.log(0.5) + math.log(0.2) + math.log(0.1)) / 3),
        (0.965, -math.log(0.2) / 3),
        (0.99, 0.0),
    ],
)
def test_the_threshold_by_hand(told, batch_of, threshold: float, expected: float) -> None:
    # At 0.5 the third is let in too: it is as sure as is asked for.
    networks = told(WEAK, STRONG)
    found = FixMatch(threshold=threshold).unlabelled_loss(batch_of([0, 1, 2]), networks)
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_what_is_added_is_the_weight_times_the_loss(told, batch_of) -> None:
    batch, networks = batch_of([0, 1, 2]), told(WEAK, STRONG)
    loss = FixMatch().unlabelled_loss(batch, networks)
    added = FixMatch(weight=3.0).weighted_unlabelled_loss(batch, networks, progress=0.0)
    assert torch.equal(added, 3.0 * loss)


def test_the_gradient_by_hand_goes_through_the_strong_view_alone(told, batch_of) -> None:
    networks = told(WEAK, STRONG)
    FixMatch().unlabelled_loss(batch_of([0, 1, 2]), networks).backward()
    assert networks.weak.grad is None
    # (p - target) / 3, and nothing for the example that is not sure.
    expected = torch.tensor([[-0.5, 0.25, 0.25], [0.2, 0.6, -0.8], [0.0, 0.0, 0.0]]) / 3
    torch.testing.assert_close(networks.strong.grad, expected)


def test_published_defaults() -> None:
    assert FixMatch() == FixMatch(average=0.999, weight=1.0, ratio=7, threshold=0.95)

from __future__ import annotations

import pytest
import torch

from trainables.scenarios.continual.metrics import (
    average_accuracies,
    forgetting,
    incremental_accuracy,
)

# Beyond the diagonal stands what must not count.
MATRIX = torch.tensor([[0.9, 9.0, 9.0], [0.5, 0.8, 9.0], [0.6, 0.4, 1.0]], dtype=torch.float64)
SIZES = torch.tensor([10.0, 30.0, 20.0], dtype=torch.float64)


def test_average_accuracies_weigh_tasks_by_their_examples() -> None:
    expected = [0.9, (5 + 24) / 40, (6 + 12 + 20) / 60]
    assert average_accuracies(MATRIX, SIZES).tolist() == pytest.approx(expected)


def test_incremental_accuracy_is_their_mean_over_all_tasks() -> None:
    assert incremental_accuracy(MATRIX, SIZES) == pytest.approx((0.9 + 0.725 + 38 / 60) / 3)


def test_forgetting_is_the_loss_since_each_tasks_best() -> None:
    assert forgetting(MATRIX) == pytest.approx(((0.9 - 0.6) + (0.8 - 0.4)) / 2)
    assert forgetting(MATRIX[:2]) == pytest.approx(0.9 - 0.5)
    assert forgetting(MATRIX[:1]) == 0.0


def test_forgetting_is_negative_where_a_task_gained() -> None:
    assert forgetting(torch.tensor([[0.5, 0.0], [0.7, 0.9]])) == pytest.approx(-0.2)


def test_the_matrix_of_a_stream_half_way_through() -> None:
    assert average_accuracies(MATRIX[:2], SIZES).tolist() == pytest.approx([0.9, 0.725])

"""Draws without replacement, and what is remembered of each example."""

from __future__ import annotations

import pytest
import torch

from trainables.scenarios.curriculum.sampling import drawn, remember


def test_the_first_drawn_is_drawn_in_proportion_to_its_weight() -> None:
    weights = torch.tensor([1.0, 2.0, 0.0, 5.0])
    first = torch.stack([drawn(weights.log(), 1, seed) for seed in range(4000)]).flatten()
    shares = first.bincount(minlength=4) / 4000
    # Standard errors of 1/8, 2/8 and 5/8 of 4000 are below 0.008.
    assert shares.tolist() == pytest.approx([1 / 8, 2 / 8, 0.0, 5 / 8], abs=0.03)


def test_the_second_is_drawn_in_proportion_among_those_left() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    pairs = torch.stack([drawn(weights.log(), 2, seed) for seed in range(4000)])
    after_last = pairs[pairs[:, 0] == 2, 1]
    # Once the weight of 5 is gone, 1 : 2.
    assert (after_last == 0).double().mean() == pytest.approx(1 / 3, abs=0.04)


def test_nobody_is_drawn_twice_and_nothing_weighs_least() -> None:
    weights = torch.rand(500, generator=torch.Generator().manual_seed(0))
    weights[::5] = 0.0
    found = drawn(weights.log(), 450, seed=3)
    assert len(found.unique()) == 450
    assert (found % 5 == 0).sum() == 50
    assert torch.equal(found, drawn(weights.log(), 450, seed=3))
    assert not torch.equal(found, drawn(weights.log(), 450, seed=4))


def test_of_two_values_for_one_example_the_greater_is_remembered() -> None:
    memory = torch.full((4,), 9.0)
    remember(memory, torch.tensor([2, 0, 2]), torch.tensor([1.0, 3.0, 2.0]))
    assert memory.tolist() == [3.0, 9.0, 2.0, 9.0]

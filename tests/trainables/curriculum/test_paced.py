"""Orders by difficulty: what easy_to_hard, anti_curriculum and random_order share."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.scenarios.curriculum.algorithms.random_order import RandomOrder
from trainables.scenarios.curriculum.order import balanced_order, order_of
from trainables.scenarios.pacings.linear import Linear
from trainables.scenarios.pacings.step import Step


def test_the_number_admitted_by_hand() -> None:
    algorithm = RandomOrder(Linear(start=0.2, full_at=0.5))
    # 0.2 + 0.8 x progress / 0.5, of 1000; all from half way on.
    progress = (0.0, 0.125, 0.25, 0.499, 0.5, 1.0)
    found = [algorithm.let_in(at, 1000) for at in progress]
    assert found == [200, 400, 600, 998, 1000, 1000]


def test_never_fewer_than_32_or_than_is_told_and_never_more_than_there_are() -> None:
    algorithm = RandomOrder(Step(start=0.0, full_at=1.0))
    assert [algorithm.let_in(0.5, total) for total in (10, 32, 33, 5000)] == [10, 32, 32, 32]
    algorithm.tell(fewest=47)
    assert [algorithm.let_in(0.5, total) for total in (10, 33, 5000)] == [10, 33, 47]


def test_balanced_order_by_hand() -> None:
    # Class 0 has 4 examples, class 1 has 2; ranks within the class, places (rank + 1/2) / size:
    # index            0     1     2     3     4     5
    difficulty = [9.0, 1.0, 3.0, 2.0, 8.0, 7.0]
    labels = [0, 0, 0, 0, 1, 1]
    # place          .875  .125  .625  .375  .75   .25
    found = balanced_order(torch.tensor(difficulty), torch.tensor(labels))
    assert found.tolist() == [1, 5, 3, 2, 4, 0]


def test_an_order_by_hand() -> None:
    scores = torch.tensor([3.0, -1.0, 2.0, 0.5])
    assert order_of(scores, None, seed=0).tolist() == [1, 3, 2, 0]
    # Class 0 has the examples 0 and 2, class 1 has 1 and 3: places .75 .25 .25 .75.
    order = order_of(scores, torch.tensor([0, 1, 0, 1]), seed=0).tolist()
    assert (set(order[:2]), set(order[2:])) == ({1, 2}, {0, 3})


@pytest.mark.parametrize("labels", [None, torch.zeros(400, dtype=torch.int64)])
def test_equal_scores_come_in_a_random_order_and_not_in_that_of_the_data(labels) -> None:
    scores = torch.tensor([1.0, 0.0]).repeat_interleave(200)  # the easy half stands last
    orders = [order_of(scores, labels, seed) for seed in (1, 1, 2)]
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])
    for order in orders:
        assert set(order[:200].tolist()) == set(range(200, 400))
        # The mean of 100 of 200 numbers at random: standard deviation 4.1 around 299.5.
        assert abs(order[:100].double().mean() - 299.5) < 4 * 4.1


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
    equal=st.booleans(),
)
def test_every_prefix_keeps_the_classes_shares_and_every_class_its_order(
    sizes: list[int], seed: int, equal: bool
) -> None:
    sizes = [sizes[0]] * len(sizes) if equal else sizes
    generator = torch.Generator().manual_seed(seed)
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=generator)]
    difficulty = torch.rand(len(labels), generator=generator)
    order = balanced_order(difficulty, labels)
    assert sorted(order.tolist()) == list(range(len(labels)))
    for label, size in enumerate(sizes):
        mine = difficulty[order[labels[order] == label]]
        assert torch.equal(mine, mine.sort().values)
        counts = (labels[order] == label).cumsum(0)
        share = size / len(labels)
        fair = torch.arange(1, len(labels) + 1) * share
        # Classes of one size: within one example. Else each class is within half an example of
        # its place, and what the others are off by is shared out.
        bound = 1.0 if equal else 0.5 + 0.5 * len(sizes) * share
        assert (counts - fair).abs().max() <= bound + 1e-4

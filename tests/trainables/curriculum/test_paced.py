"""Orders by difficulty: what easy_to_hard, anti_curriculum and random_order share."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.curriculum._paced import admitted, balanced_order
from trainables.pacing.linear import Linear
from trainables.pacing.step import Step


def test_the_number_admitted_by_hand() -> None:
    pacing = Linear(start=0.2, full_at=0.5)
    # 0.2 + 0.8 x progress / 0.5, of 1000; all from half way on.
    found = [admitted(pacing, progress, 1000) for progress in (0.0, 0.125, 0.25, 0.499, 0.5, 1.0)]
    assert found == [200, 400, 600, 998, 1000, 1000]


def test_never_fewer_than_32_and_never_more_than_there_are() -> None:
    pacing = Step(start=0.0, full_at=1.0)
    assert [admitted(pacing, 0.5, total) for total in (10, 32, 33, 5000)] == [10, 32, 32, 32]


def test_balanced_order_by_hand() -> None:
    # Class 0 has 4 examples, class 1 has 2; ranks within the class, places (rank + 1/2) / size:
    # index            0     1     2     3     4     5
    difficulty = [9.0, 1.0, 3.0, 2.0, 8.0, 7.0]
    labels = [0, 0, 0, 0, 1, 1]
    # place          .875  .125  .625  .375  .75   .25
    found = balanced_order(torch.tensor(difficulty), torch.tensor(labels))
    assert found.tolist() == [1, 5, 3, 2, 4, 0]


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

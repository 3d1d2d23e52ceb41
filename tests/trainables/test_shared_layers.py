"""Layers of models whose batches are divided among ranks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.ranks.ranks import Alone
from trainables.ranks.shared_layers import share_layers


class OneOfThree(Alone):
    """A rank that works on a part of the batch; there is nobody else to ask."""

    size = 3

    def __init__(self, rank: int, items: int) -> None:
        self.rank = rank
        self.part = self.share(items), items


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Dropout(0.4), (5,)),
        (nn.Dropout(0.4, inplace=True), (4, 3)),
        (nn.Dropout1d(0.4), (4, 3)),
        (nn.Dropout2d(0.4), (4, 3, 3)),
        (nn.Dropout3d(0.4), (4, 3, 3, 3)),
    ],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_mask_is_the_part_of_the_one_that_one_rank_draws(
    layer: nn.Module, shape: tuple[int, ...], rows: int
) -> None:
    inputs = torch.rand(7 * rows, *shape) + 0.5
    torch.manual_seed(0)
    whole = layer(inputs.clone())
    assert 0 < (whole == 0).sum() < whole.numel()
    for rank, part in enumerate([slice(0, 3), slice(3, 6), slice(6, 7)]):
        shared = share_layers(nn.Sequential(layer), OneOfThree(rank, 7))
        own = slice(part.start * rows, part.stop * rows)
        torch.manual_seed(0)
        assert torch.equal(shared(inputs[own].clone()), whole[own])
        assert torch.equal(shared.eval()(inputs[own]), inputs[own])


def test_a_shared_dropout_is_still_what_models_take_it_for() -> None:
    # BERT's attention, for one, reads the probability of a layer that it never calls.
    shared = share_layers(nn.Sequential(nn.Dropout(0.3)), OneOfThree(0, 7))[0]
    assert isinstance(shared, nn.Dropout) and shared.p == 0.3
    assert shared(torch.zeros(0, 4)).shape == (0, 4)
    # A rank may pass its three examples through in parts.
    assert shared(torch.ones(2, 4)).shape == (2, 4)

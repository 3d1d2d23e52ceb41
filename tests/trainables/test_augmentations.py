from __future__ import annotations

import pytest
import torch
from torch import Tensor

from search_spaces import options
from trainables.foundation.randomness import derive_seed
from trainables.parts.augmentation import Augmentation
from trainables.parts.augmentations.none import Unchanged
from trainables.parts.augmentations.shift import Shift

KEY = derive_seed(0, "test")
PICTURE = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
IMAGES = torch.randn(40, 2, 5, 4, generator=torch.Generator().manual_seed(0))
INDICES = torch.arange(40) * 7


def told(monkeypatch, numbers: list[float]) -> None:
    """Makes every sample draw these numbers: vertical offset, horizontal offset, mirroring."""
    monkeypatch.setattr(
        "trainables.parts.augmentations.shift.keyed_uniform",
        lambda indices, key, draws: torch.tensor([numbers]).expand(len(indices), draws),
    )


# With 1 pixel each third of [0, 1) is one offset: -1, 0, 1. Output row r is row r + offset of
# the input, and rows beyond the border repeat it.
@pytest.mark.parametrize(
    ("numbers", "mirror", "expected"),
    [
        ([0.5, 0.5, 0.0], False, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ([0.9, 0.5, 0.0], False, [[4, 5, 6], [7, 8, 9], [7, 8, 9]]),
        ([0.1, 0.5, 0.0], False, [[1, 2, 3], [1, 2, 3], [4, 5, 6]]),
        ([0.5, 0.9, 0.0], False, [[2, 3, 3], [5, 6, 6], [8, 9, 9]]),
        ([0.1, 0.1, 0.0], False, [[1, 1, 2], [1, 1, 2], [4, 4, 5]]),
        ([0.5, 0.5, 0.9], False, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        ([0.5, 0.5, 0.9], True, [[3, 2, 1], [6, 5, 4], [9, 8, 7]]),
        ([0.5, 0.5, 0.1], True, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
    ],
)
def test_shifts_by_hand(monkeypatch, numbers, mirror: bool, expected) -> None:
    told(monkeypatch, numbers)
    batch = torch.stack([PICTURE, 10 * PICTURE])[:, None]
    found = Shift(pixels=1, mirror=mirror).apply(batch, torch.tensor([0, 1]), KEY)
    assert found[:, 0].tolist() == [expected, [[10 * value for value in row] for row in expected]]


@pytest.mark.parametrize("name", options(Augmentation))
def test_it_does_not_matter_how_the_batch_is_divided_or_ordered(name: str) -> None:
    augmentation = options(Augmentation)[name]()
    whole = augmentation.apply(IMAGES, INDICES, KEY)
    parts = [
        augmentation.apply(IMAGES[part], INDICES[part], KEY)
        for part in (slice(0, 13), slice(13, None))
    ]
    assert torch.equal(whole, torch.cat(parts))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(augmentation.apply(IMAGES[order], INDICES[order], KEY), whole[order])


@pytest.mark.parametrize("name", options(Augmentation))
def test_inputs_and_global_randomness_are_left_alone(name: str) -> None:
    before, state = IMAGES.clone(), torch.get_rng_state()
    found = options(Augmentation)[name]().apply(IMAGES, INDICES, KEY)
    assert torch.equal(IMAGES, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (found.shape, found.dtype, found.device) == (before.shape, before.dtype, before.device)


def test_another_key_or_index_shifts_otherwise() -> None:
    shift = Shift(pixels=2)
    found = shift.apply(IMAGES, INDICES, KEY)
    assert torch.equal(found, shift.apply(IMAGES, INDICES, KEY))
    for other in (shift.apply(IMAGES, INDICES, KEY + 1), shift.apply(IMAGES, INDICES + 1, KEY)):
        same = (found == other).flatten(1).all(1).double().mean()
        assert same < 0.25  # 1 of 25 by chance


def counted(pixels: int, mirror: bool) -> Tensor:
    """How often 20,000 samples were moved by each pair of offsets, and were mirrored."""
    side = 2 * pixels + 1
    # The value of each pixel is its place, so the middle one tells the offsets.
    size = 2 * side + 1
    places = torch.arange(size * size, dtype=torch.float32).view(1, 1, size, size)
    indices = torch.arange(20_000)
    found = Shift(pixels, mirror).apply(places.expand(20_000, -1, -1, -1), indices, KEY)
    middle = found[:, 0, side, side].long()
    down, right = middle // size - side, middle % size - side
    mirrored = (found[:, 0, side, side + 1] < found[:, 0, side, side]).long()
    return torch.bincount(
        ((down + pixels) * side + right + pixels) * 2 + mirrored, minlength=side * side * 2
    )


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_offsets_are_uniform_and_mirroring_is_fair(pixels: int) -> None:
    kinds = (2 * pixels + 1) ** 2
    for mirror in (False, True):
        counts = counted(pixels, mirror).view(kinds, 2).double()
        cells = counts.flatten() if mirror else counts[:, 0]
        assert counts.sum() == 20_000
        assert mirror or counts[:, 1].sum() == 0
        expected = 20_000 / len(cells)
        # Chi square has mean d and variance 2 d.
        chi = ((cells - expected) ** 2 / expected).sum().item()
        freedom = len(cells) - 1
        assert abs(chi - freedom) < 5 * (2 * freedom) ** 0.5


def test_which_inputs_they_suit() -> None:
    assert Shift.suits((1, 8, 8))
    assert not Shift.suits((64,))
    assert Unchanged.suits((64,)) and Unchanged.suits((3, 8, 8))


@pytest.mark.parametrize("name", options(Augmentation))
def test_it_never_waits_for_the_device(name: str) -> None:
    # On the meta device there are no values, so whatever fetched one would fail.
    batch, indices = IMAGES.to("meta"), INDICES.to("meta")
    found = options(Augmentation)[name]().apply(batch, indices, KEY)
    assert (found.device.type, found.shape) == ("meta", IMAGES.shape)

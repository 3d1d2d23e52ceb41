from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces import options
from trainables.foundation.randomness import derive_seed, keyed_normal
from trainables.parts.view import Views
from trainables.parts.views.image import OPERATIONS, ImageViews, cut_out, operate
from trainables.parts.views.vector import VectorViews

KEY = derive_seed(0, "test")
INDICES = torch.arange(40) * 7
GENERATOR = torch.Generator().manual_seed(0)
# Smooth as pictures are: with nothing but noise a shift is as great a change as any.
COARSE = torch.randn(40, 2, 3, 3, generator=GENERATOR)
INPUTS = {
    "image": F.interpolate(COARSE, (12, 10), mode="bicubic"),
    "vector": torch.randn(40, 5, generator=GENERATOR),
}
PICTURE = torch.arange(36.0).view(1, 1, 6, 6)
every_view = pytest.mark.parametrize(
    ("name", "view"), [(name, view) for name in INPUTS for view in ("weak", "strong")]
)


def seen(name: str, view: str, inputs: Tensor, indices: Tensor, key: int = KEY) -> Tensor:
    return getattr(options(Views)[name](), view)(inputs, indices, key)


def test_every_pair_is_checked_here() -> None:
    assert set(INPUTS) == set(options(Views))


@every_view
def test_it_does_not_matter_how_the_batch_is_divided_or_ordered(name: str, view: str) -> None:
    inputs = INPUTS[name]
    whole = seen(name, view, inputs, INDICES)
    parts = [
        seen(name, view, inputs[part], INDICES[part]) for part in (slice(0, 13), slice(13, None))
    ]
    torch.testing.assert_close(whole, torch.cat(parts))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(seen(name, view, inputs[order], INDICES[order]), whole[order])


@every_view
def test_inputs_and_global_randomness_are_left_alone(name: str, view: str) -> None:
    inputs = INPUTS[name]
    before, state = inputs.clone(), torch.get_rng_state()
    found = seen(name, view, inputs, INDICES)
    assert torch.equal(inputs, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (found.shape, found.dtype) == (before.shape, before.dtype)
    assert torch.isfinite(found).all()


@every_view
def test_the_key_and_the_index_decide(name: str, view: str) -> None:
    found = seen(name, view, INPUTS[name], INDICES)
    assert torch.equal(found, seen(name, view, INPUTS[name], INDICES))
    for other in (
        seen(name, view, INPUTS[name], INDICES, KEY + 1),
        seen(name, view, INPUTS[name], INDICES + 1),
    ):
        assert (found == other).flatten(1).all(1).double().mean() < 0.3


@every_view
def test_it_never_waits_for_the_device(name: str, view: str) -> None:
    # On the meta device there are no values, so whatever fetched one would fail.
    found = seen(name, view, INPUTS[name].to("meta"), INDICES.to("meta"))
    assert (found.device.type, found.shape) == ("meta", INPUTS[name].shape)


@pytest.mark.parametrize("name", INPUTS)
def test_the_strong_view_is_further_from_the_inputs(name: str) -> None:
    weak, strong = (
        (seen(name, view, INPUTS[name], INDICES) - INPUTS[name]).square().mean()
        for view in ("weak", "strong")
    )
    assert strong > 1.2 * weak


def operated(operation: str, magnitude: float, picture: Tensor = PICTURE) -> Tensor:
    number = torch.tensor([OPERATIONS.index(operation)])
    return operate(picture, number, torch.tensor([magnitude]))


def test_operations_by_hand() -> None:
    assert torch.equal(operated("identity", 1.0), PICTURE)
    torch.testing.assert_close(operated("brightness", -0.5), PICTURE - 0.5)
    # Around the mean, 17.5; 0.9 of the contrast is taken away.
    torch.testing.assert_close(operated("contrast", -1.0), 17.5 + 0.1 * (PICTURE - 17.5))
    assert len(operated("posterize", 1.0).unique()) == 3
    # 0.6 of half the side of 6 pixels is 1.8 pixels: 5/9 of that is one.
    right = operated("translate_x", 5 / 9)
    torch.testing.assert_close(right[..., :-1], PICTURE[..., 1:])
    torch.testing.assert_close(right[..., -1], PICTURE[..., -1])
    down = operated("translate_y", 5 / 9)
    torch.testing.assert_close(down[..., :-1, :], PICTURE[..., 1:, :])


def test_turning_and_shearing_leave_the_middle_and_move_the_rest() -> None:
    for operation in ("rotate", "shear_x", "shear_y"):
        one, other = operated(operation, 1.0), operated(operation, -1.0)
        # The picture turned by half is 35 minus itself, and so it stays.
        torch.testing.assert_close(one.flip(2, 3), 35.0 - one)
        assert not torch.allclose(one, other)
        assert not torch.allclose(one, PICTURE)


def test_each_image_has_its_own_operation() -> None:
    batch = PICTURE.expand(len(OPERATIONS), -1, -1, -1)
    numbers = torch.arange(len(OPERATIONS))
    found = operate(batch, numbers, torch.full((len(OPERATIONS),), 0.7))
    for number, name in enumerate(OPERATIONS):
        torch.testing.assert_close(found[number : number + 1], operated(name, 0.7))
    assert not any(torch.equal(a, b) for a, b in combinations(found, 2))


def test_the_hole_by_hand() -> None:
    holed = cut_out(torch.ones(1, 2, 4, 4), torch.tensor([[0.5, 0.25]]), torch.tensor([0.5]))
    expected = torch.ones(4, 4)
    expected[1:3, 0:2] = 0.0
    assert torch.equal(holed, expected.expand(1, 2, 4, 4))
    whole = torch.ones(1, 2, 4, 4)
    assert torch.equal(cut_out(whole, torch.tensor([[0.5, 0.5]]), torch.tensor([0.0])), whole)


def test_normal_numbers_are_normal_and_finite() -> None:
    drawn = keyed_normal(torch.arange(200_000), KEY, 2)
    assert torch.isfinite(drawn).all()
    assert abs(drawn.mean()) < 0.01 and abs(drawn.std() - 1.0) < 0.01
    assert abs((drawn.abs() < 1.0).double().mean() - 0.6827) < 0.005
    assert abs((drawn[:, 0] * drawn[:, 1]).mean()) < 0.01


def test_noise_and_left_out_features_are_as_many_as_said() -> None:
    inputs, indices = torch.full((20_000, 4), 3.0), torch.arange(20_000)
    views = VectorViews(weak_noise=0.1, strong_noise=0.5, left_out=0.3)
    assert abs((views.weak(inputs, indices, KEY) - 3.0).std() - 0.1) < 0.01
    strong = views.strong(inputs, indices, KEY)
    assert abs((strong == 0.0).double().mean() - 0.3) < 0.01
    assert abs((strong[strong != 0.0] - 3.0).std() - 0.5) < 0.01


def test_which_inputs_they_suit() -> None:
    assert ImageViews.suits((1, 8, 8)) and not ImageViews.suits((64,))
    assert VectorViews.suits((64,)) and not VectorViews.suits((3, 8, 8))

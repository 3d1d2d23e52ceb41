from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from search_spaces import InputError
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.curriculum_by_smoothing import (
    SIGMA,
    CurriculumBySmoothing,
    convolutions,
    gaussian,
    sigma_at,
)

EXAMPLES = TensorExamples(torch.zeros(4, 1, 6, 6), torch.arange(4) % 2)


class Block(nn.Module):
    """A residual block, as in networks where CurML smooths one convolution of twenty."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"first": nn.Conv2d(2, 2, 3, padding=1)})
        self.second = nn.Sequential(nn.ReLU(), nn.Conv2d(2, 2, 1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs + self.second(self.layers["first"](inputs))


def deep() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), Block(), nn.Sequential(Block()))


@pytest.mark.parametrize(
    ("epoch", "power"), [(0, 0), (4, 0), (5, 1), (10, 2), (15, 3), (100, 20), (199, 39)]
)
def test_the_width_at_each_of_two_hundred_epochs(epoch: int, power: int) -> None:
    assert sigma_at(1.0, 0.9, epoch / 200) == pytest.approx(0.9**power)


def test_the_kernel_by_hand() -> None:
    # e^-1/2 = 0.606531, 1, 0.606531, over their sum 2.213061.
    row = [0.274069, 0.451863, 0.274069]
    expected = torch.tensor([[a * b for a in row] for b in row])
    torch.testing.assert_close(gaussian(torch.tensor(1.0)), expected, rtol=0, atol=1e-6)
    delta = torch.zeros(3, 3)
    delta[1, 1] = 1.0
    assert torch.equal(gaussian(torch.tensor(0.05)), delta)


def test_the_maps_of_a_convolution_are_smoothed_one_by_one() -> None:
    model = nn.Conv2d(1, 2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([1.0, -3.0]).view(2, 1, 1, 1))
    CurriculumBySmoothing().model_prepare(model, EXAMPLES, 0)
    point = torch.zeros(1, 1, 5, 5)
    point[0, 0, 2, 2] = 1.0
    kernel = gaussian(torch.tensor(1.0))
    found = model(point)
    torch.testing.assert_close(found[0, 0, 1:4, 1:4], kernel)
    torch.testing.assert_close(found[0, 1, 1:4, 1:4], -3.0 * kernel)


def test_every_convolution_is_reached_however_deep() -> None:
    model = deep()
    assert len(convolutions(model)) == 5
    algorithm = CurriculumBySmoothing()
    algorithm.model_prepare(model, EXAMPLES, 0)
    algorithm.model_prepare(model, EXAMPLES, 0)  # twice is as good as once
    assert all(len(each._forward_hooks) == 1 for each in convolutions(model))
    algorithm.model_curriculum(model, 0.5)
    widths = [value for name, value in model.state_dict().items() if name.endswith(SIGMA)]
    assert [width.item() for width in widths] == pytest.approx([0.9**20] * 5)
    twin = copy.deepcopy(model)
    algorithm.model_curriculum(twin, 0.0)
    assert twin[0].get_buffer(SIGMA) == 1.0 != model[0].get_buffer(SIGMA)
    inputs = torch.randn(2, 1, 6, 6)
    assert not torch.equal(twin(inputs), model(inputs))


@pytest.mark.parametrize("model", [nn.Linear(4, 2), nn.Sequential(nn.Conv1d(1, 1, 3))])
def test_a_model_without_convolutions_is_refused(model: nn.Module) -> None:
    # CurBench trains a vision transformer as if nothing were wrong, which is plain training.
    with pytest.raises(InputError, match=r"'curriculum_by_smoothing' .* no torch.nn.Conv2d"):
        CurriculumBySmoothing().model_prepare(model, EXAMPLES, 0)


def test_with_no_width_it_is_the_baseline(make_learner, take_steps, assert_equal) -> None:
    changes = {"schedule": "constant"}
    smoothed, plain = (
        make_learner("curriculum", name, "cnn", changes=changes)
        for name in ("curriculum_by_smoothing", "plain")
    )
    smoothed.algorithm.__dict__["start"] = 1e-2
    for learner in (smoothed, plain):
        take_steps(learner, 15)
    weights = smoothed.model.state_dict()
    assert {name for name in weights if name.endswith(SIGMA)} == {f"0.{SIGMA}"}
    del weights[f"0.{SIGMA}"]
    assert_equal(dict(weights), dict(plain.model.state_dict()))


def test_the_best_epoch_is_evaluated_at_its_own_width(make_learner) -> None:
    learner = make_learner("curriculum", "curriculum_by_smoothing", "cnn", horizon=8.0)
    learner.advance(8.0)
    assert learner.best
    assert learner.current_weights()[f"0.{SIGMA}"] < learner.best[f"0.{SIGMA}"]
    before = learner.evaluate()
    learner.load_weights(learner.weights())
    assert learner.evaluate() == before


def test_smoothing_takes_fine_detail_away() -> None:
    model = nn.Conv2d(1, 1, 1)
    CurriculumBySmoothing().model_prepare(model, EXAMPLES, 0)
    rows = torch.arange(12) % 2 * 2.0 - 1.0
    fine = rows.view(1, 1, 12, 1).expand(1, 1, 12, 12)
    bare = model.weight.item()
    inner = (model(fine) - model.bias).detach()[..., 2:-2, 2:-2] / bare
    # Each row keeps 0.451863 of itself and takes 2 x 0.274069 of its opposites.
    expected = (0.451863 - 2 * 0.274069) * fine[..., 2:-2, 2:-2]
    torch.testing.assert_close(inner, expected, rtol=1e-4, atol=1e-5)
    assert math.isclose(inner.abs().max().item(), 0.096275, rel_tol=1e-3)

from __future__ import annotations

import pytest
import torch
from torch import nn

from search_spaces import InputError
from trainables.curriculum.efficient_train import (
    AtLowResolution,
    EfficientTrain,
    low_frequencies,
    resolution,
)
from trainables.models.cnn import CNN
from trainables.tensors import TensorExamples

IMAGES = TensorExamples(torch.zeros(6, 1, 28, 28), torch.arange(6) % 2)


@pytest.mark.parametrize(
    ("epoch", "pixels"), [(0, 160), (119, 160), (120, 192), (159, 192), (160, 224), (200, 224)]
)
def test_the_papers_resolutions_at_its_epochs(epoch: int, pixels: int) -> None:
    assert round(224 * resolution(epoch / 200)) == pixels


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6, 7, 9, 13, 300])
def test_a_training_of_any_length_ends_at_full_size(epochs: int) -> None:
    # CurBench divides by zero below 5 epochs, and runs out of stages where 5 does not divide them.
    model, algorithm = CNN(width=2).build((1, 28, 28), 2), EfficientTrain()
    seen = [algorithm.model_curriculum(model, epoch / epochs) for epoch in range(epochs + 1)]
    assert seen[-1] is model
    assert isinstance(seen[0], AtLowResolution)
    assert all(each(IMAGES.inputs).shape == (6, 2) for each in seen)


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (7, 9), (224, 160), (1, 5)])
def test_sizes_are_scaled_to_the_image(shape: tuple[int, int]) -> None:
    found = low_frequencies(torch.zeros(2, 3, *shape), 160 / 224)
    assert found.shape == (2, 3, *(max(1, round(side * 160 / 224)) for side in shape))


def test_a_low_wave_is_kept_and_a_high_one_is_gone() -> None:
    # cos(2 pi k x / 28) sampled at 20 places is cos(2 pi k x / 20) as long as k < 10.
    for k, kept in ((0, 1.0), (3, 1.0), (9, 1.0), (11, 0.0), (13, 0.0)):
        wave = torch.cos(2 * torch.pi * k * torch.arange(28) / 28).expand(1, 1, 28, 28)
        expected = kept * torch.cos(2 * torch.pi * k * torch.arange(20) / 20)
        found = low_frequencies(wave, 20 / 28)
        torch.testing.assert_close(found, expected.expand(1, 1, 20, 20), rtol=0, atol=1e-5)


def test_at_full_size_images_are_what_they_were() -> None:
    images = torch.randn(2, 3, 9, 12)
    torch.testing.assert_close(low_frequencies(images, 1.0), images, rtol=0, atol=1e-5)


def test_means_are_kept() -> None:
    images = torch.randn(3, 2, 28, 28)
    found = low_frequencies(images, 160 / 224)
    torch.testing.assert_close(found.mean((2, 3)), images.mean((2, 3)), rtol=0, atol=1e-5)


def test_steps_at_low_resolution_cost_less(make_learner) -> None:
    changes = {"training.selection": "last", "model.cnn.width": 32}
    learner = make_learner("curriculum", "efficient_train", "cnn", changes=changes, horizon=9.0)
    plain = make_learner("curriculum", "plain", "cnn", changes=changes, horizon=9.0)
    for each in (learner, plain):
        each.advance(9.0)
    costs = list(learner.state_dict()["step_flops"].values())
    (full,) = plain.state_dict()["step_flops"].values()
    assert len(costs) == 3
    assert costs[0] < costs[1] < costs[2] == full
    # 4 and 5 of 6 pixels each way: 16/36 = 0.44 and 25/36 = 0.69, and what the transforms cost.
    assert 16 / 36 < costs[0] / full < 0.52
    assert 25 / 36 < costs[1] / full < 0.77
    steps = [each.epoch * each.steps_per_epoch + each.step_in_epoch for each in (learner, plain)]
    assert steps[0] > 1.3 * steps[1], "what is saved is trained on"


def test_on_images_of_fashion_mnists_size_the_transforms_cost_little() -> None:
    from trainables.flops import FlopCounter

    model = CNN().build((1, 28, 28), 10)
    costs = []
    for progress in (0.0, 0.7, 0.9):
        with FlopCounter() as counter:
            taught = EfficientTrain().model_curriculum(model, progress)
            taught(torch.zeros(8, 1, 28, 28)).sum().backward()
        costs.append(counter.total)
    # (20 / 28)^2 = 0.51 and (24 / 28)^2 = 0.73.
    assert costs[0] / costs[2] == pytest.approx(0.51, abs=0.03)
    assert costs[1] / costs[2] == pytest.approx(0.73, abs=0.03)


@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), nn.Sequential(nn.Linear(28, 2))]
)
def test_a_model_of_one_size_is_refused_before_it_is_trained(model: nn.Module) -> None:
    algorithm = EfficientTrain()
    with pytest.raises(InputError, match=r"'efficient_train' cannot .* no images of another size"):
        algorithm.data_curriculum(IMAGES, model, 0.0, 0)
    assert "(20x20: " in algorithm.unsuited(model, (1, 28, 28))


def test_what_is_evaluated_is_the_model_on_whole_images(make_learner) -> None:
    changes = {"training.selection": "last"}
    learner = make_learner("curriculum", "efficient_train", "cnn", changes=changes, horizon=4.0)
    learner.advance(1.0)
    assert isinstance(learner.in_training, AtLowResolution)
    assert learner.in_training.model is learner.model
    found, validation = learner.evaluate(), learner.data.validation
    with torch.no_grad():
        answers = learner.model.eval()(validation.inputs).argmax(1)
    accuracy = (answers == validation.labels).float().mean().item()
    assert found["accuracy"] == pytest.approx(accuracy)

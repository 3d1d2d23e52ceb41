from __future__ import annotations

import pytest
import torch
from torch import nn

from search_spaces import InputError
from trainables.learning.tensors import TensorExamples
from trainables.parts.models.cnn import CNN
from trainables.scenarios.curriculum.algorithms.efficient_train import (
    EfficientTrain,
    Staged,
    low_frequencies,
    rand_augmented,
    resolution,
    strength,
)

IMAGES = TensorExamples(torch.zeros(6, 1, 28, 28), torch.arange(6) % 2)


@pytest.mark.parametrize(
    ("epoch", "pixels"), [(0, 160), (119, 160), (120, 192), (159, 192), (160, 224), (200, 224)]
)
def test_the_papers_resolutions_at_its_epochs(epoch: int, pixels: int) -> None:
    assert round(224 * resolution(epoch / 200)) == pixels


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6, 7, 9, 13, 300])
def test_a_training_of_any_length_ends_at_full_size(epochs: int) -> None:
    # CurBench divides by zero below 5 epochs, and runs out of stages where 5 does not divide them.
    model = CNN(width=2).build((1, 28, 28), 2)
    algorithm = EfficientTrain(randaugment=False)
    seen = [algorithm.model_curriculum(model, epoch / epochs) for epoch in range(epochs + 1)]
    assert seen[-1] is model
    assert isinstance(seen[0], Staged)
    assert all(each(IMAGES.inputs).shape == (6, 2) for each in seen)


def test_the_papers_magnitudes_by_the_fifth() -> None:
    found = [strength(epoch / 300) for epoch in (0, 59, 60, 120, 180, 239, 240, 299, 300)]
    assert found == [1, 1, 3, 5, 7, 7, 9, 9, 9]


def test_images_are_augmented_ever_more_each_by_itself() -> None:
    images = torch.randn(400, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    indices = torch.arange(400)
    changes = []
    for magnitude in (1, 5, 9):
        found = rand_augmented(images, indices, magnitude, key=3)
        changed = ((found - images).abs() > 1e-5).flatten(1).any(1)
        # Each operation is left out half of the time, or is nothing in one case of nine: 0.31.
        assert 0.2 < (~changed).double().mean() < 0.42
        changes.append((found - images).abs().mean())
        # Whoever holds an image, in whatever batch, it is changed alike.
        some = rand_augmented(images[70:90], indices[70:90], magnitude, key=3)
        assert torch.equal(some, found[70:90])
    assert changes[0] < changes[1] < changes[2]
    other = rand_augmented(images, indices, 9, key=4)
    assert not torch.equal(other, rand_augmented(images, indices, 9, key=3))


def test_images_are_augmented_in_training_alone() -> None:
    algorithm, model = EfficientTrain(), CNN(width=2).build((1, 28, 28), 2)
    algorithm.model_prepare(model, IMAGES, 0)
    algorithm.tell(indices=torch.arange(6), key=1)
    seen = algorithm.model_curriculum(model, 0.9)
    images = torch.randn(6, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(seen.eval()(images), model.eval()(images))
        assert not torch.equal(seen.train()(images), model.train()(images))


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
    assert learner.taken > 1.3 * plain.taken, "what is saved is trained on"


def test_on_images_of_fashion_mnists_size_the_transforms_cost_little() -> None:
    from trainables.learning.flops import FlopCounter

    model = CNN().build((1, 28, 28), 10)
    costs = []
    for progress in (0.0, 0.7, 0.9):
        with FlopCounter() as counter:
            taught = EfficientTrain(randaugment=False).model_curriculum(model, progress)
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
    assert isinstance(learner.in_training, Staged)
    assert learner.in_training.model is learner.model
    found, validation = learner.evaluate(), learner.data.validation
    with torch.no_grad():
        answers = learner.model.eval()(validation.inputs).argmax(1)
    accuracy = (answers == validation.labels).float().mean().item()
    assert found["accuracy"] == pytest.approx(accuracy)

"""Episodes: which classes and examples they hold, and that seeds decide them."""

from __future__ import annotations

import math

import pytest
import torch

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.meta_learning.episodes import (
    ClassTasks,
    EpisodeShape,
    FixedEpisodes,
    rotated,
)
from trainables.scenarios.meta_learning.sinusoids import SinusoidTasks

CLASSES, EACH, TASKS = 12, 7, 50
SHAPE = EpisodeShape(ways=5, shots=2, queries=3)


def tasks_of(rotations: int = 1) -> ClassTasks:
    """Images whose first row says which example it is; the numbers of examples are unequal."""
    labels = torch.arange(CLASSES).repeat_interleave(EACH)[:-2]
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    inputs = torch.zeros(len(labels), 1, 4, 4)
    inputs[:, 0, 0] = torch.arange(len(labels), dtype=torch.float32)[:, None] + 1.0
    return ClassTasks(TensorExamples(inputs, labels), SHAPE.ways, rotations)


def drawn(rotations: int = 1, seed: int = 3, count: int = TASKS, start: int = 0):
    return tasks_of(rotations).episodes(torch.arange(start, start + count), SHAPE, seed)


def identity(images: torch.Tensor) -> torch.Tensor:
    """Which example an image is, however it is turned."""
    return images.amax((-3, -2, -1)).long() - 1


def turns(images: torch.Tensor) -> torch.Tensor:
    """How often an image was turned by 90 degrees, from where its marked row is now."""
    marked = torch.stack(
        [images[..., 0, 0, :], images[..., 0, :, 0], images[..., 0, -1, :], images[..., 0, :, -1]],
        -2,
    )
    return (marked > 0).all(-1).long().argmax(-1)


def test_classes_are_distinct_and_support_and_query_disjoint() -> None:
    tasks, episodes = tasks_of(), drawn()
    for task in range(TASKS):
        known, unknown = (
            identity(part.inputs[task]) for part in (episodes.support, episodes.query)
        )
        assert len(set(known.tolist() + unknown.tolist())) == SHAPE.examples
        targets = torch.cat([episodes.support.targets[task], episodes.query.targets[task]])
        labels = tasks.labels[torch.cat([known, unknown])]
        pairs = {(int(target), int(label)) for target, label in zip(targets, labels, strict=True)}
        assert len(pairs) == len({target for target, _ in pairs}) == SHAPE.ways
        assert len({label for _, label in pairs}) == SHAPE.ways
    assert torch.equal(
        episodes.support.targets.sort(1).values[0], torch.arange(5).repeat_interleave(2)
    )


def test_every_class_and_example_gets_its_turn_about_equally_often() -> None:
    tasks = tasks_of()
    episodes = drawn(count=4000)
    seen = tasks.labels[identity(episodes.query.inputs)].flatten().bincount(minlength=CLASSES)
    expected = 4000 * 15 / CLASSES
    assert (seen / expected - 1).abs().max() < 0.1


def test_support_is_in_random_order() -> None:
    targets = drawn(count=500).support.targets
    shares = torch.stack([(targets[:, place] == 0).float().mean() for place in range(10)])
    assert (shares - 0.2).abs().max() < 0.08


def test_rotation_is_decided_per_class_never_per_image() -> None:
    tasks, episodes = tasks_of(rotations=4), drawn(rotations=4)
    found = set()
    for task in range(TASKS):
        images = torch.cat([episodes.support.inputs[task], episodes.query.inputs[task]])
        targets = torch.cat([episodes.support.targets[task], episodes.query.targets[task]])
        turned, labels = turns(images), tasks.labels[identity(images)]
        for way in range(SHAPE.ways):
            assert len(set(turned[targets == way].tolist())) == 1
            assert len(set(labels[targets == way].tolist())) == 1
            found.add(int(turned[targets == way][0]))
        pairs = set(zip(labels.tolist(), turned.tolist(), strict=True))
        assert len(pairs) == SHAPE.ways, "turned classes are classes of their own"
    assert found == {0, 1, 2, 3}
    assert tasks.classes == 4 * CLASSES


def test_an_example_outside_tasks_has_the_label_of_its_turned_class() -> None:
    tasks = tasks_of(rotations=4)
    indices = torch.arange(tasks.examples)
    inputs, targets = tasks.batch(indices, seed=1)
    assert torch.equal(targets, tasks.labels * 4 + turns(inputs))
    assert len(set(turns(inputs).tolist())) == 4


def test_rotating_equals_rot90() -> None:
    images = torch.randn(4, 2, 3, 5, 5)
    result = rotated(images, torch.arange(4)[:, None])
    for quarter in range(4):
        assert torch.equal(result[quarter], torch.rot90(images[quarter], quarter, (-2, -1)))


@pytest.mark.parametrize("rotations", [1, 4])
def test_the_same_seed_gives_the_same_episode_in_whatever_company(rotations: int) -> None:
    whole, part = drawn(rotations), drawn(rotations, start=20, count=5)
    other = drawn(rotations, seed=4)
    assert torch.equal(whole.support.inputs[20:25], part.support.inputs)
    assert torch.equal(whole.query.inputs[20:25], part.query.inputs)
    assert torch.equal(whole.support.targets[20:25], part.support.targets)
    assert not torch.equal(whole.query.inputs, other.query.inputs)


def test_fixed_episodes_do_not_depend_on_their_chunks() -> None:
    fixed = FixedEpisodes(tasks_of(4), SHAPE, 30, seed=9)
    small, large = (
        torch.cat([e.query.inputs for e in fixed.own_chunks(size)]) for size in (60, 10_000)
    )
    assert len(small) == 30
    assert torch.equal(small, large)


def test_sinusoids_are_those_of_the_paper() -> None:
    shape = EpisodeShape(1, 10, 15)
    episodes = SinusoidTasks(torch.device("cpu")).episodes(torch.arange(2000), shape, 0)
    assert episodes.support.inputs.shape == (2000, 10, 1)
    x = torch.cat([episodes.support.inputs, episodes.query.inputs], 1).double()
    y = torch.cat([episodes.support.targets, episodes.query.targets], 1).double()
    assert (x.min() >= -5) and (x.max() <= 5) and x.std() == pytest.approx(10 / 12**0.5, rel=0.02)
    # y = c sin x - s cos x with c = a cos b and s = a sin b, fitted to each task.
    terms = torch.cat([x.sin(), -x.cos()], 2)
    fitted = torch.linalg.lstsq(terms, y).solution
    assert (terms @ fitted - y).abs().max() < 1e-4
    amplitudes = fitted.square().sum((1, 2)).sqrt()
    phases = torch.atan2(fitted[:, 1, 0], fitted[:, 0, 0])
    assert 0.1 <= amplitudes.min() < 0.15 and 4.95 < amplitudes.max() <= 5.0001
    assert amplitudes.mean() == pytest.approx(2.55, abs=0.1)
    assert -1e-3 < phases.min() < 0.05 and math.pi - 0.05 < phases.max() < math.pi + 1e-3

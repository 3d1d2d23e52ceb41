"""ProtoNet and SimpleShot on cases worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables.learning.flops import FlopCounter
from trainables.learning.tensors import TensorExamples
from trainables.parts.models.mlp import MLP
from trainables.scenarios.meta_learning.algorithms.protonet import ProtoNet
from trainables.scenarios.meta_learning.algorithms.simple_shot import SimpleShot, least_squares
from trainables.scenarios.meta_learning.episodes import ClassTasks, EpisodeShape, Labelled
from trainables.scenarios.meta_learning.meta_learner import TrainingStep
from trainables.scenarios.meta_learning.problems import Classification, Regression

# One task of two classes with two shots each, in no order: means (1, 0) and (0, 2).
SUPPORT = Labelled(
    torch.tensor([[[0.0, 0.0], [-1.0, 2.0], [2.0, 0.0], [1.0, 2.0]]]), torch.tensor([[0, 1, 0, 1]])
)
QUERIES = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])


def test_protonet_is_the_softmax_over_squared_distances_to_class_means() -> None:
    logits = ProtoNet().predict(nn.Identity(), Classification(2), SUPPORT, QUERIES, None)
    assert torch.equal(logits, torch.tensor([[[-1.0, -2.0], [-1.0, -4.0]]]))
    shares = logits.softmax(2)
    assert shares[0, 0, 0].item() == pytest.approx(1 / (1 + math.exp(-1)))
    assert shares[0, 1, 0].item() == pytest.approx(1 / (1 + math.exp(-3)))
    losses = Classification(2).losses(logits, torch.tensor([[0, 1]]))
    assert losses[0].tolist() == pytest.approx(
        [math.log(1 + math.exp(-1)), 3 + math.log(1 + math.exp(-3))]
    )


def tasks_of(classes: int) -> ClassTasks:
    labels = torch.arange(classes).repeat(10)
    inputs = torch.randn(len(labels), 6, generator=torch.Generator().manual_seed(0))
    return ClassTasks(TensorExamples(inputs, labels), 2, 1)


@pytest.mark.parametrize(("classes", "ways"), [(12, 7), (4, 4)])
def test_protonet_trains_with_more_ways_where_there_are_classes(classes: int, ways: int) -> None:
    tasks, algorithm, asked = tasks_of(classes), ProtoNet(ways=7), []
    step = TrainingStep(tasks, EpisodeShape(2, 1, 3), torch.arange(8), 0)
    draw = tasks.episodes

    def noted(indices, shape, seed):
        asked.append(shape.ways)
        return draw(indices, shape, seed)

    tasks.episodes = noted
    algorithm.loss(algorithm.build(MLP(width=8), tasks), step).backward()
    assert asked == [ways]


def test_simple_shot_centres_normalises_and_takes_the_nearest_centroid() -> None:
    network = nn.Sequential(nn.Identity(), nn.Linear(2, 9))
    centre = torch.tensor([1.0, 0.0])
    support = Labelled(torch.tensor([[[3.0, 0.0], [1.0, 5.0]]]), torch.tensor([[0, 1]]))
    # Less the centre these are (10, 1) and (0.1, 1): of other lengths, but near in direction.
    queries = torch.tensor([[[11.0, 1.0], [1.1, 1.0]]])
    logits = SimpleShot().predict(network, Classification(2), support, queries, centre)
    long, short = math.hypot(10, 1), math.hypot(0.1, 1)
    expected = [
        [2 * 10 / long - 2, 2 * 1 / long - 2],
        [2 * 0.1 / short - 2, 2 * 1 / short - 2],
    ]
    torch.testing.assert_close(logits[0], torch.tensor(expected))
    assert logits[0].argmax(1).tolist() == [0, 1]


def test_simple_shots_centre_is_the_mean_training_feature() -> None:
    tasks = tasks_of(5)
    network = nn.Sequential(nn.Identity(), nn.Linear(6, 5))
    assert torch.allclose(SimpleShot().context(network, tasks), tasks.inputs.mean(0), atol=1e-6)


def test_simple_shot_is_trained_by_cross_entropy_over_all_training_classes() -> None:
    tasks = tasks_of(5)
    algorithm = SimpleShot()
    network = algorithm.build(MLP(width=8), tasks)
    indices = torch.tensor([3, 0, 12])
    step = TrainingStep(tasks, EpisodeShape(2, 1, 3), indices, 0)
    plain = nn.functional.cross_entropy(network(tasks.inputs[indices]), tasks.labels[indices])
    torch.testing.assert_close(algorithm.loss(network, step), plain)


def test_least_squares_in_its_dual_form_is_that_of_the_textbook() -> None:
    generator = torch.Generator().manual_seed(0)
    known, unknown = (torch.randn(3, n, 4, generator=generator).double() for n in (6, 5))
    targets = torch.randn(3, 6, 1, generator=generator).double()
    found = least_squares(known, targets, unknown, ridge=0.7)
    for task in range(3):
        centred = known[task] - known[task].mean(0)
        normal = centred.T @ centred + 0.7 * torch.eye(4).double()
        weights = torch.linalg.inv(normal) @ centred.T @ (targets[task] - targets[task].mean())
        expected = (unknown[task] - known[task].mean(0)) @ weights + targets[task].mean()
        torch.testing.assert_close(found[task], expected)


def test_the_passes_of_a_prediction_are_counted() -> None:
    network = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 9))
    with FlopCounter() as counter:
        SimpleShot().predict(
            network,
            Regression(),
            Labelled(SUPPORT.inputs, SUPPORT.inputs[..., :1]),
            QUERIES,
            torch.zeros(3),
        )
    assert counter.total >= 2 * 6 * 2 * 3

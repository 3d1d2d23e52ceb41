"""The recurrent learner: what it sees when, and that it learns."""

from __future__ import annotations

import pytest
import torch

from trainables.learning.flops import FlopCounter
from trainables.learning.tensors import TensorExamples
from trainables.parts.models.mlp import MLP
from trainables.scenarios.meta_learning.algorithms.lstm_learner import LSTMLearner, SequenceNetwork
from trainables.scenarios.meta_learning.episodes import ClassTasks, EpisodeShape
from trainables.scenarios.meta_learning.meta_learner import TrainingStep
from trainables.scenarios.meta_learning.problems import Classification
from trainables.scenarios.meta_learning.sinusoids import SinusoidTasks

STEPS, QUERIES = 5, 4


@pytest.fixture
def network() -> SequenceNetwork:
    torch.manual_seed(0)
    return SequenceNetwork(MLP(width=8).build((6,), 64), 3, 16).eval()


def sequence() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    support, queries = (torch.randn(2, n, 6, generator=generator) for n in (STEPS, QUERIES))
    return support, torch.randint(0, 3, (2, STEPS), generator=generator), queries


@pytest.mark.parametrize("step", range(STEPS))
def test_every_target_of_the_support_counts_for_every_query(network, step: int) -> None:
    support, labels, queries = sequence()
    encode = Classification(3).encode
    before = network(support, encode(labels), queries)
    changed = labels.clone()
    changed[:, step] = (changed[:, step] + 1) % 3
    after = network(support, encode(changed), queries)
    assert before.shape == (2, QUERIES, 3)
    assert ((before - after).abs().amax(2) > 1e-6).all()


def test_a_query_is_predicted_from_the_support_alone(network) -> None:
    support, labels, queries = sequence()
    encoded = Classification(3).encode(labels)
    whole = network(support, encoded, queries)
    for query in range(QUERIES):
        alone = network(support, encoded, queries[:, query : query + 1])
        torch.testing.assert_close(alone, whole[:, query : query + 1])


def test_the_cell_is_that_of_torch(network) -> None:
    cell = torch.nn.LSTMCell(64 + 3, 16)
    inputs, state = torch.randn(2, 67), (torch.randn(2, 16), torch.randn(2, 16))
    # Torch's order is write, keep, candidate, read as well; our forget gate has 1 added.
    with torch.no_grad():
        cell.weight_ih.copy_(network.gates.weight[:, :67])
        cell.weight_hh.copy_(network.gates.weight[:, 67:])
        cell.bias_ih.copy_(network.gates.bias)
        cell.bias_hh.zero_()
        cell.bias_hh[16:32] = 1.0
    ours, theirs = network._cell(inputs, state), cell(inputs, state)
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], theirs[1])


def test_its_compute_is_counted(network) -> None:
    support, labels, queries = sequence()
    with FlopCounter() as counter:
        network(support, Classification(3).encode(labels), queries)
    examples = 2 * (STEPS + QUERIES)
    encoder = 6 * 8 + 8 * 8 + 8 * 64
    assert (
        counter.total
        == 2 * examples * (encoder + (64 + 3 + 16) * 4 * 16) + 2 * 2 * QUERIES * 16 * 3
    )


def test_it_learns_sinusoids() -> None:
    torch.manual_seed(0)
    tasks, algorithm = SinusoidTasks(torch.device("cpu")), LSTMLearner(hidden=32)
    shape = EpisodeShape(1, 10, 10)
    network = algorithm.build(MLP(width=32), tasks)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    losses = []
    for seed in range(600):
        step = TrainingStep(tasks, shape, torch.arange(25 * shape.examples), seed)
        episodes = tasks.episodes(torch.arange(25), shape, seed)
        optimizer.zero_grad()
        algorithm.loss(network, step).backward()
        optimizer.step()
        with torch.no_grad():
            outputs = algorithm.predict(
                network, tasks.problem, episodes.support, episodes.query.inputs, None
            )
        losses.append(tasks.problem.losses(outputs, episodes.query.targets).mean().item())
    assert sum(losses[-50:]) < 0.7 * sum(losses[:50])


def test_it_learns_to_tell_new_classes_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    centres, labels = torch.randn(300, 8, generator=generator), torch.arange(300).repeat(10)
    inputs = centres[labels] + 0.2 * torch.randn(3000, 8, generator=generator)
    known = labels < 200
    training, new = (
        ClassTasks(TensorExamples(inputs[part], labels[part] - first), 2, 1)
        for part, first in ((known, 0), (~known, 200))
    )
    torch.manual_seed(0)
    algorithm, shape = LSTMLearner(hidden=64), EpisodeShape(2, 1, 4)
    network = algorithm.build(MLP(width=32, depth=1), training)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for seed in range(250):
        step = TrainingStep(training, shape, torch.arange(32 * shape.examples), seed)
        optimizer.zero_grad()
        algorithm.loss(network, step).backward()
        optimizer.step()
    episodes = new.episodes(torch.arange(200), shape, 0)
    with torch.no_grad():
        outputs = algorithm.predict(
            network, new.problem, episodes.support, episodes.query.inputs, None
        )
    assert new.problem.scores(outputs, episodes.query.targets).mean() > 0.8

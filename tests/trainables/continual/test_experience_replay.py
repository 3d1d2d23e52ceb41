from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from trainables.learning.tensors import TensorExamples
from trainables.parts.augmentation import Augmentation
from trainables.parts.models.mlp import MLP
from trainables.parts.optimizers.sgd import SGD
from trainables.parts.sections.length import Length
from trainables.scenarios.continual.algorithms.experience_replay import (
    ExperienceReplay,
    balanced,
    reservoir,
)
from trainables.scenarios.continual.algorithms.fine_tuning import FineTuning
from trainables.scenarios.continual.continual import Continual, cross_entropy
from trainables.scenarios.continual.learner import ContinualLearner
from trainables.scenarios.continual.recipe import Recipe
from trainables.scenarios.continual.stream import StreamData

CPU = torch.device("cpu")


@pytest.mark.parametrize("selection", ["reservoir", "balanced"])
def test_with_an_empty_memory_it_is_fine_tuning(
    make_stream_learner, make_stream, assert_equal, selection: str
) -> None:
    data = StreamData.of(make_stream(memory=0), CPU)
    ends = []
    for algorithm in (ExperienceReplay(selection=selection), FineTuning()):
        learner = make_stream_learner(algorithm, data, horizon=8.0)
        learner.advance(8.0)
        ends.append(learner.state_dict())
    assert_equal(*ends)


def test_a_reservoir_keeps_every_item_with_the_same_probability() -> None:
    torch.manual_seed(0)
    memory, batches, runs = 10, (7, 20, 13), 3000
    kept = torch.zeros(sum(batches))
    for _ in range(runs):
        held = torch.empty(0, dtype=torch.int64)
        seen = 0
        for size in batches:
            candidates = torch.cat([held, torch.arange(seen, seen + size)])
            held = candidates[reservoir(len(held), size, seen, memory)]
            seen += size
        assert len(held) == len(held.unique()) == memory
        kept[held] += 1
    expected = memory / sum(batches)
    error = (expected * (1 - expected) / runs) ** 0.5
    assert ((kept / runs - expected).abs() < 4.5 * error).all()


def test_a_reservoir_that_is_not_full_keeps_everything() -> None:
    assert reservoir(0, 5, 0, 8).tolist() == [0, 1, 2, 3, 4]
    assert len(reservoir(5, 5, 5, 8)) == 8


def test_balanced_memory_has_as_many_of_each_class() -> None:
    labels = torch.tensor([0] * 5 + [1] * 50 + [2] * 2)
    kept = labels[balanced(labels, 10)]
    assert kept.bincount().tolist() == [3, 3, 2], "a class has no more than there is"


@pytest.mark.parametrize("selection", ["reservoir", "balanced"])
def test_memory_holds_earlier_tasks_and_no_more_than_it_may(
    make_stream_learner, selection: str
) -> None:
    learner = make_stream_learner(ExperienceReplay(selection=selection), horizon=8.0)
    for compute in range(1, 9):
        learner.advance(float(compute))
        state = learner.algorithm.state
        if state:
            assert len(state["labels"]) == len(state["inputs"]) <= 40
            assert int(state["labels"].max()) < 2 * learner.task
            assert len(state["labels"].unique()) >= 2 * min(learner.task, 4) - 1
    assert learner.finished


def test_a_batch_is_joined_by_remembered_examples() -> None:
    algorithm = ExperienceReplay(replay=0.5)
    assert algorithm.replayed(torch.full((8,), 4)) is None
    algorithm.state.update(inputs=torch.ones(3, 6), labels=torch.tensor([0, 1, 2]))
    found = algorithm.replayed(torch.full((8,), 4))
    assert found is not None and len(found) == 4
    assert (found.inputs == 1).all() and (found.labels < 3).all()


class Marked(Augmentation):
    """Marks what passed through it, and keeps the numbers that it was given."""

    seen: ClassVar[list[tuple[torch.Tensor, torch.Tensor, int]]] = []

    def apply(self, inputs: torch.Tensor, indices: torch.Tensor, key: int) -> torch.Tensor:
        self.seen.append((inputs, indices, key))
        return inputs + 1000.0


@dataclass(frozen=True)
class Replaying(Continual):
    """Any algorithm that replays: examples of minus one, with the labels of the first task."""

    losses: ClassVar[list[tuple[torch.Tensor, torch.Tensor]]] = []

    def replayed(self, labels: torch.Tensor) -> TensorExamples | None:
        if int(labels.min()) < 2:
            return None
        return TensorExamples(-torch.ones(5, 6), torch.tensor([0, 1, 0, 1, 0]))

    def loss(self, network, inputs, labels) -> torch.Tensor:
        self.losses.append((inputs, labels))
        return cross_entropy(network, inputs, labels, "all")


@pytest.mark.parametrize("algorithm", [ExperienceReplay(), Replaying()])
def test_what_is_replayed_is_augmented_like_what_is_new(make_stream, algorithm) -> None:
    recipe = Recipe(
        algorithm=algorithm,
        optimizer=SGD(lr=0.01),
        training=Length(batch_size=16),
        augmentation=Marked(),
        model=MLP(width=4, depth=1),
    )
    learner = ContinualLearner(recipe, StreamData.of(make_stream(), CPU), 0, CPU)
    learner.begin(4.0)
    while learner.task == 0:
        learner.advance(learner.compute + 0.05)
    Marked.seen.clear()
    Replaying.losses.clear()
    joined = 16 if isinstance(algorithm, ExperienceReplay) else 5
    learner.advance(learner.compute + 0.2)
    assert len(Marked.seen) > 2
    for inputs, indices, _ in Marked.seen:
        assert len(inputs) == len(indices) == 16 + joined
        assert len(indices.unique()) == 16 + joined, "each has an augmentation of its own"
        assert (indices[:16] < len(learner.examples)).all()
        assert (indices[16:] >= len(learner.examples)).all()
    assert len({key for _, _, key in Marked.seen}) > 2
    for inputs, labels in Replaying.losses:
        assert (inputs[16:] == 999).all() and labels[16:].tolist() == [0, 1, 0, 1, 0]
        assert (inputs[:16] > 900).all()

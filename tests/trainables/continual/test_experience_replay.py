from __future__ import annotations

import pytest
import torch

from trainables.continual._stream import StreamData
from trainables.continual.experience_replay import ExperienceReplay, balanced, reservoir
from trainables.continual.fine_tuning import FineTuning

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


def test_a_batch_is_joined_by_remembered_examples(make_stream_learner, monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(
        "trainables.continual.experience_replay.cross_entropy",
        lambda network, inputs, labels, logits: seen.append((inputs, labels)),
    )
    algorithm = ExperienceReplay(replay=0.5)
    algorithm.loss(None, torch.zeros(8, 6), torch.full((8,), 4))
    algorithm.state.update(inputs=torch.ones(3, 6), labels=torch.tensor([0, 1, 2]))
    algorithm.loss(None, torch.zeros(8, 6), torch.full((8,), 4))
    assert [len(labels) for _, labels in seen] == [8, 12]
    inputs, labels = seen[1]
    assert inputs[:8].sum() == 0 and (inputs[8:] == 1).all()
    assert (labels[:8] == 4).all() and (labels[8:] < 3).all()

"""What must not leak: later tasks, earlier tasks' data, other items of a test."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from search_spaces import options
from trainables.continual import Continual
from trainables.continual._network import GrowingNetwork
from trainables.continual._stream import Stream, StreamData
from trainables.tensors import TensorExamples

CPU = torch.device("cpu")
HORIZON = 8.0
every_algorithm = pytest.mark.parametrize("algorithm", sorted(options(Continual)))


def fresh(make_stream, **settings: object) -> StreamData:
    """Data of its own, to be spoilt."""
    data = StreamData.of(make_stream(**settings), CPU)
    return replace(
        data,
        train=TensorExamples(data.train.inputs.clone(), data.train.labels.clone()),
        validation=TensorExamples(data.validation.inputs.clone(), data.validation.labels.clone()),
    )


def poison_after(data: StreamData, seed: int, task: int) -> None:
    """Spoils inputs, and shuffles labels, of all tasks after one."""
    stream = Stream(data, seed)
    for part in (data.train, data.validation):
        rows = (stream.places(part.labels) // stream.size > task).nonzero().squeeze(1)
        part.inputs[rows] = torch.randn(len(rows), part.inputs.shape[1]) * 100
        part.labels[rows] = part.labels[rows][torch.randperm(len(rows))]


@every_algorithm
@pytest.mark.parametrize("task", [0, 1, 2])
def test_poisoned_later_tasks_change_nothing_before_them(
    make_stream, make_stream_learner, slices, assert_equal, algorithm: str, task: int
) -> None:
    runs = []
    for poisoned in (False, True):
        data = fresh(make_stream)
        if poisoned:
            poison_after(data, 0, task)
        learner = make_stream_learner(algorithm, data, horizon=4.0)
        states = []
        for _ in slices(learner):
            if learner.task > task:
                break
            states.append({**learner.state_dict(), "metrics": learner.evaluate()})
        # The task's end itself: what it left in the algorithm's state, and its row.
        state = learner.state_dict()["parts"]
        states.append({"matrix": state["matrix"], "algorithm": state["algorithm"]})
        runs.append(states)
    assert len(runs[0]) == len(runs[1]) > 10
    assert len(runs[0][-1]["matrix"]) == task + 1
    for clean, poisoned_too in zip(*runs, strict=True):
        assert_equal(clean, poisoned_too)


@every_algorithm
def test_data_of_earlier_tasks_is_not_needed_any_more(
    make_stream, make_stream_learner, assert_equal, algorithm: str
) -> None:
    ends = []
    for deleting in (False, True):
        data = fresh(make_stream)
        learner = make_stream_learner(algorithm, data, horizon=HORIZON)
        stream = Stream(data, 0)
        for compute in range(1, 81):
            learner.advance(compute / 10)
            if deleting:
                gone = stream.places(data.train.labels) // stream.size < learner.task
                data.train.inputs[gone] = torch.nan
        assert learner.finished
        ends.append(learner.state_dict())
    assert_equal(*ends)


@every_algorithm
def test_a_score_does_not_depend_on_the_other_items(
    make_stream, make_stream_learner, algorithm: str
) -> None:
    data = fresh(make_stream)
    learner = make_stream_learner(algorithm, data, horizon=HORIZON)
    learner.advance(HORIZON)
    items = data.validation
    scores = learner.item_scores(items)
    order = torch.randperm(len(items))
    shuffled = TensorExamples(items.inputs[order], items.labels[order])
    alone = [
        learner.item_scores(TensorExamples(items.inputs[i : i + 1], items.labels[i : i + 1]))
        for i in range(len(items))
    ]
    assert torch.equal(learner.item_scores(shuffled), scores[order])
    assert torch.equal(torch.cat(alone), scores)
    assert scores.mean().item() == pytest.approx(learner.evaluate()["last_accuracy"])


@every_algorithm
@pytest.mark.parametrize("stop", [0.7, 2.9, 5.1])
def test_resuming_in_the_middle_of_a_task(
    make_stream_learner, assert_equal, algorithm: str, stop: float
) -> None:
    whole, halved, resumed = (
        make_stream_learner(algorithm, horizon=h) for h in (HORIZON, HORIZON, None)
    )
    whole.advance(HORIZON)
    halved.advance(stop)
    assert halved.step_in_epoch or halved.epoch
    resumed.load_state_dict(halved.state_dict())
    resumed.advance(HORIZON)
    assert_equal(resumed.state_dict(), whole.state_dict())
    assert resumed.evaluate() == whole.evaluate()


@every_algorithm
def test_scores_come_from_the_weights_alone(make_stream_learner, algorithm: str) -> None:
    trained = make_stream_learner(algorithm, horizon=HORIZON)
    trained.advance(HORIZON)
    other = make_stream_learner(algorithm)
    other.load_weights({name: value.clone() for name, value in trained.weights().items()})
    items = trained.data.validation
    assert torch.equal(other.item_scores(items), trained.item_scores(items))


def test_an_algorithm_is_handed_one_task_at_a_time(make_stream_learner, slices) -> None:
    handed: list[tuple[TensorExamples, int]] = []

    @dataclass(frozen=True)
    class Watcher(Continual):
        def examples_of(self, task: TensorExamples) -> TensorExamples:
            handed.append((task, 0))
            return task

        def loss(self, network: GrowingNetwork, inputs: Tensor, labels: Tensor) -> Tensor:
            handed.append((TensorExamples(inputs, labels), 0))
            return network(inputs).square().mean()

        def end_task(self, network: GrowingNetwork, task: TensorExamples, memory: int) -> None:
            handed.append((task, memory))

    learner = make_stream_learner(Watcher(), horizon=2.0)
    kept = 0
    for _ in slices(learner):
        for task, memory in handed:
            assert {int(label) // 2 for label in task.labels} <= {learner.task - 1, learner.task}
            kept = max(kept, memory)
        assert all(len({int(label) // 2 for label in task.labels}) == 1 for task, _ in handed)
        last = handed[-1:]
        handed.clear()
    assert learner.finished and kept == 40
    for task, _ in last:
        assert task.inputs.untyped_storage().nbytes() == task.inputs.nbytes, "a copy, no view"


def test_memory_without_examples_does_not_grow_with_data(make_stream, make_stream_learner) -> None:
    learner = make_stream_learner("slca", horizon=HORIZON)
    learner.advance(HORIZON)
    sizes = {name: value.shape for name, value in learner.algorithm.state.items()}
    assert sizes["mean"] == (8, 16) and sizes["covariance"] == (8, 16, 16)

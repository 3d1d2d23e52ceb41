"""What must not leak: later tasks, earlier tasks' data, other items of a test."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from search_spaces import options
from trainables.data import DataSpec
from trainables.learning.checkpoint import read_checkpoint, write_checkpoint
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.continual import Continual
from trainables.scenarios.continual.network import GrowingNetwork
from trainables.scenarios.continual.scenario import SCENARIO
from trainables.scenarios.continual.stream import Stream, StreamData

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
        rows = (stream.task_of(part.labels) > task).nonzero().squeeze(1)
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


@pytest.mark.parametrize("algorithm", ["ewc", "slca"])
def test_poisoned_in_the_file_itself_they_change_nothing_either(
    make_stream_learner, slices, tmp_path: Path, assert_equal, algorithm: str
) -> None:
    """Loading, splitting and standardising are in this one: none may know of later tasks."""
    rng, labels = np.random.default_rng(0), np.arange(320) % 8
    inputs = (labels[:, None] + rng.normal(size=(320, 6))).astype(np.float32)
    settings = SCENARIO.with_settings({"tasks": 4, "memory": 40})
    ends, order = [], None
    for poisoned in (False, True):
        if order is not None:
            rows = np.isin(labels, list(chain(*order[2:])))
            inputs[rows] = 1000.0 * rng.normal(size=(int(rows.sum()), 6))
            labels[rows] = rng.permutation(labels[rows])
        np.savez(tmp_path / "points.npz", x=inputs, y=labels)
        view = SCENARIO.load(DataSpec(str(tmp_path / "points.npz")), settings)
        data = StreamData.of(view, CPU)
        order = data.tasks_of(0)
        learner = make_stream_learner(algorithm, data, horizon=HORIZON)
        for _ in slices(learner):
            if learner.task == 2:
                break
            kept = learner.state_dict() | {"metrics": learner.evaluate()}
            ends.append((poisoned, kept))
        assert learner.task == 2
    clean, spoilt = ([kept for p, kept in ends if p == poisoned] for poisoned in (False, True))
    assert len(clean) == len(spoilt) > 10
    for one, other in zip(clean, spoilt, strict=True):
        assert_equal(one, other)


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
                gone = stream.task_of(data.train.labels) < learner.task
                data.train.inputs[gone] = torch.nan
        assert learner.finished
        ends.append(learner.state_dict())
    assert_equal(*ends)


@every_algorithm
def test_nor_to_go_on_from_a_checkpoint(
    make_stream, make_stream_learner, assert_equal, algorithm: str
) -> None:
    """The training examples of tasks that are over are not even in the data of who resumes."""
    whole = make_stream_learner(algorithm, horizon=HORIZON)
    whole.advance(HORIZON)
    learner = make_stream_learner(algorithm, horizon=HORIZON)
    for compute in (2.5, 4.5, 6.5):
        learner.advance(compute)
        assert learner.task > 0
        data = fresh(make_stream)
        left = Stream(data, 0).task_of(data.train.labels) >= learner.task
        rest = TensorExamples(data.train.inputs[left], data.train.labels[left])
        state = learner.state_dict()
        learner = make_stream_learner(algorithm, replace(data, train=rest))
        learner.load_state_dict(state)
    learner.advance(HORIZON)
    assert_equal(learner.state_dict(), whole.state_dict())


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
def test_resuming_wherever_it_can_be_stopped(
    make_stream_learner, slices, assert_equal, tmp_path: Path, algorithm: str
) -> None:
    """A new learner, from a file, after every slice: at and between epochs, at tasks' ends."""
    whole = make_stream_learner(algorithm, horizon=4.0)
    places = {(whole.task, whole.epoch, whole.step_in_epoch) for _ in slices(whole)}
    assert {task for task, _, step in places if step} == {0, 1, 2, 3}, "in the middle of each"
    assert any(step == 0 and epoch for _, epoch, step in places), "at an epoch's end too"
    learner = make_stream_learner(algorithm, horizon=4.0)
    for compute in np.arange(0.05, 4.05, 0.05):
        learner.advance(float(compute))
        write_checkpoint(tmp_path / "state.pt", learner.state_dict())
        learner = make_stream_learner(algorithm)
        learner.load_state_dict(read_checkpoint(tmp_path / "state.pt", CPU))
    assert learner.finished
    assert_equal(learner.state_dict(), whole.state_dict())
    assert learner.evaluate() == whole.evaluate()


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


@every_algorithm
def test_what_is_kept_does_not_grow_with_the_data_seen(
    make_stream, make_stream_learner, slices, algorithm: str
) -> None:
    """Everything an algorithm holds, wherever it holds it, with twice the data of each task."""
    sizes = []
    for times in (1, 2):
        data = fresh(make_stream)
        train = TensorExamples(data.train.inputs.repeat(times, 1), data.train.labels.repeat(times))
        learner = make_stream_learner(algorithm, replace(data, train=train), horizon=HORIZON)
        found: dict[int, int] = {}
        for _ in slices(learner):
            found[learner.task] = len(pickle.dumps(learner.algorithm))
        sizes.append(np.array([found[task] for task in range(1, 5)]))
    if learner.algorithm.extra_information is not None:
        assert (sizes[1] > 1.5 * sizes[0]).all(), "it is marked because it keeps everything"
        return
    assert (abs(sizes[1] - sizes[0]) < 200).all(), sizes


@every_algorithm
def test_what_is_kept_is_what_may_be(make_stream, make_stream_learner, algorithm: str) -> None:
    """No more numbers than memory's examples, or two a weight, or each class's statistics."""
    learner = make_stream_learner(algorithm, horizon=HORIZON)
    learner.advance(HORIZON)
    kept = sum(value.numel() for value in learner.algorithm.state.values())
    weights = sum(value.numel() for value in learner.network.parameters())
    heads = sum(value.numel() for value in learner.network.heads.parameters())
    features = learner.network.features
    allowed = {
        "fine_tuning": 0,
        "experience_replay": 40 * (6 + 1) + 1,
        "ewc": 2 * weights,
        "slca": 8 * (features + features**2) + heads,
        "joint": 480 * (6 + 1),
    }
    assert kept == allowed[algorithm]


def test_the_rest_of_the_state_has_no_examples(make_stream_learner) -> None:
    learner = make_stream_learner("fine_tuning", horizon=HORIZON)
    learner.advance(HORIZON)
    inputs = {float(value) for value in learner.data.train.inputs.flatten()}

    def numbers(state: object) -> Iterator[float]:
        if isinstance(state, Tensor):
            yield from state.flatten().double().tolist()
        elif isinstance(state, dict):
            for value in state.values():
                yield from numbers(value)

    shared = inputs & set(numbers(learner.state_dict()))
    assert not {value for value in shared if value != round(value)}

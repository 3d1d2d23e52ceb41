"""A curriculum in somebody's own loop: what its learner does, over any data set, resumable."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

import automl_cl
from search_spaces import InputError
from trainables.scenarios.curriculum import Curriculum
from trainables.scenarios.curriculum.algorithms.data_parameters import DataParameters
from trainables.scenarios.curriculum.algorithms.dds import DDS
from trainables.scenarios.curriculum.algorithms.easy_to_hard import EasyToHard
from trainables.scenarios.curriculum.algorithms.efficient_train import EfficientTrain, Staged
from trainables.scenarios.curriculum.algorithms.learning_to_reweight import LearningToReweight
from trainables.scenarios.curriculum.algorithms.meta_weight_net import MetaWeightNet
from trainables.scenarios.curriculum.algorithms.plain import Plain
from trainables.scenarios.curriculum.algorithms.screener_net import ScreenerNet
from trainables.scenarios.curriculum.algorithms.self_paced import SelfPaced
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss
from trainables.scenarios.curriculum.teaching import Teaching


def problem() -> tuple[TensorDataset, nn.Module]:
    torch.manual_seed(0)
    labels = torch.arange(110) % 3
    net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    return TensorDataset(torch.randn(110, 5) + labels[:, None], labels), net


def train(teaching: Teaching, optimizer: torch.optim.Optimizer, steps: int) -> None:
    if steps:
        for taken, batch in enumerate(teaching, 1):
            loss = teaching.loss(teaching.model(batch.inputs), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if taken == steps:
                break


def test_it_is_part_of_the_package() -> None:
    assert automl_cl.Teaching is Teaching
    with pytest.raises(AttributeError, match="no attribute 'Teacher'"):
        automl_cl.Teacher  # noqa: B018


@pytest.mark.parametrize("algorithm", ["superloss", "self_paced", "meta_weight_net"])
def test_it_does_what_the_learner_does(
    make_learner, take_steps, assert_equal, algorithm: str
) -> None:
    changes = {"schedule": "constant", "model.mlp.dropout": 0.0, "training.selection": "last"}
    learner = make_learner("curriculum", algorithm, changes=changes)
    model, train_set = copy.deepcopy(learner.model), learner.data.train
    take_steps(learner, learner.steps_per_epoch)
    dataset = TensorDataset(train_set.inputs, train_set.labels)
    # The learner's curriculum was prepared with the model of its own, so a new one is needed.
    fresh = make_learner("curriculum", algorithm, changes=changes).recipe.algorithm
    teaching = Teaching(fresh, dataset, model, epochs=1000, batch_size=32)
    optimizer = learner.sections.optimizer.build(model.parameters())
    train(teaching, optimizer, learner.steps_per_epoch)
    assert_equal(dict(model.state_dict()), dict(learner.model.state_dict()))


@pytest.mark.parametrize(
    "curriculum",
    [
        SuperLoss(),
        SelfPaced(),
        EasyToHard(),
        DataParameters(),
        MetaWeightNet(),
        ScreenerNet(),
        LearningToReweight(),
    ],
    ids=lambda each: each.part_name(),
)
@pytest.mark.parametrize("stop", [4, 6])
def test_stopping_and_resuming_is_not_stopping(
    assert_equal, tmp_path, curriculum: Curriculum, stop: int
) -> None:
    ends = []
    for resumed in (False, True):
        dataset, model = problem()
        teaching = Teaching(curriculum, dataset, model, epochs=4, batch_size=32, seed=3)
        optimizer = torch.optim.Adam(model.parameters())
        train(teaching, optimizer, stop)
        if resumed:
            parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "teaching": teaching}
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save(state, tmp_path / "state.pt")
            _, model = problem()
            teaching = Teaching(curriculum, dataset, model, epochs=4, batch_size=32, seed=3)
            optimizer = torch.optim.Adam(model.parameters())
            read = torch.load(tmp_path / "state.pt", weights_only=True)
            for name, part in (("model", model), ("optimizer", optimizer), ("teaching", teaching)):
                part.load_state_dict(read[name])
        train(teaching, optimizer, -1)
        ends.append({**model.state_dict()})
    assert teaching.steps == 12, "4 epochs of 3 batches: 110 // 32"
    assert_equal(ends[1], ends[0])


def test_batches_come_through_the_data_set_and_say_which_examples_they_are() -> None:
    class Drawn(Dataset[tuple[Tensor, int]]):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return torch.tensor([float(index), torch.rand(()).item()]), index % 2

    teaching = Teaching(Plain(), Drawn(), nn.Linear(2, 2), epochs=2, batch_size=10)
    batches = list(teaching)
    assert len(batches) == teaching.steps == 4
    for batch in batches:
        assert torch.equal(batch.inputs[:, 0].long(), batch.indices)
        assert torch.equal(batch.indices % 2, batch.labels)
    epochs = [torch.cat([batch.indices for batch in half]) for half in (batches[:2], batches[2:])]
    assert [epoch.sort().values.tolist() for epoch in epochs] == [list(range(20))] * 2
    assert not torch.equal(*epochs)
    drawn = torch.cat([batch.inputs[:, 1] for batch in batches])
    assert len(drawn.unique()) == 40, "the transform is drawn anew each time"


def test_the_models_curriculum_is_followed() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    )
    dataset = TensorDataset(torch.randn(12, 1, 14, 14), torch.arange(12) % 2)
    teaching = Teaching(EfficientTrain(), dataset, model, epochs=5, batch_size=12)
    shares = [teaching.model.share for _ in teaching if isinstance(teaching.model, Staged)]
    assert shares == pytest.approx([160 / 224] * 3 + [192 / 224, 1.0])


def test_torchs_own_generator_is_left_alone() -> None:
    dataset, model = problem()
    before = torch.get_rng_state()
    for batch in Teaching(ScreenerNet(), dataset, model, epochs=1):
        assert len(batch.labels) == 32
    assert torch.equal(torch.get_rng_state(), before)


def test_another_criterion_is_used() -> None:
    dataset, model = problem()

    def smoothed(outputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(outputs, labels, reduction="none", label_smoothing=0.3)

    teaching = Teaching(Plain(), dataset, model, epochs=1, criterion=smoothed)
    batch = next(iter(teaching))
    outputs = model(batch.inputs)
    assert teaching.loss(outputs, batch) == smoothed(outputs, batch.labels).mean()


def test_columns_reach_the_curriculum() -> None:
    dataset, model = problem()
    clean = torch.arange(110) < 7
    teaching = Teaching(LearningToReweight(), dataset, model, epochs=1, columns={"clean": clean})
    assert sorted(teaching.curriculum.state["meta"].tolist()) == list(range(7))


class Unlabelled(Dataset[Tensor]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Tensor:
        return torch.zeros(5)


@pytest.mark.parametrize(
    ("dataset", "settings", "message"),
    [
        (problem()[0], {"epochs": 0}, "epochs: got 0, expected a whole number from 1"),
        (problem()[0], {"batch_size": 2.5}, "batch_size: got 2.5, expected"),
        (
            problem()[0],
            {"columns": {"clean": torch.ones(3)}},
            r"'clean' has shape \[3\], expected",
        ),
        (Unlabelled(), {}, "item 0 must be an input and a label, got Tensor"),
        (
            TensorDataset(torch.zeros(2, 5), torch.rand(2)),
            {},
            "a tensor and a whole number from 0",
        ),
        ([], {}, "must have a length, and examples"),
        (iter([1]), {}, "must have a length, and examples"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(dataset, settings, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        Teaching(Plain(), dataset, problem()[1], **{"epochs": 2, **settings})
    assert "\n" not in str(refused.value)


def refusal(dataset: Any, model: nn.Module, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        for batch in Teaching(SuperLoss(), dataset, model, 2, 8, **more):
            assert batch
    assert str(caught.value).startswith("Teaching: ") and "\n" not in str(caught.value)
    return str(caught.value)


class Items(Dataset[Any]):
    """A list of items, as a data set."""

    def __init__(self, items: list[Any], length: int | None = None) -> None:
        self.items, self.length = items, length or len(items)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Growing(Items):
    """Items of another size each time that they are drawn."""

    drawn = 0

    def __getitem__(self, index: int) -> Any:
        self.drawn += 1
        inputs, label = self.items[index]
        return (inputs if self.drawn < 40 else inputs[:-1]), label


def items(count: int = 24) -> list[tuple[Tensor, int]]:
    return [(torch.randn(5), n % 3) for n in range(count)]


ODD_ITEMS = {
    "another shape": ((torch.randn(4), 0), ["item 7", "[4]", "[5]"]),
    "another type": ((torch.randn(5).double(), 0), ["item 7", "float64", "float32"]),
    "one class more": ((torch.randn(5), 3), ["item 7", "label 3", "3 logits", "0 to 2"]),
    "below zero": ((torch.randn(5), -1), ["item 7", "-1"]),
    "no label": ((torch.randn(5), None), ["item 7"]),
    "several labels": ((torch.randn(5), torch.ones(3)), ["item 7"]),
    "not finite": ((torch.randn(5), float("inf")), ["item 7"]),
    "no tensor": (([1.0] * 5, 0), ["item 7", "list"]),
}


@pytest.mark.parametrize("odd", ODD_ITEMS)
def test_an_item_that_is_not_as_told_is_named(odd: str) -> None:
    given = items()
    given[7], words = ODD_ITEMS[odd]
    message = refusal(Items(given), problem()[1])
    assert [word for word in words if word not in message] == []


def test_an_item_is_named_out_of_another_process() -> None:
    given = items()
    given[7] = (torch.randn(4), 0)
    assert "item 7 has an input of shape [4]" in refusal(Items(given), problem()[1], workers=1)


def test_a_transform_that_changes_the_size_later_is_named() -> None:
    assert "has an input of shape [4]" in refusal(Growing(items()), problem()[1])


def test_labels_from_one_are_named() -> None:
    dataset, net = problem()
    inputs, labels = dataset.tensors
    message = refusal(TensorDataset(inputs, labels + 1), net)
    assert "item 2 has label 3" in message and "labels count from 0 to 2" in message


def test_a_length_that_is_not_true_is_named() -> None:
    assert "gives no item 24" in refusal(Items(items(), length=30), problem()[1])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Flatten(), "Flatten has no parameters"),
        (nn.Linear(6, 3), "cannot take the data set's items"),
        (nn.Linear(5, 3).double(), "cannot take the data set's items"),
        (nn.Sequential(nn.Linear(5, 3), nn.Unflatten(1, (3, 1))), "got shape [2, 3, 1]"),
        (nn.Linear(5, 2), "label 2, but the model gives 2 logits"),
        (nn.LSTM(5, 3), "got tuple"),
    ],
)
def test_a_model_that_does_not_fit_is_named(model: nn.Module, words: str) -> None:
    assert words in refusal(Items(items()), model)


def test_trying_the_model_leaves_it_as_it_was() -> None:
    dataset, _ = problem()
    net = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    net[1].eval()
    before, drawn = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    Teaching(SuperLoss(), dataset, net, 1)
    assert [module.training for module in net] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor])
def test_columns_may_be_lists_and_arrays(kind: Any) -> None:
    dataset, net = problem()
    marks = [n % 2 == 0 for n in range(110)]
    teaching = Teaching(MetaWeightNet(), dataset, net, 1, columns={"clean": kind(marks)})
    assert teaching._examples.columns["clean"].tolist() == marks


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"curriculum": "superloss"}, "curriculum: got 'superloss'"),
        ({"model": F.relu}, "model: got function"),
        ({"model": problem()[1].requires_grad_(False)}, "no parameters to train"),
        ({"dataset": TensorDataset}, "must have a length"),
        ({"seed": None}, "seed: got None"),
        ({"workers": -1}, "workers: got -1"),
        ({"epochs": True}, "epochs: got True"),
        ({"criterion": nn.CrossEntropyLoss()}, "criterion: gave shape [] for 2 examples"),
    ],
)
def test_arguments_of_another_kind_are_named(given: dict[str, Any], words: str) -> None:
    dataset, model = problem()
    right = {"curriculum": SuperLoss(), "dataset": dataset, "model": model, "epochs": 1}
    with pytest.raises(InputError, match=f"^Teaching: .*{re.escape(words)}"):
        Teaching(**{**right, **given})


def test_clean_labels_may_be_marked_by_zeros_and_ones() -> None:
    dataset, net = problem()
    teaching = Teaching(MetaWeightNet(), dataset, net, 1, columns={"clean": [1, 0] * 55})
    assert teaching._examples.columns["clean"].dtype == torch.bool


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"clean": [0, 1, 2] * 36 + [0, 1]}, "'clean' must be True or False"),
        ({"clean": np.ones(9, bool)}, "'clean' has shape [9], expected [110]"),
        ({"clean": [[True]] * 110}, "'clean' has shape [110, 1]"),
        ({"clean": ["yes"] * 110}, "'clean' must be numbers"),
        ({"clean": [True, [False]] * 55}, "'clean' must be numbers"),
        ({"clean": None}, "'clean'"),
        ([True] * 110, "columns: got list"),
    ],
)
def test_columns_that_do_not_fit_are_named(columns: Any, words: str) -> None:
    assert words in refusal(*problem(), columns=columns)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("curriculum", [DDS(), MetaWeightNet(), ScreenerNet(), EfficientTrain()])
def test_networks_beside_the_model_have_its_precision(
    curriculum: Curriculum, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).to(dtype)
    dataset = TensorDataset(torch.randn(24, 1, 8, 8, dtype=dtype), torch.arange(24) % 3)
    before = copy.deepcopy(net)
    teaching = Teaching(curriculum, dataset, net, 1, 8)
    train(teaching, torch.optim.SGD(net.parameters(), lr=0.1), teaching.steps)
    assert all(value.isfinite().all() and value.dtype == dtype for value in net.parameters())
    moved = zip(net.parameters(), before.parameters(), strict=True)
    assert any(not torch.equal(now, then) for now, then in moved)

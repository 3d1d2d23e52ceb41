from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.local_to_global import LocalToGlobal

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


def some(labels: list[int]) -> TensorExamples:
    labels = torch.tensor(labels)
    return TensorExamples(torch.zeros(len(labels), 4), labels)


def test_the_number_of_classes_by_hand() -> None:
    algorithm = LocalToGlobal(start=0.4, growth=0.3, interval=0.1)
    found = [algorithm.count(progress, 10) for progress in (0.0, 0.099, 0.1, 0.2, 0.3, 1.0)]
    assert found == [4, 4, 7, 10, 10, 10]
    # 0.4 of 3 would be one class, from which there is nothing to tell apart.
    assert [algorithm.count(progress, 3) for progress in (0.0, 0.1, 0.2)] == [2, 2, 3]


def test_classes_are_added_and_never_taken_away() -> None:
    labels = [i % 10 for i in range(200)]
    examples, algorithm = some(labels), LocalToGlobal()
    seen = []
    for epoch, progress in enumerate((0.0, 0.05, 0.1, 0.15)):
        chosen = algorithm.data_curriculum(examples, nn.Identity(), progress, epoch)
        classes = {labels[i] for i in chosen.tolist()}
        assert len(chosen) == 20 * len(classes), "all examples of each"
        seen.append(classes)
    assert [len(each) for each in seen] == [4, 4, 7, 7]
    assert seen[0] == seen[1] < seen[2] == seen[3]
    assert algorithm.data_curriculum(examples, nn.Identity(), 0.2, 9) is None
    others = [
        frozenset(labels[i] for i in LocalToGlobal().data_curriculum(examples, None, 0.0, seed))
        for seed in range(5)
    ]
    assert len(set(others)) > 1, "the seed decides"


def test_the_loss_by_hand_knows_no_other_classes() -> None:
    algorithm = LocalToGlobal()
    algorithm.state["known"] = torch.tensor([0, 2])
    algorithm.state["places"] = torch.tensor([0, 0, 1])
    logits = torch.tensor([[1.0, 9.0, 3.0], [0.0, 9.0, 0.0]], requires_grad=True)
    labels = torch.tensor([2, 0])
    loss = algorithm.loss_curriculum(CROSS_ENTROPY, logits, labels, labels, logits)
    # log(1 + e^(1 - 3)) = 0.126928 and log 2, whatever the logit of class 1 is.
    assert loss.item() == pytest.approx((0.126928 + 0.693147) / 2, abs=1e-6)
    loss.backward()
    assert (logits.grad[:, 1] == 0.0).all() and (logits.grad[:, [0, 2]] != 0.0).all()


def test_once_all_classes_are_in_the_loss_is_the_plain_one() -> None:
    examples, algorithm = some([0, 1, 2, 3] * 10), LocalToGlobal(start=0.5, growth=0.5)
    algorithm.data_curriculum(examples, nn.Identity(), 0.0, 0)
    assert len(algorithm.state["known"]) == 2
    algorithm.data_curriculum(examples, nn.Identity(), 0.1, 1)
    logits, labels = torch.randn(8, 4), torch.arange(8) % 4
    loss = algorithm.loss_curriculum(CROSS_ENTROPY, logits, labels, labels, logits)
    assert torch.equal(loss, CROSS_ENTROPY(logits, labels).mean())


@pytest.mark.parametrize(("strategy", "expected"), [("similar", 2), ("dissimilar", 4)])
def test_which_class_is_next_is_a_matter_of_the_models_doubt(strategy: str, expected: int) -> None:
    # Inputs are logits. Between the known classes 0 and 1 the model is sure of class 2, in some
    # doubt of class 3 and quite undecided about class 4.
    rows = {0: [0.0, 0.0], 1: [0.0, 0.0], 2: [4.0, 0.0], 3: [1.0, 0.0], 4: [0.0, 0.0]}
    labels = torch.arange(50) % 5
    inputs = torch.tensor([[*rows[int(label)], 0.0, 0.0, 50.0] for label in labels])
    examples = TensorExamples(inputs, labels)
    algorithm = LocalToGlobal(start=0.4, growth=0.2, strategy=strategy)
    algorithm.state["known"] = torch.tensor([0, 1])
    chosen = algorithm.data_curriculum(examples, nn.Identity(), 0.1, 0)
    assert set(labels[chosen].tolist()) == {0, 1, expected}
    assert algorithm.state["known"].tolist() == [0, 1, expected]


def test_numbers_of_classes_without_an_example_are_no_hindrance() -> None:
    examples, algorithm = some([1, 4, 6] * 20), LocalToGlobal()
    chosen = algorithm.data_curriculum(examples, nn.Identity(), 0.0, 0)
    labels = examples.labels[chosen]
    assert len(chosen) == 40 and len(labels.unique()) == 2
    outputs = torch.randn(40, 8)
    loss = algorithm.loss_curriculum(CROSS_ENTROPY, outputs, labels, chosen, outputs)
    known = labels.unique()
    expected = CROSS_ENTROPY(outputs[:, known], (labels == known[1]).long()).mean()
    assert torch.equal(loss, expected)


def test_all_classes_at_first_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.local_to_global.start": 1.0}
    growing = make_learner("curriculum", "local_to_global", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (growing, plain):
        learner.advance(6.0)
    assert_equal(growing.state_dict(), plain.state_dict())


def test_classes_that_are_not_in_yet_are_not_trained(make_learner) -> None:
    changes = {
        "training.selection": "last",
        "algorithm.local_to_global.interval": 0.3,
        "optimizer": {"name": "sgd", "sgd": {"lr": 0.05, "weight_decay": 1e-6}},
    }
    learner = make_learner("curriculum", "local_to_global", changes=changes, horizon=20.0)
    before = learner.model[-1].weight.detach().clone()
    learner.advance(8.0)
    known = learner.algorithm.state["known"].tolist()
    (other,) = {0, 1, 2} - set(known)

    def moved(label: int) -> float:
        return (learner.model[-1].weight[label] - before[label]).abs().max().item()

    assert moved(other) < 1e-5, "nothing but weight decay"
    assert all(moved(label) > 0.01 for label in known)
    learner.advance(20.0)
    assert moved(other) > 0.01
    assert learner.evaluate()["accuracy"] > 0.7


def test_a_step_never_waits_for_the_device() -> None:
    algorithm = LocalToGlobal()
    algorithm.state["known"] = torch.tensor([0, 2], device="meta")
    algorithm.state["places"] = torch.tensor([0, 0, 1], device="meta")
    outputs, labels = torch.ones(8, 3, device="meta"), torch.zeros(8, device="meta").long()
    assert algorithm.loss_curriculum(CROSS_ENTROPY, outputs, labels, labels, outputs).is_meta

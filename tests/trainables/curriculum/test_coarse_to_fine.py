from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.affinity import affinity_levels, confusion
from trainables.scenarios.curriculum.algorithms import coarse_to_fine
from trainables.scenarios.curriculum.algorithms.coarse_to_fine import CoarseToFine, coarse_logits

CROSS_ENTROPY = nn.CrossEntropyLoss(reduction="none")


def distances(classes: int, likeness: dict[tuple[int, int], float]) -> np.ndarray:
    found = np.ones((classes, classes))
    for (first, second), value in likeness.items():
        found[first, second] = found[second, first] = 1.0 - value
    return found


def test_confusion_by_hand() -> None:
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 3])
    predicted = torch.tensor([0, 1, 1, 3, 1, 1, 0])
    # Of class 0 half is taken for 1 and a quarter for 3; class 1 is always right, which is 0 / 0
    # in the reference libraries, and class 2 has no example.
    expected = [[0.0, 0.5, 0.0, 0.25], [0.0] * 4, [0.0] * 4, [1.0, 0.0, 0.0, 0.0]]
    assert confusion(predicted, labels, 4).tolist() == expected


def test_a_round_of_affinity_clustering_by_hand() -> None:
    # 0 and 1 are nearest to each other, so are 2 and 3, and 4 is nearest to 3.
    likeness = {(0, 1): 0.4, (2, 3): 0.3, (3, 4): 0.2, (1, 2): 0.05}
    first, second = affinity_levels(distances(5, likeness), 2)
    assert first.tolist() == [0, 1, 2, 3, 4]
    assert second.tolist() == [0, 0, 1, 1, 1]
    # Three groups are what is left after the two shortest links.
    assert affinity_levels(distances(5, likeness), 3)[1].tolist() == [0, 0, 1, 1, 2]


def test_rounds_follow_each_other_until_there_are_few_enough() -> None:
    pairs = {(i, i + 1): 0.4 for i in range(0, 8, 2)}
    levels = affinity_levels(distances(8, pairs | {(1, 6): 0.2, (3, 4): 0.1}), 2)
    assert [level.tolist() for level in levels] == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 0, 1, 1, 2, 2, 3, 3],
        [0, 0, 1, 1, 1, 1, 0, 0],
    ]


def test_classes_that_nobody_confuses_are_grouped_all_the_same() -> None:
    levels = affinity_levels(distances(6, {}), 2)
    assert len(set(levels[-1].tolist())) == 2


def test_coarse_logits_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 1.0]]).log()
    cluster_of = torch.tensor([0, 1, 1, 0])
    # Of 7: 1 + 1 and 2 + 3.
    found = coarse_logits(logits, cluster_of, 2)
    assert found.softmax(1)[0].tolist() == pytest.approx([2 / 7, 5 / 7])
    # Nothing is too unlikely to have a gradient.
    far = torch.tensor([[500.0, 0.0, -500.0, -500.0]], requires_grad=True)
    losses = CROSS_ENTROPY(coarse_logits(far, torch.tensor([0, 0, 1, 1]), 2), torch.tensor([1]))
    assert losses.item() == pytest.approx(1000.0, abs=1.0)
    losses.sum().backward()
    assert far.grad[0].tolist() == pytest.approx([1.0, 0.0, -0.5, -0.5])


@pytest.fixture
def asked(monkeypatch):
    """Eight classes of which a teacher confuses 0 with 1, 2 with 3 and so on, and the model."""
    labels = torch.arange(80) % 8
    inputs = nn.functional.one_hot(labels, 8).float()
    inputs[:40] = inputs[:40] + 2.0 * nn.functional.one_hot(labels[:40] ^ 1, 8)
    inputs[:8] = nn.functional.one_hot(labels[:8] ^ 2, 8).float()
    monkeypatch.setattr(coarse_to_fine, "trained_copy", lambda *arguments: nn.Identity())
    return TensorExamples(inputs, labels)


def test_levels_last_in_proportion_to_their_labels(asked) -> None:
    algorithm = CoarseToFine(clusters=2)
    found = []
    # 2, 4 and 8 labels: 2/14 and 6/14 are 0.1429 and 0.4286.
    for progress in (0.0, 0.142, 0.143, 0.428, 0.429, 1.0):
        assert algorithm.data_curriculum(asked, nn.Identity(), progress, 0) is None
        found.append(algorithm.state["cluster_of"].tolist())
    two, four, eight = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3], list(range(8))
    assert found == [two, two, four, four, eight, eight]


def test_the_loss_by_hand(asked) -> None:
    algorithm = CoarseToFine(clusters=2)
    algorithm.data_curriculum(asked, nn.Identity(), 0.2, 0)
    logits = torch.arange(1.0, 9.0).log()[None].repeat(2, 1)
    labels = torch.tensor([2, 3])
    loss = algorithm.loss_curriculum(CROSS_ENTROPY, logits, labels, labels, logits)
    # Classes 2 and 3 are one label, with 3 + 4 of 36.
    assert loss.item() == pytest.approx(np.log(36 / 7), abs=1e-6)
    algorithm.data_curriculum(asked, nn.Identity(), 0.5, 1)
    loss = algorithm.loss_curriculum(CROSS_ENTROPY, logits, labels, labels, logits)
    assert torch.equal(loss, CROSS_ENTROPY(logits, labels).mean())


def test_as_many_clusters_as_classes_is_the_baseline_bit_for_bit(
    make_learner, assert_equal
) -> None:
    changes = {"algorithm.coarse_to_fine.clusters": 3}
    coarse = make_learner("curriculum", "coarse_to_fine", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (coarse, plain):
        learner.advance(6.0)
    assert_equal(coarse.state_dict(), plain.state_dict())


def test_groups_are_learnt_before_classes(make_learner) -> None:
    changes = {"training.selection": "last", "training.batch_size": 20}
    learner = make_learner("curriculum", "coarse_to_fine", changes=changes, horizon=25.0)
    labels = learner.data.train.labels

    def accuracies() -> tuple[float, float]:
        cluster_of = learner.algorithm.state["levels"][0]
        with torch.no_grad():
            logits = learner.model.eval()(learner.data.train.inputs)
        coarse = coarse_logits(logits, cluster_of, 2).argmax(1) == cluster_of[labels]
        return coarse.double().mean().item(), (logits.argmax(1) == labels).double().mean().item()

    learner.advance(9.0)
    assert len(learner.algorithm.state["sizes"]) == 2
    coarse, fine = accuracies()
    assert coarse > 0.85 and fine < coarse - 0.15
    learner.advance(25.0)
    assert len(learner.algorithm.state["sizes"]) == 3
    assert accuracies()[1] > fine + 0.15


def test_a_step_never_waits_for_the_device() -> None:
    algorithm = CoarseToFine()
    algorithm.state["sizes"] = torch.ones(2, device="meta")
    algorithm.state["cluster_of"] = torch.zeros(3, device="meta").long()
    outputs, labels = torch.ones(8, 3, device="meta"), torch.zeros(8, device="meta").long()
    assert algorithm.loss_curriculum(CROSS_ENTROPY, outputs, labels, labels, outputs).is_meta

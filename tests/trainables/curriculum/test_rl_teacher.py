from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.rl_teacher import RLTeacher, slopes
from trainables.scenarios.scorers.self_taught import SelfTaught

POLICIES = ["online", "naive", "window", "sampling"]


class Knows(nn.Module):
    """Is right about inputs below a bound; every label is 1."""

    bound = 0.0

    def forward(self, inputs: Tensor) -> Tensor:
        right = (inputs < self.bound).float()
        return torch.cat([1.0 - right, right], 1)


@pytest.fixture
def taught(monkeypatch):
    """Asks a teacher about 20 examples in 2 bins, of which the model knows so many."""
    inputs = torch.arange(20.0)[:, None]
    examples, model = TensorExamples(inputs, torch.ones(20, dtype=torch.int64)), Knows()
    monkeypatch.setattr(
        SelfTaught, "difficulty", lambda self, examples, model, seed: examples.inputs[:, 0]
    )

    def ask(algorithm: RLTeacher, known: int, seed: int = 0) -> Tensor:
        model.bound = known
        return algorithm.data_curriculum(examples, model, 0.0, seed)

    return ask


def test_slopes_by_hand() -> None:
    # Of 1, 2, 3 it is 1; of 0, 3, 0 it is 0; of 1, 1, 4: (-1 x 1 + 0 + 1 x 4) / 2 = 1.5.
    scores = torch.tensor([[1.0, 0.0, 1.0], [2.0, 3.0, 1.0], [3.0, 0.0, 4.0]])
    assert slopes(scores).tolist() == [1.0, 0.0, 1.5]


@pytest.mark.parametrize("policy", POLICIES)
def test_all_bins_are_alike_as_long_as_nothing_is_known(taught, policy) -> None:
    chosen = taught(RLTeacher(policy=policy, bins=2), 7)
    # A decision is for as many examples as a bin has: half of them from each.
    assert len(chosen) == len(chosen.unique()) == 10
    assert (chosen < 10).sum() == 5


def test_online_by_hand(taught) -> None:
    algorithm = RLTeacher(bins=2, alpha=0.1)
    found = []
    for known in (0, 6, 15, 4):
        taught(algorithm, known)
        found.append(algorithm.state["average"].tolist())
    # Accuracies on 5 examples, every other one: 0 0, .6 0, 1 .6, .4 0. Q = 0.9 Q + 0.1 x rise:
    # 0.06; 0.9 x 0.06 + 0.04 and 0.06; 0.9 x 0.094 - 0.06 and 0.9 x 0.06 - 0.06.
    expected = [[0.0, 0.0], [0.06, 0.0], [0.094, 0.06], [0.0246, -0.006]]
    assert [pair for pair in found] == [pytest.approx(pair) for pair in expected]


def test_what_is_unlearnt_is_taught_like_what_is_learnt(taught) -> None:
    # The reference libraries take Q as it is, and leave what is being forgotten alone.
    algorithm = RLTeacher(bins=2, epsilon=0.01, alpha=1.0)
    for known in (20, 12):
        chosen = taught(algorithm, known)
    assert algorithm.state["average"].tolist() == pytest.approx([0.0, -0.8])
    assert (chosen >= 10).sum() == 10


@pytest.mark.parametrize("policy", POLICIES)
def test_the_bin_that_is_getting_better_is_trained_on(taught, policy) -> None:
    algorithm = RLTeacher(policy=policy, bins=2, epsilon=0.2, window=2)
    for known in (2, 6, 10):
        chosen = taught(algorithm, known)
    # 1 - 0.2 and half of 0.2 of 10 examples are 9.
    assert (chosen < 10).sum() == 9


def test_the_naive_teacher_keeps_to_its_choice_for_a_window(taught) -> None:
    algorithm = RLTeacher(policy="naive", bins=2, alpha=0.5, window=3)
    averages, bins = [], []
    for seed, known in enumerate((0, 2, 4, 6, 16, 20)):
        chosen = taught(algorithm, known, seed)
        averages.append(algorithm.state["average"].tolist())
        bins.append(bool((chosen < 10).double().mean() > 0.5))
    # After three epochs accuracies .2, .4, .6 and 0, 0, 0: a slope of 0.2, and half of it.
    assert averages[:3] == [[0.0, 0.0]] * 3
    assert averages[3:] == [pytest.approx([0.1, 0.0])] * 3
    assert len(set(bins[:3])) == 1 and bins[3:] == [True] * 3


def test_a_window_is_as_long_as_it_is_said_to_be(taught) -> None:
    algorithm = RLTeacher(policy="window", bins=2, window=3)
    for known in (0, 10, 12, 14, 16):
        taught(algorithm, known)
    # The last three: 1, 1, 1 and .2, .4, .6.
    assert algorithm.values(0).tolist() == pytest.approx([0.0, 0.2])


def test_sampled_rises_are_among_the_last(taught) -> None:
    algorithm = RLTeacher(policy="sampling", bins=2, window=2)
    for known in (0, 6, 8, 10, 20):
        taught(algorithm, known)
    drawn = torch.stack([algorithm.values(seed) for seed in range(200)])
    # The last two rises: .2 and 0 in the first bin, 0 and 1 in the second, drawn apart.
    found = {(round(a, 6), round(b, 6)) for a, b in drawn.tolist()}
    assert found == {(0.2, 0.0), (0.2, 1.0), (0.0, 0.0), (0.0, 1.0)}


def test_bins_are_in_the_order_of_difficulty_and_not_of_the_file(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {
        "algorithm.rl_teacher.bins": 10,
        "algorithm.rl_teacher.epsilon": 0.01,
        "algorithm.rl_teacher.scorer.self_taught.epochs": 3,
        "model.mlp.width": 64,
    }
    learner = make_learner("curriculum", "rl_teacher", view=view, changes=changes, horizon=9.0)
    learner.advance(5.0)
    tasks = learner.algorithm.tasks()
    assert [len(task) for task in tasks] == [21] * 10
    shares = [flips[task].double().mean().item() for task in tasks]
    assert sum(shares[:5]) / 5 < 0.25 < 0.55 < sum(shares[5:]) / 5


def test_boltzmann_shares_by_hand() -> None:
    algorithm = RLTeacher(exploration="boltzmann", temperature=0.0004)
    # e^(0.0004 / 0.0004) = e and e^(0.0008 / 0.0004) = e^2, whatever the sign, of 11.107.
    found = algorithm.shares(torch.tensor([0.0, 0.0004, -0.0008], dtype=torch.float64))
    assert found.tolist() == pytest.approx([0.090031, 0.244728, 0.665241], abs=1e-6)


def test_the_authors_exploration_is_the_default() -> None:
    assert (RLTeacher().epsilon, RLTeacher().temperature) == (0.1, 0.0004)


def test_it_decides_as_often_as_there_are_bins_in_a_pass(make_learner, monkeypatch) -> None:
    asked = []
    chooses = RLTeacher.data_curriculum

    def count(self, examples, model, progress, seed):
        asked.append(progress)
        return chooses(self, examples, model, progress, seed)

    monkeypatch.setattr(RLTeacher, "data_curriculum", count)
    changes = {"algorithm.rl_teacher.bins": 3, "training.selection": "last"}
    changes["algorithm.rl_teacher.scorer.self_taught.epochs"] = 1
    learner = make_learner("curriculum", "rl_teacher", changes=changes, horizon=8.0)
    learner.advance(8.0)
    # A bin of 70 is 3 batches of 32, a pass 6 batches; the last decision may find no compute left.
    assert 0 <= len(asked) - -(-learner.taken // 3) <= 1


def test_an_epsilon_of_1_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.rl_teacher.epsilon": 1.0}
    taught = make_learner("curriculum", "rl_teacher", changes=changes, horizon=4.0)
    plain = make_learner("curriculum", "plain", horizon=4.0)
    for learner in (taught, plain):
        learner.advance(4.0)
    assert_equal(taught.state_dict(), plain.state_dict())


def test_measuring_is_paid_for_and_leaves_the_model_in_its_mode(make_learner) -> None:
    changes = {"training.selection": "last", "algorithm.rl_teacher.bins": 2}
    changes["algorithm.rl_teacher.epsilon"] = 0.01
    learner = make_learner("curriculum", "rl_teacher", changes=changes, horizon=20.0)
    learner.advance(3.0)
    forward = 2 * (6 * 16 + 16 * 16 + 16 * 3)
    before = learner.compute
    while learner.step_in_epoch < learner.steps_per_epoch - 1:
        learner.advance(learner.compute + 0.2)
    before = learner.spent
    learner.advance(learner.compute + 0.5)
    # Half of what a bin of 105 has, 26 of each bin, is every fifth example: 21.
    step = 32 * (3 * forward - 2 * 6 * 16)
    assert (learner.spent - before - 42 * forward) % step == 0
    assert learner.model.training

"""What the algorithms come down to when what makes them different is taken away."""

from __future__ import annotations

import pytest
import torch

from trainables.scenarios.semi_supervised.algorithms.fixmatch import FixMatch
from trainables.scenarios.semi_supervised.algorithms.flexmatch import FlexMatch
from trainables.scenarios.semi_supervised.algorithms.mean_teacher import MeanTeacher
from trainables.scenarios.semi_supervised.algorithms.supervised import Supervised


def same_weights(first, second) -> bool:
    pairs = zip(first.weights().values(), second.weights().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


WITHOUT_EFFECT = [
    FixMatch(threshold=1.0, ratio=1),
    FixMatch(weight=0.0, ratio=1),
    FlexMatch(weight=0.0, ratio=1),
    MeanTeacher(weight=0.0, ratio=1),
]


@pytest.mark.parametrize("algorithm", WITHOUT_EFFECT)
def test_without_effect_it_is_the_baseline_at_equal_steps(
    learner_of, take_steps, algorithm
) -> None:
    learner, baseline = learner_of(algorithm), learner_of(Supervised())
    for each in (learner, baseline):
        take_steps(each, 20)
    assert same_weights(learner, baseline)


@pytest.mark.parametrize(
    "algorithm",
    [FixMatch(threshold=0.5, ratio=1), FlexMatch(ratio=1), MeanTeacher(ratio=1)],
)
def test_with_effect_it_is_not(learner_of, take_steps, algorithm) -> None:
    learner, baseline = learner_of(algorithm), learner_of(Supervised())
    for each in (learner, baseline):
        take_steps(each, 20)
    assert not same_weights(learner, baseline)


def test_the_baseline_trains_on_labelled_examples_alone(learner_of, take_steps) -> None:
    learner = learner_of(Supervised())
    learner.open_epoch()
    assert set(learner.order.tolist()) == set(learner.labelled.tolist())
    assert len(learner.unlabelled_order) == 0


def test_unlabelled_examples_are_all_of_them_once_an_epoch(learner_of) -> None:
    learner = learner_of(FixMatch(ratio=2))
    learner.open_epoch()
    assert learner.steps_per_epoch == 210 // 64
    assert len(set(learner.unlabelled_order.tolist())) == 3 * 64


def test_a_step_may_take_more_examples_than_there_are(learner_of) -> None:
    learner = learner_of(FixMatch(ratio=7), horizon=10.0)
    assert learner.steps_per_epoch == 1
    learner.advance(10.0)
    assert learner.epoch == learner.progress // (learner.spent / learner.epoch / learner.horizon)
    assert set(range(210)) == set(learner.unlabelled_order.tolist())


def test_a_step_costs_what_its_passes_cost(learner_of) -> None:
    # 6 -> 16 -> 16 -> 3, and nobody asks for the gradient of the data.
    forward = 2 * (6 * 16 + 16 * 16 + 16 * 3)
    both = 2 * forward + 2 * (16 * 16 + 16 * 3)
    expected = {
        Supervised(): 32 * both,
        FixMatch(ratio=3): 32 * both + 96 * (forward + both),
        MeanTeacher(ratio=2): 32 * both + 64 * (forward + both),
    }
    for algorithm, cost in expected.items():
        learner = learner_of(algorithm)
        assert learner.unit == 210 * both
        learner.advance(3.0)
        assert list(learner.state_dict()["step_flops"].values()) == [cost]


@pytest.mark.parametrize("average", [0.0, 0.99])
def test_the_weights_that_count(learner_of, take_steps, average: float) -> None:
    learner = learner_of(Supervised(average=average))
    take_steps(learner, 5)
    counted, last = learner.weights(), learner.model.state_dict()
    assert all(torch.equal(counted[name], last[name]) for name in last) == (average == 0.0)
    other = learner_of(Supervised(average=average), seed=1)
    other.load_weights(counted)
    assert other.evaluate() == learner.evaluate()

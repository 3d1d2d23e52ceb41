"""Compute is what really ran: the ledger of every algorithm against counts of our own."""

from __future__ import annotations

import pytest
import torch

from search_spaces import options
from trainables.learning.flops import FlopCounter
from trainables.learning.learner import Learner
from trainables.scenarios.scenario import load_scenario, scenario_names

ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
TRAIN, VALIDATE, FEATURES, CLASSES, BATCH, WIDTH = 210, 70, 6, 3, 32, 16
# 6 -> 16 -> 16 -> 3: a multiplication and an addition for each weight and example.
FORWARD = 2 * (FEATURES * WIDTH + WIDTH * WIDTH + WIDTH * CLASSES)
# Backward: each weight's gradient costs as much again, and so does the gradient of each layer's
# input, but nobody asks for that of the data.
BACKWARD = FORWARD + 2 * (WIDTH * WIDTH + WIDTH * CLASSES)
PASS = TRAIN * (FORWARD + BACKWARD)
STEP = BATCH * (FORWARD + BACKWARD)
STEPS = TRAIN // BATCH
LAST = {"training.selection": "last"}


def spent_at(learner: Learner, epochs: int) -> int:
    """What a run has spent when so many epochs are over and the next is not yet opened."""
    while learner.epoch < epochs - 1 or learner.step_in_epoch < learner.steps_per_epoch - 1:
        learner.advance(learner.compute + (STEP + 1) / learner.unit)
    return learner.spent + STEP


def test_a_unit_is_a_forward_and_a_backward_pass_over_all_training_examples(
    make_learner,
) -> None:
    learner = make_learner("curriculum", "plain", changes=LAST, horizon=3.0)
    assert learner.unit == PASS
    assert learner.horizon == 3 * PASS


@pytest.mark.parametrize(
    "algorithm", ["plain", "superloss", "self_paced", "easy_to_hard", "random_order"]
)
def test_a_unit_is_the_baselines_whatever_the_algorithm(make_learner, algorithm: str) -> None:
    assert make_learner("curriculum", algorithm, horizon=5.0).unit == PASS


@pytest.mark.parametrize("algorithm", ["plain", "superloss", "random_order"])
def test_epochs_of_nothing_but_steps_cost_their_steps(make_learner, algorithm: str) -> None:
    learner = make_learner("curriculum", algorithm, changes=LAST, horizon=10.0)
    # 210 examples are 6 batches of 32; the 18 left over are not trained on and not paid for.
    assert spent_at(learner, 4) == 4 * STEPS * STEP < 4 * PASS


def test_self_paced_pays_one_forward_pass_over_all_examples_an_epoch(make_learner) -> None:
    changes = {
        **LAST,
        "algorithm.self_paced.pacing.linear.full_at": 1.0,
    }
    learner = make_learner("curriculum", "self_paced", changes=changes, horizon=12.0)
    assert spent_at(learner, 4) == 4 * (STEPS * STEP + TRAIN * FORWARD)


def test_self_paced_scores_no_more_once_everything_is_let_in(make_learner) -> None:
    changes = {**LAST, "algorithm.self_paced.pacing.linear.start": 1.0}
    learner = make_learner("curriculum", "self_paced", changes=changes, horizon=10.0)
    assert spent_at(learner, 4) == 4 * STEPS * STEP


@pytest.mark.parametrize("algorithm", ["easy_to_hard", "anti_curriculum"])
@pytest.mark.parametrize("epochs", [1, 3])
def test_curricula_pay_for_training_their_scorer(make_learner, algorithm: str, epochs) -> None:
    changes = {**LAST, f"algorithm.{algorithm}.scorer.self_taught.epochs": epochs}
    learner = make_learner("curriculum", algorithm, changes=changes, horizon=10.0)
    scoring = epochs * PASS + TRAIN * FORWARD
    learner.advance(0.0)
    assert learner.compute == scoring / PASS, "done, and owed until it fits"
    assert learner.spent == 0
    learner.advance((scoring - 1) / PASS)
    assert (learner.spent, learner.epoch, learner.step_in_epoch) == (0, 0, 0)
    assert spent_at(learner, 2) == scoring + 2 * STEPS * STEP


def test_choosing_the_best_epoch_pays_for_validating_each(make_learner) -> None:
    changes = {"training.selection": "best"}
    learner = make_learner("curriculum", "plain", changes=changes, horizon=10.0)
    # Before the first epoch there is nothing to choose from.
    assert spent_at(learner, 4) == 4 * STEPS * STEP + 3 * VALIDATE * FORWARD


def test_evaluations_that_others_ask_for_are_told_but_not_taken_off_the_run(
    make_learner,
) -> None:
    learner = make_learner("curriculum", "plain", changes=LAST, horizon=2.0)
    learner.advance(1.0)
    trained = learner.spent
    learner.evaluate()
    assert learner.spent == trained
    assert learner.compute == (trained + VALIDATE * FORWARD) / PASS


@pytest.mark.exhaustive
@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
@pytest.mark.parametrize("setting", ["adamw", "sgd", "cnn"])
def test_the_ledger_equals_a_counter_that_is_always_on(
    make_learner, scenario: str, algorithm: str, setting: str
) -> None:
    learner = make_learner(scenario, algorithm, setting)
    with FlopCounter() as always_on:
        learner.begin(4.0)
        for stop in (0.5, 1.7, 4.0):
            learner.advance(stop)
            learner.evaluate()
    # Finding out what things cost is nobody's compute: the unit, and one step of each kind.
    with FlopCounter() as measuring, torch.random.fork_rng():
        make_learner(scenario, algorithm, setting).measure_unit()
    costs = learner.state_dict()["step_flops"]
    assert all(cost > 0 for cost in costs.values())
    assert costs
    ran = always_on.total - measuring.total - sum(costs.values())
    assert learner.compute == ran / learner.unit
    assert learner.spent <= learner.horizon


@pytest.mark.exhaustive
@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
def test_building_a_learner_costs_nothing(make_learner, scenario: str, algorithm: str) -> None:
    with FlopCounter() as counter:
        make_learner(scenario, algorithm, "cnn")
    assert counter.total == 0, "what is done before a run begins would never be paid for"


@pytest.mark.exhaustive
@pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
def test_counting_a_step_beforehand_changes_nothing(
    make_learner, assert_equal, scenario: str, algorithm: str
) -> None:
    counting, told = (make_learner(scenario, algorithm, horizon=5.0) for _ in range(2))
    counting.advance(5.0)
    costs = counting.state_dict()["step_flops"]
    known = {"step_flops": costs, "memory": counting.memory}
    told.load_state_dict({**told.state_dict(), **known})
    told.advance(5.0)
    assert counting.epoch * counting.steps_per_epoch + counting.step_in_epoch > 2
    assert_equal(told.state_dict(), counting.state_dict())

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean
from typing import Any

import pytest

from automl_cl.proposals import propose
from automl_cl.trials import Trial
from search_spaces import Config, Space, coordinates, decode, encode, from_config, narrowed
from trainables.scenario import load_scenario

MakeTrial = Callable[..., Trial]
SCENARIO = load_scenario("curriculum")
NARROWING = {"model": "mlp", "augmentation": "none", "training.epochs": {"low": 2, "high": 9}}


@pytest.fixture(scope="module")
def arm() -> Space:
    """The arm of SuperLoss."""
    return narrowed(Space.of(SCENARIO.recipe), NARROWING).only("algorithm", "superloss")


def loss(config: Config) -> float:
    """Least at a batch size of 64 and lambda 1, each counted in factors of e."""
    batch, lam = config["training"]["batch_size"], config["algorithm"]["lam"]
    return math.log(batch / 64) ** 2 + math.log(lam) ** 2


def searched(
    make_trial: MakeTrial,
    arm: Space,
    seed: int,
    mode: str = "min",
    count: int = 36,
    start: int = 0,
) -> list[Trial]:
    """A search of one arm, from its default on."""
    sign = 1 if mode == "min" else -1
    trials: list[Trial] = []
    for number in range(start, start + count):
        point, origin = encode(arm, arm.default()), "default"
        if trials:
            point, origin = propose(arm, trials, number, seed, mode)
        config = decode(arm, point)
        trial = make_trial(number, values=[sign * loss(config)] * 3, point=point, config=config)
        trial.origin = origin
        trials.append(trial)
    return trials


@pytest.fixture(scope="module")
def some_trials(make_trial: MakeTrial, arm: Space) -> list[Trial]:
    return searched(make_trial, arm, seed=3, count=12)


def test_the_same_question_has_the_same_answer(arm: Space, some_trials: list[Trial]) -> None:
    origins = set()
    for number in range(12, 24):
        one, other = (propose(arm, some_trials, number, 3, "min") for _ in range(2))
        assert one == other
        origins.add(one[1])
    assert origins == {"model", "random"}


def test_other_numbers_and_seeds_have_other_answers(arm: Space, some_trials: list[Trial]) -> None:
    asked = [propose(arm, some_trials, number, 3, "min")[0] for number in range(12, 20)]
    asked += [propose(arm, some_trials, 12, seed, "min")[0] for seed in range(4, 8)]
    assert all(one not in asked[:place] for place, one in enumerate(asked))


def test_without_results_a_proposal_is_random(arm: Space, make_trial: MakeTrial) -> None:
    points, origins = zip(*(propose(arm, [], n, 0, "max") for n in range(20)), strict=True)
    assert set(origins) == {"random"}
    assert len({point["optimizer"] for point in points}) > 1


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_model_learns(arm: Space, make_trial: MakeTrial, mode: str) -> None:
    found: dict[str, list[float]] = {"model": [], "random": []}
    for seed in range(3):
        for trial in searched(make_trial, arm, seed, mode)[12:]:
            found[trial.origin].append(loss(trial.config))
    assert min(len(losses) for losses in found.values()) >= 12
    assert fmean(found["model"]) < 0.6 * fmean(found["random"])


def test_every_proposal_is_a_valid_config(arm: Space, some_trials: list[Trial]) -> None:
    for number in range(100, 130):
        point, _ = propose(arm, some_trials, number, 0, "max")
        assert set(point) == set(coordinates(arm))
        recipe = from_config(SCENARIO.recipe, decode(arm, point))
        assert recipe.algorithm.part_name() == "superloss"


def test_running_failed_and_stopped_trials_do_no_harm(
    arm: Space, some_trials: list[Trial], make_trial: MakeTrial
) -> None:
    draw = random.Random(0)
    others: list[Any] = [
        {"status": "running"},
        {"status": "running", "values": [0.3]},
        {"status": "stopped", "values": [0.2]},
        {"status": "diverged"},
        {"status": "failed", "values": [0.1]},
    ]
    more = [
        make_trial(12 + n, point=propose(arm, [], n, 0, "min")[0], **draw.choice(others))
        for n in range(20)
    ]
    for number in range(40, 50):
        one, other = (propose(arm, [*some_trials, *more], number, 3, "min") for _ in range(2))
        assert one == other
        decode(arm, one[0])


def test_the_model_learns_from_the_highest_level_with_enough_trials(
    arm: Space, make_trial: MakeTrial
) -> None:
    # At the first level small batches look best, at the second large ones; the end says nothing.
    draw, trials = random.Random(1), []
    for number in range(60):
        point = propose(arm, [], number, 0, "max")[0]
        batch = point["training.batch_size"]
        values = [-batch, batch] if number < 30 else [-batch]
        trials.append(make_trial(number, values=values, point=point, status="stopped"))
    draw.shuffle(trials)
    asked = [propose(arm, trials, number, 0, "max") for number in range(60, 100)]
    batches = [math.log2(point["training.batch_size"]) for point, who in asked if who == "model"]
    assert len(batches) > 20
    assert fmean(batches) > 7.5
    few_above = [t for t in trials if len(t.rungs) == 2][:5]
    few_above += [t for t in trials if len(t.rungs) == 1]
    asked = [propose(arm, few_above, number, 0, "max") for number in range(60, 100)]
    batches = [math.log2(point["training.batch_size"]) for point, who in asked if who == "model"]
    assert fmean(batches) < 5.5


def test_a_space_with_nothing_to_choose(arm: Space, make_trial: MakeTrial) -> None:
    fixed = {
        "optimizer": {"name": "adamw", "lr": 1e-3, "weight_decay": 1e-2, "beta1": 0.9},
        "schedule": "constant",
        "training": {"epochs": 9, "batch_size": 64, "selection": "last"},
        "algorithm": {"superloss": {"lam": 1.0, "threshold": "average"}},
    }
    single = narrowed(arm, fixed)
    trials = [make_trial(n, values=[n] * 3) for n in range(9)]
    asked = [propose(single, trials, number, 0, "max") for number in range(9, 20)]
    assert [point for point, _ in asked] == [{}] * 11
    assert {origin for _, origin in asked} == {"model", "random"}
    assert decode(single, {}) == single.default()

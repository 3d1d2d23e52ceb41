from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean
from typing import Any

import pytest
from scipy.stats import norm

from automl_cl.run.trial import Trial
from automl_cl.strategy.proposals import Proposals, standings
from automl_cl.strategy.samplers.tpe import Tpe
from search_spaces import (
    Config,
    FlatSpace,
    Point,
    Space,
    coordinates,
    decode,
    encode,
    from_config,
    narrowed,
)
from trainables.scenarios.scenario import load_scenario

MakeTrial = Callable[..., Trial]
SCENARIO = load_scenario("curriculum")
NARROWING = {"model": "mlp", "augmentation": "none", "training.epochs": {"low": 2, "high": 9}}


@pytest.fixture(scope="module")
def arm() -> Space:
    """The arm of SuperLoss."""
    return narrowed(Space.of(SCENARIO.recipe), NARROWING).only("algorithm", "superloss")


@pytest.fixture(scope="module")
def proposals(arm: Space) -> Proposals:
    return Proposals(FlatSpace(coordinates(arm)), encode(arm, arm.default()), Tpe())


def loss(config: Config) -> float:
    """Least at a batch size of 64 and lambda 1, each counted in factors of e."""
    batch, lam = config["training"]["batch_size"], config["algorithm"]["lam"]
    return math.log(batch / 64) ** 2 + math.log(lam) ** 2


def searched(
    make_trial: MakeTrial,
    arm: Space,
    proposals: Proposals,
    seed: int,
    mode: str = "min",
    count: int = 36,
) -> list[Trial]:
    """A search of one arm, from its default on."""
    sign = 1 if mode == "min" else -1
    trials: list[Trial] = []
    for number in range(count):
        point, origin = proposals.next(trials, number, seed, mode)
        config = decode(arm, point)
        trial = make_trial(number, values=[sign * loss(config)] * 3, point=point, config=config)
        trial.origin = origin
        trials.append(trial)
    return trials


@pytest.fixture(scope="module")
def some_trials(make_trial: MakeTrial, arm: Space, proposals: Proposals) -> list[Trial]:
    return searched(make_trial, arm, proposals, seed=3, count=12)


def test_the_published_default_comes_first(arm: Space, proposals: Proposals) -> None:
    point, origin = proposals.next([], 7, 0, "max")
    assert (decode(arm, point), origin) == (arm.default(), "default")


def test_the_same_question_has_the_same_answer(
    proposals: Proposals, some_trials: list[Trial]
) -> None:
    origins = set()
    for number in range(12, 24):
        one, other = (proposals.next(some_trials, number, 3, "min") for _ in range(2))
        assert one == other
        origins.add(one[1])
    assert origins == {"model", "random"}


def test_other_numbers_and_seeds_have_other_answers(
    proposals: Proposals, some_trials: list[Trial]
) -> None:
    asked = [proposals.next(some_trials, number, 3, "min")[0] for number in range(12, 20)]
    asked += [proposals.next(some_trials, 12, seed, "min")[0] for seed in range(4, 8)]
    assert all(one not in asked[:place] for place, one in enumerate(asked))


def test_without_enough_results_a_proposal_is_random(
    proposals: Proposals, make_trial: MakeTrial
) -> None:
    few = [make_trial(n, values=[n], point=proposals.default) for n in range(3)]
    asked = [proposals.next(few, n, 0, "max") for n in range(20)]
    assert {origin for _, origin in asked} == {"random"}
    assert len({point["optimizer"] for point, _ in asked}) > 1


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_model_learns(
    arm: Space, proposals: Proposals, make_trial: MakeTrial, mode: str
) -> None:
    found: dict[str, list[float]] = {"model": [], "random": []}
    for seed in range(3):
        for trial in searched(make_trial, arm, proposals, seed, mode)[12:]:
            found[trial.origin].append(loss(trial.config))
    assert min(len(losses) for losses in found.values()) >= 10
    assert fmean(found["model"]) < 0.6 * fmean(found["random"])


def test_every_proposal_is_a_valid_config(
    arm: Space, proposals: Proposals, some_trials: list[Trial]
) -> None:
    near = Proposals(proposals.space, proposals.default, proposals.sampler, prior_share=0.5)
    for number in range(100, 130):
        for each in (proposals, near):
            point, _ = each.next(some_trials, number, 0, "max")
            assert set(point) == set(coordinates(arm))
            recipe = from_config(SCENARIO.recipe, decode(arm, point))
            assert recipe.algorithm.part_name() == "superloss"


def test_running_failed_and_stopped_trials_do_no_harm(
    arm: Space, proposals: Proposals, some_trials: list[Trial], make_trial: MakeTrial
) -> None:
    draw = random.Random(0)
    others: list[Any] = [
        {"status": "running"},
        {"status": "running", "values": [0.3]},
        {"status": "paused", "values": [0.2]},
        {"status": "diverged"},
        {"status": "failed", "values": [0.1]},
    ]
    rng = random.Random(1)
    more = [
        make_trial(12 + n, point=proposals.space.draw(rng), **draw.choice(others))
        for n in range(20)
    ]
    for number in range(40, 50):
        one, other = (proposals.next([*some_trials, *more], number, 3, "min") for _ in range(2))
        assert one == other
        decode(arm, one[0])


def test_a_space_with_nothing_to_choose(arm: Space, make_trial: MakeTrial) -> None:
    fixed = {
        "optimizer": {
            "name": "adamw",
            "adamw": {"lr": 1e-3, "weight_decay": 1e-2, "beta1": 0.9, "beta2": 0.999},
        },
        "schedule": "constant",
        "training": {"epochs": 9, "batch_size": 64, "selection": "last"},
        "algorithm": {"superloss": {"lam": 1.0, "threshold": "average"}},
    }
    single = narrowed(arm, fixed)
    assert coordinates(single) == {}
    trials = [make_trial(n, values=[n] * 3) for n in range(9)]
    nothing = Proposals(FlatSpace({}), {}, Tpe())
    assert [nothing.next(trials, number, 0, "max")[0] for number in range(9, 20)] == [{}] * 11
    assert decode(single, {}) == single.default()


# Near what is known.


def test_some_proposals_lie_near_the_published_config_or_the_best(
    arm: Space, proposals: Proposals, some_trials: list[Trial]
) -> None:
    default = proposals.space.draw(random.Random(4))
    near = Proposals(proposals.space, default, proposals.sampler, prior_share=0.5)
    asked = [near.next(some_trials, number, 0, "min") for number in range(12, 112)]
    by_origin: dict[str, list[Point]] = {}
    for point, origin in asked:
        by_origin.setdefault(origin, []).append(point)
    assert 35 < len(by_origin["prior"]) + len(by_origin["incumbent"]) < 65
    best = min(some_trials, key=lambda trial: trial.rungs[-1].value).point
    for origin, known in (("prior", default), ("incumbent", best)):
        off = [_distance(proposals.space, point, known) for point in by_origin[origin]]
        chance = [_distance(proposals.space, point, known) for point in by_origin["random"]]
        assert fmean(off) < 0.7 * fmean(chance)


def _distance(space: FlatSpace, one: Point, other: Point) -> float:
    pairs = zip(space.features(one), space.features(other), strict=True)
    return sum((a - b) ** 2 for a, b in pairs)


# What trials that were stopped at different rungs say of each other.


def places(trials: list[Trial], mode: str = "max") -> list[int]:
    """The numbers of the trials, the best first."""
    told = standings(trials, mode)
    assert [each.point for each in told] == [trial.point for trial in trials]
    paired = zip((each.standing for each in told), trials, strict=True)
    return [t.number for s, t in sorted((s, t) for s, t in paired if s is not None)]


@pytest.fixture(autouse=True)
def _trials_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "__lt__", lambda a, b: a.number < b.number, raising=False)


def test_standings_by_hand(make_trial: MakeTrial) -> None:
    # First reports rank 3 1 0 2 4. At the second rung 1, 0 and 3, which hold ranks 0, 1 and 2,
    # are put in order 0 1 3; at the last rung 1 and 0, which hold ranks 0 and 1, as 1 0.
    trials = [
        make_trial(0, values=[7, 9, 1]),
        make_trial(1, values=[8, 8, 2]),
        make_trial(2, values=[6], status="stopped"),
        make_trial(3, values=[9, 7], status="stopped"),
        make_trial(4, values=[5], status="stopped"),
    ]
    assert places(trials) == [1, 0, 3, 2, 4]
    scores = [each.standing for each in standings(trials, "max")]
    assert scores[1] == pytest.approx(norm.ppf(0.625 / 5.25))
    assert scores[4] == pytest.approx(-norm.ppf(0.625 / 5.25))
    assert scores[3] == pytest.approx(0.0)


def test_a_value_from_a_low_rung_is_never_compared_with_one_from_a_high_rung(
    make_trial: MakeTrial,
) -> None:
    # Losses fall with training: had they been compared, those that were trained longest would
    # all stand first in one mode and last in the other.
    draw = random.Random(2)
    worth = [draw.random() for _ in range(30)]
    trials = [
        make_trial(n, values=[w + 10, w + 5, w][: 3 if n % 3 == 0 else 1], status="stopped")
        for n, w in enumerate(worth)
    ]
    assert places(trials, "min") == sorted(range(30), key=lambda n: worth[n])


def test_what_failed_stands_last_and_what_is_at_work_not_at_all(make_trial: MakeTrial) -> None:
    trials = [
        make_trial(0, status="diverged"),
        make_trial(1, values=[5, 5, 5]),
        make_trial(2, status="running"),
        make_trial(3, values=[9], status="failed"),
        make_trial(4, values=[1], status="stopped"),
    ]
    standing = [each.standing for each in standings(trials, "max")]
    assert standing[2] is None
    rest = [each for each in standing if each is not None]
    assert min(rest) == standing[1] < standing[4] < standing[0] == standing[3] == max(rest)


def test_at_most_300_trials_are_told_and_those_that_got_furthest_are_among_them(
    make_trial: MakeTrial,
) -> None:
    trials = [make_trial(n, values=[n, n, n], point={"x": n}) for n in range(10)]
    trials += [make_trial(n, values=[n], point={"x": n}, status="stopped") for n in range(10, 900)]
    told = standings(trials, "max")
    assert [each.point["x"] for each in told] == [*range(10), *range(610, 900)]

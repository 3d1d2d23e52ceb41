from __future__ import annotations

import random
from statistics import fmean

import pytest

from automl_cl.strategy.sampler import Sampler, Told
from search_spaces import Categorical, FlatSpace, Float, Int, Point, options
from search_spaces.ranges import position_of

ALL = sorted(options(Sampler))  # type: ignore[type-abstract]
LEARNING = sorted(set(ALL) - {"random"})
SPACE = FlatSpace(
    {
        "lr": Float(1e-4, 1.0, log=True),
        "momentum": Float(0.0, 0.9),
        "batch_size": Int(16, 256, log=True),
        "schedule": Categorical(["constant", "cosine"]),
    }
)


def sampler_of(name: str) -> Sampler:
    return options(Sampler)[name]()  # type: ignore[type-abstract]


def loss(point: Point) -> float:
    """Least at a learning rate of 1e-2 and momentum 0.6."""
    lr, momentum = (position_of(SPACE.ranges[k], point[k]) for k in ("lr", "momentum"))
    return (lr - 0.5) ** 2 + (momentum - 2 / 3) ** 2


def told_at_random(count: int, seed: int = 0) -> list[Told]:
    rng = random.Random(seed)
    points = [SPACE.draw(rng) for _ in range(count)]
    return [Told(point, loss(point)) for point in points]


@pytest.mark.parametrize("name", ALL)
def test_a_proposal_lies_in_the_space_and_depends_on_nothing_but_what_is_told(name: str) -> None:
    sampler, told = sampler_of(name), told_at_random(9)
    told.append(Told(SPACE.draw(random.Random(9)), None))
    one, other = (sampler.ask(SPACE, told, 3) for _ in range(2))
    assert one == other
    assert set(one) == set(SPACE.ranges)
    for key, allowed in SPACE.ranges.items():
        assert allowed._contains(allowed.to_internal_repr(one[key]))
    assert sampler.ask(SPACE, told, 4) != one


@pytest.mark.parametrize("name", LEARNING)
def test_a_model_proposes_better_than_chance(name: str) -> None:
    sampler = sampler_of(name)
    told = told_at_random(30)
    proposed = fmean(loss(sampler.ask(SPACE, told, seed)) for seed in range(3))
    assert proposed < 0.5 * fmean(each.standing or 0.0 for each in told)


@pytest.mark.parametrize("name", ["forest", "tpe"])
def test_proposals_at_the_same_time_do_not_pile_up(name: str) -> None:
    sampler, told = sampler_of(name), told_at_random(30)
    at_work: list[Told] = []
    for seed in range(8):
        at_work.append(Told(sampler.ask(SPACE, [*told, *at_work], seed), None))
    rates = {round(position_of(SPACE.ranges["lr"], each.point["lr"]), 2) for each in at_work}
    assert len(rates) >= 5


def test_random_search_covers_each_range_on_its_own_scale() -> None:
    rng = random.Random(0)
    drawn = [SPACE.draw(rng) for _ in range(400)]
    assert 0.4 < fmean(point["lr"] < 1e-2 for point in drawn) < 0.6
    assert 0.4 < fmean(point["schedule"] == "cosine" for point in drawn) < 0.6
    assert {point["batch_size"] for point in drawn} >= {16, 17, 18}
    assert sampler_of("random").ask(SPACE, [], 1) in [SPACE.draw(random.Random(1))]


def test_near_a_point_by_hand() -> None:
    point = {"lr": 1e-2, "momentum": 0.45, "batch_size": 64, "schedule": "cosine"}
    rng = random.Random(0)
    found = [SPACE.near(point, rng, 0.1) for _ in range(300)]
    off = [position_of(SPACE.ranges["lr"], each["lr"]) - 0.5 for each in found]
    assert abs(fmean(off)) < 0.02
    assert 0.08 < fmean(x * x for x in off) ** 0.5 < 0.12
    assert 0.85 < fmean(each["schedule"] == "cosine" for each in found) <= 1.0
    assert SPACE.near(point, rng, 0.0) == pytest.approx(point)


def test_features_are_positions_and_one_number_a_category() -> None:
    point = {"lr": 1e-2, "momentum": 0.9, "batch_size": 16, "schedule": "cosine"}
    assert SPACE.features(point) == pytest.approx([0.5, 1.0, 0.0, 0.0, 1.0])

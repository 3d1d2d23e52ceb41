from __future__ import annotations

from collections.abc import Callable

import pytest

from automl_cl.run.trial import Trial
from automl_cl.strategy.objectives import objectives_of, on_front, pareto_front, scalarised
from automl_cl.strategy.units import bytes_of, in_bytes
from search_spaces import InputError

MakeTrial = Callable[..., Trial]
INF = float("inf")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([[1, 1]], [True]),
        ([[1, 2], [2, 1], [2, 2]], [True, True, False]),
        ([[1, 2], [1, 2]], [True, True]),  # equal ones do not beat each other
        ([[1, 2], [1, 3]], [True, False]),  # as good in one and better in the other
        ([[1, INF], [2, 2]], [False, True]),  # what is not known beats nobody
        ([[1, 3, 3], [3, 1, 3], [3, 3, 1], [3, 3, 3]], [True, True, True, False]),
    ],
)
def test_which_points_are_on_the_front(points: list[list[float]], expected: list[bool]) -> None:
    assert on_front(points) == expected


def test_the_front_of_trials(make_trial: MakeTrial) -> None:
    values, compute = [0.5, 0.9, 0.8, 0.8, 0.7], [1.0, 9.0, 3.0, 4.0, 3.0]
    trials = [
        make_trial(n, values=[v], levels=[c], compute=c)
        for n, (v, c) in enumerate(zip(values, compute, strict=True))
    ]
    trials.append(make_trial(5, values=[0.99], levels=[0.5], status="stopped"))
    trials.append(make_trial(6, values=[0.99], levels=[0.5], stage="confirm"))
    cheap = objectives_of("accuracy", {}, ["compute"])
    assert [t.number for t in pareto_front(trials, "max", cheap)] == [1, 2, 0]
    assert [t.number for t in pareto_front(trials, "min", cheap)] == [0]


def test_a_metric_of_which_more_is_better_is_an_objective_too(make_trial: MakeTrial) -> None:
    trials = [make_trial(n, values=[v], levels=[1.0]) for n, v in enumerate([0.9, 0.8, 0.7])]
    for trial, other in zip(trials, [0.1, 0.3, 0.2], strict=True):
        trial.rungs[0].metrics["retained"] = other
    found = objectives_of("accuracy", {"retained": "max"}, ["retained"])
    assert [t.number for t in pareto_front(trials, "max", found)] == [0, 1]


def test_what_was_stopped_is_told_the_compute_of_its_whole_horizon(make_trial: MakeTrial) -> None:
    (compute,) = objectives_of("accuracy", {}, ["compute"])
    assert compute.of(make_trial(values=[0.1], levels=[2.0, 8.0], status="stopped")) == 8.0
    assert compute.of(make_trial()) is None


def test_the_chebyshev_norm_by_hand() -> None:
    # max(0.25 x 0.4, 0.75 x 0.2) + 0.05 (0.1 + 0.15); the other has max(0, 0.75) + 0.05 x 0.75.
    found = scalarised([[0.4, 0.2], [0.0, 1.0]], [0.25, 0.75])
    assert found == pytest.approx([0.1625, 0.7875])


def test_every_point_of_a_concave_front_is_the_best_under_some_weights() -> None:
    front = [[0.0, 1.0], [0.7, 0.7], [1.0, 0.0]]  # no weighted sum is the least in the middle
    best = set()
    for weight in (0.1, 0.5, 0.9):
        worth = scalarised(front, [weight, 1 - weight])
        best.add(worth.index(min(worth)))
    assert best == {0, 1, 2}


def test_unknown_objectives() -> None:
    with pytest.raises(InputError, match=r"'forgeting'.* Did you mean 'forgetting'\?"):
        objectives_of("accuracy", {"forgetting": "min"}, ["forgeting"])
    with pytest.raises(InputError, match="'accuracy' is what the verdict is about anyway"):
        objectives_of("accuracy", {"loss": "min"}, ["accuracy"])


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        ("1000", 1000),
        ("1.5GB", 1_500_000_000),
        (" 2 kb ", 2000),
        ("512MiB", 512 * 2**20),
        (".5TiB", 2**39),
        (7, 7),
    ],
)
def test_amounts_of_memory(given: object, amount: int) -> None:
    assert bytes_of(given, "--max-memory") == amount


@pytest.mark.parametrize(
    "given", ["", "much", "-1GB", "1.5XB", "1e9", "GB", "nan", None, 1.5, True]
)
def test_what_is_no_amount_of_memory(given: object) -> None:
    with pytest.raises(InputError, match="--max-memory"):
        bytes_of(given, "--max-memory")


def test_amounts_in_words() -> None:
    words = [in_bytes(amount) for amount in (12, 999, 999.6, 1_234_567, 2e9, 3.21e15)]
    assert words == ["12 bytes", "999 bytes", "1 kB", "1.23 MB", "2 GB", "3.21e+03 TB"]

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from automl_cl.history.portfolio import PastTask, portfolio, ranks
from automl_cl.run.trial import Trial
from search_spaces import FlatSpace, Float, Point

SPACE = FlatSpace({"x": Float(0.0, 1.0)})
A, B, C, D, DEFAULT = ({"x": x} for x in (0.1, 0.3, 0.5, 0.7, 0.9))
#        a    b    c    d
PAPER = [
    (0.0, 0.4, 0.9, 0.3),
    (0.9, 0.3, 0.0, 0.5),
    (0.8, 0.2, 0.9, 0.7),
]


def past(losses: Sequence[float], default: float = 1.0, distance: float = 0.0) -> PastTask:
    """The four configs and the default on one task."""
    return PastTask([DEFAULT, A, B, C, D], [default, *losses], [0, 1, 2, 3, 4], distance=distance)


def test_a_portfolio_worked_out_on_paper() -> None:
    # Means: a 0.567, b 0.3, c 0.6, d 0.5. After b: a 0.167, c 0.2, d 0.267. After a: c 0.067.
    # After c nothing is left to gain: d is nowhere the best.
    tasks = [past(losses) for losses in PAPER]
    assert portfolio(SPACE, DEFAULT, tasks, 4) == [B, A, C]
    assert portfolio(SPACE, DEFAULT, tasks, 2) == [B, A]


def test_what_the_default_does_well_needs_no_second_config() -> None:
    # The default is as good as b everywhere, so the first choice is what was the second.
    tasks = [past(losses, default) for losses, default in zip(PAPER, (0.4, 0.3, 0.2), strict=True)]
    assert portfolio(SPACE, DEFAULT, tasks, 4) == [A, C]


def test_the_default_is_never_in_it_and_nothing_is_twice() -> None:
    tasks = [past((0.5, 0.5, 0.5, 0.5), default=0.0)] * 5
    assert portfolio(SPACE, DEFAULT, tasks, 4) == []


def test_with_few_tasks_the_bests_of_the_nearest_come_in_turn() -> None:
    far, near = past(PAPER[0], distance=2.0), past(PAPER[1], distance=0.5)
    assert portfolio(SPACE, DEFAULT, [far, near], 3) == [C, A, B]
    assert portfolio(SPACE, DEFAULT, [far], 4) == [A, D, B, C]
    assert portfolio(SPACE, DEFAULT, [], 4) == []


def test_only_what_was_trained_to_its_end_is_proposed() -> None:
    stopped = PastTask([A, B], [0.0, 0.5], candidates=[1])
    assert portfolio(SPACE, DEFAULT, [stopped], 4) == [B]
    assert portfolio(SPACE, DEFAULT, [PastTask([A], [0.0], [])] * 3, 4) == []


def wide(best: float) -> PastTask:
    """A task of 40 configs of its own, the loss rising with the distance from the best."""
    points: list[Point] = [{"x": (i + best) / 40} for i in range(40)]
    return PastTask(points, [abs(p["x"] - best) for p in points], range(40))


def test_configs_that_no_two_tasks_share_are_compared_by_prediction() -> None:
    found = portfolio(SPACE, {"x": 0.0}, [wide(0.61), wide(0.6), wide(0.62), wide(0.2)], 2)
    assert abs(found[0]["x"] - 0.6) < 0.08
    assert abs(found[1]["x"] - 0.2) < 0.08


def test_a_config_that_was_moved_is_not_known_by_its_old_loss() -> None:
    # At 0.9 all went badly; one trial that did well elsewhere was moved there.
    points: list[Point] = [{"x": i / 20} for i in range(18)] + [{"x": 0.9}]
    losses = [p["x"] for p in points]
    losses[-1] = 0.0
    honest = PastTask(points, losses, range(19), moved=frozenset({18}))
    assert portfolio(SPACE, {"x": 1.0}, [honest] * 3, 1)[0]["x"] < 0.1
    assert portfolio(SPACE, {"x": 1.0}, [PastTask(points[1:], losses[1:], range(18))] * 3, 1) == [
        {"x": 0.9}
    ]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_ranks_worked_out_on_paper(make_trial: Callable[..., Trial], mode: str) -> None:
    sign = 1 if mode == "max" else -1
    a = make_trial(0, values=[sign * v for v in (0.5, 0.6, 0.9)])
    b = make_trial(1, values=[sign * v for v in (0.4, 0.7, 0.8)])
    c = make_trial(2, values=[sign * 0.45], status="stopped")
    d = make_trial(3, status="diverged")
    e = make_trial(4, status="stopped")
    f = make_trial(5, status="failed")
    # First rung a, c, b. At the last a is before b, so a keeps the first of the two's places.
    assert ranks([a, b, c, d, e, f], mode) == {0: 0.0, 2: 1 / 3, 1: 2 / 3, 3: 1.0, 5: 1.0}

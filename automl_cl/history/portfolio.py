"""Portfolios: the few configs that would have served past tasks best between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from automl_cl.run.trial import Trial
from automl_cl.strategy.proposals import standings
from search_spaces import FlatSpace, Point

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

SIZE = 4
FEWEST_TASKS = 3
CANDIDATES = 10
TREES = 100


@dataclass(frozen=True)
class PastTask:
    """The results of an arm's trials on one task.

    Attributes:
        points: in the present space.
        losses: of each, see `ranks`; 0 for the best.
        candidates: places of those that were trained to their end and may be proposed again.
        moved: places of those that were tried elsewhere, and put into this space since.
        distance: from the present task, see `meta_features.distance`.
    """

    points: Sequence[Point]
    losses: Sequence[float]
    candidates: Sequence[int]
    moved: frozenset[int] = frozenset()
    distance: float = 0.0

    @property
    def best_first(self) -> list[int]:
        """The candidates, the best first."""
        return sorted(self.candidates, key=lambda place: (self.losses[place], place))


def ranks(trials: Sequence[Trial], mode: str) -> dict[int, float]:
    """The ranks of one search's trials among each other, from 0 (best) to 1 (worst).

    Trials that were stopped early are compared with others at what both reached, as proposals
    compare them; those that failed or diverged share the last place. A trial without any report
    is left out.

    Returns:
        The rank by the trial's number.
    """
    told = {
        trial.number: each.standing
        for trial, each in zip(trials, standings(trials, mode), strict=True)
        if each.standing is not None
    }
    levels = sorted(set(told.values()))
    place = {standing: index for index, standing in enumerate(levels)}
    last = max(1, len(levels) - 1)
    return {number: place[standing] / last for number, standing in told.items()}


def portfolio(
    space: FlatSpace, default: Point, tasks: Sequence[PastTask], size: int = SIZE, seed: int = 0
) -> list[Point]:
    """Points to propose after the published default, in order.

    From three tasks on: greedily the one that lowers most the mean over tasks of the best loss so
    far, out of the ten best of each task. Where a point was not tried on a task, its loss there
    is what a forest over the points that were tried predicts. With fewer tasks: the bests of each
    in turn, the nearest task first.

    Source: Feurer et al. 2022 (Auto-sklearn 2.0) and Wistuba et al. 2015 for greedy portfolios.

    Args:
        space: of the arm.
        default: the published config, which goes before them and is none of them.
        tasks: past ones.
        size: at most so many.
        seed: of the forests.
    """
    tasks = [task for task in tasks if task.candidates]
    if len(tasks) < FEWEST_TASKS:
        return _distinct(default, _bests_in_turn(space, tasks))[1 : size + 1]
    bests = (task.points[place] for task in tasks for place in task.best_first[:CANDIDATES])
    candidates = _distinct(default, map(space.nearest, bests))
    return [candidates[i] for i in _greedy(_losses(space, tasks, candidates, seed), size)]


def _greedy(losses: Matrix, size: int) -> list[int]:
    """Columns of [tasks, candidates], chosen one by one; the first is chosen before."""
    import numpy as np

    best, chosen = losses[:, 0], [0]
    while len(chosen) < min(size + 1, losses.shape[1]):
        means = np.minimum(losses, best[:, None]).mean(axis=0)
        if means.min() >= best.mean():  # more of them would serve no task better
            break
        chosen.append(int(means.argmin()))
        best = np.minimum(best, losses[:, chosen[-1]])
    return chosen[1:]


def _losses(
    space: FlatSpace, tasks: Sequence[PastTask], candidates: Sequence[Point], seed: int
) -> Matrix:
    """Each candidate's loss on each task, [tasks, candidates]."""
    import numpy as np
    from sklearn.ensemble import ExtraTreesRegressor

    wanted = np.array([space.features(point) for point in candidates])
    found = np.empty((len(tasks), len(candidates)))
    for row, task in zip(found, tasks, strict=True):
        known = np.array([space.features(point) for point in task.points])
        forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed % 2**32)
        row[:] = forest.fit(known, np.array(task.losses)).predict(wanted)
        for place, point in enumerate(candidates):
            tried = [
                loss
                for index, loss in enumerate(task.losses)
                if task.points[index] == point and index not in task.moved
            ]
            if tried:
                row[place] = fmean(tried)
    return found


def _bests_in_turn(space: FlatSpace, tasks: Sequence[PastTask]) -> Iterator[Point]:
    nearest = sorted(tasks, key=lambda task: task.distance)
    ordered = [task.best_first for task in nearest]
    for rank in range(max(map(len, ordered), default=0)):
        for task, best_first in zip(nearest, ordered, strict=True):
            if rank < len(best_first):
                yield space.nearest(task.points[best_first[rank]])


def _distinct(first: Point, others: Iterable[Point]) -> list[Point]:
    found = [first]
    for point in others:
        if point not in found:
            found.append(point)
    return found

"""Proposals: the next point of an arm, from what its trials have shown."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_cl.run.events import Status
from automl_cl.run.trial import BROKEN, Rung, Trial
from automl_cl.strategy.objectives import Objective, scalarised
from automl_cl.strategy.sampler import Sampler, Told
from search_spaces import FlatSpace, Point, Space, coordinates, encode
from trainables.foundation.seeds import derive_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RANDOM_SHARE = 0.25
FEWEST_POINTS = 8
MOST_POINTS = 300
PRIOR_SPREAD = 0.2


@dataclass(frozen=True)
class Proposals:
    """The way that an arm's points are proposed.

    Attributes:
        space: the arm's coordinates.
        default: the published config, which is proposed first.
        portfolio: what is proposed after it: configs that served past tasks.
        sampler: what proposes once there is something to learn from.
        prior_share: the share of proposals near the published config or, as often as that one is
            not the best any more, near the best so far (PriorBand, Mallik et al. 2023).
        objectives: where there are any, every other model proposal is for a trade-off of the
            metric with them.
    """

    space: FlatSpace
    default: Point
    sampler: Sampler
    prior_share: float = 0.0
    objectives: Sequence[Objective] = ()
    portfolio: tuple[Point, ...] = ()

    def next(
        self, trials: Sequence[Trial], number: int, seed: int, mode: str
    ) -> tuple[Point, str]:
        """The next point, which depends on nothing but what is handed in.

        Args:
            trials: the arm's search trials so far, by number.
            number: of the trial to come.
            seed: of the search.
            mode: `max` or `min`.

        Returns:
            The point and its origin: `default`, `portfolio`, `random`, `prior`, `incumbent`,
            `model` or `trade-off`.
        """
        own = sum(trial.origin != "fork" for trial in trials)
        if not own:
            return self.default, "default"
        if own <= len(self.portfolio):
            return self.space.nearest(self.portfolio[own - 1]), "portfolio"
        if not self.space.ranges:
            return {}, "random"
        own_seed = derive_seed(seed, "proposal", number)
        rng = random.Random(own_seed)
        chance, shown = rng.random(), sum(bool(trial.rungs) for trial in trials)
        if chance < self.prior_share:
            return self._near_the_known(standings(trials, mode), rng)
        if chance < self.prior_share + RANDOM_SHARE or shown < FEWEST_POINTS:
            return self.space.draw(rng), "random"
        told, origin = standings(trials, mode), "model"
        if self.objectives and len(trials) % 2:
            told, origin = trade_offs(trials, mode, self.objectives, rng), "trade-off"
        return self.sampler.ask(self.space, told, own_seed % 2**32), origin

    def _near_the_known(self, told: Sequence[Told], rng: random.Random) -> tuple[Point, str]:
        compared = [each for each in told if each.standing is not None]
        best = min(compared, key=lambda each: each.standing or 0.0, default=None)
        known, origin = self.default, "prior"
        if best is not None and best.point != self.default and rng.random() < 0.5:
            known, origin = best.point, "incumbent"
        return self.space.near(known, rng, PRIOR_SPREAD), origin


def proposals_of(
    arm: Space,
    sampler: Sampler,
    prior_share: float,
    objectives: Sequence[Objective],
    portfolio: Sequence[Point],
) -> Proposals:
    """How the points of an arm's space are proposed; see `Proposals`."""
    default = encode(arm, arm.default())
    space = FlatSpace(coordinates(arm))
    return Proposals(space, default, sampler, prior_share, objectives, tuple(portfolio))


def standings(
    trials: Sequence[Trial], mode: str, reading: Callable[[Rung], float] = lambda rung: rung.value
) -> list[Told]:
    """The standings of an arm's trials, even if they were stopped at different rungs.

    All are ranked by their first report. Those that got to the second are then put in order by
    what they showed there, among the ranks that they hold; and so on upwards. So a value is only
    ever compared with values at the same compute, each trial counts, and the last word on those
    that were trained longest is what they came to. Trials that failed, diverged or cost more than
    they may stand last; ranks are told as normal scores. At most 300 trials are told: those that
    got furthest, then the latest.

    Args:
        trials: the arm's search trials.
        mode: `max` or `min`.
        reading: what of a report is compared; the metric's value if not given.
    """
    chosen = _told_of(trials)
    broken = [trial for trial in chosen if trial.status in BROKEN]
    shown = [trial for trial in chosen if trial.rungs and trial not in broken]
    order = _in_order(shown, mode, reading)
    scores = _normal_scores(len(order) + len(broken))
    score_of = {trial.number: score for trial, score in zip(order, scores, strict=False)}
    score_of |= {trial.number: scores[-1] for trial in broken}
    return [Told(trial.point, score_of.get(trial.number)) for trial in chosen]


def trade_offs(
    trials: Sequence[Trial], mode: str, objectives: Sequence[Objective], rng: random.Random
) -> list[Told]:
    """The standings of an arm's trials by a trade-off of the metric with the objectives.

    Its weights are drawn anew each time, uniformly, so that all of the front is sought in turn
    (ParEGO, Knowles 2006). Each objective counts by ranks, ties being shared; metrics are compared
    as by `standings`, costs as what the whole training would cost.
    """
    from scipy.stats import rankdata

    chosen, told = _told_of(trials), standings(trials, mode)
    shown = [place for place, each in enumerate(told) if each.standing is not None]
    columns = [[told[place].standing for place in shown]]
    for objective in objectives:
        if objective.is_cost:
            broken = {t.number for t in chosen if t.status in BROKEN}
            costs = [(chosen[place], objective.cost(chosen[place])) for place in shown]
            columns.append([math.inf if t.number in broken else cost for t, cost in costs])
        else:
            compared = standings(trials, objective.mode, objective.reading)
            columns.append([compared[place].standing for place in shown])
    ranks = [(rankdata(column) - 1) / max(1, len(shown) - 1) for column in columns]
    drawn = [rng.expovariate(1.0) for _ in columns]
    weights = [each / sum(drawn) for each in drawn]
    worth = scalarised(list(zip(*ranks, strict=True)), weights)
    scores = _normal_scores(len(shown))
    for score, (_, place) in zip(scores, sorted(zip(worth, shown, strict=True)), strict=True):
        told[place] = Told(told[place].point, score)
    return told


def _told_of(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that a sampler is told of."""
    chosen = sorted(trials, key=lambda trial: (len(trial.rungs), trial.number))[-MOST_POINTS:]
    return sorted(chosen, key=lambda trial: trial.number)


def _in_order(trials: Sequence[Trial], mode: str, reading: Callable[[Rung], float]) -> list[Trial]:
    """The trials, the best first, each compared at the highest level that it has got to."""
    import numpy as np

    if not trials:
        return []
    sign = -1.0 if mode == "max" else 1.0
    order = np.argsort([sign * reading(trial.rungs[0]) for trial in trials], kind="stable")
    for losses in _losses_by_level(trials, sign, reading)[1:]:
        places = np.flatnonzero(~np.isnan(losses[order]))
        there = np.sort(order[places])  # by number, which decides where losses are alike
        order[places] = there[np.argsort(losses[there], kind="stable")]
    return [trials[index] for index in order]


def _losses_by_level(
    trials: Sequence[Trial], sign: float, reading: Callable[[Rung], float]
) -> NDArray[np.float64]:
    """The loss of each trial by each level [levels, trials], rising; NaN where it has none."""
    import numpy as np

    levels = sorted({rung.level for trial in trials for rung in trial.rungs})
    place = {level: index for index, level in enumerate(levels)}
    losses = np.full((len(levels), len(trials)), np.nan)
    for index, trial in enumerate(trials):
        for rung in trial.rungs:
            losses[place[rung.level], index] = sign * reading(rung)
        if trial.status == Status.DONE:
            losses[place[trial.rungs[-1].level] :, index] = sign * reading(trial.rungs[-1])
    return losses


def _normal_scores(count: int) -> list[float]:
    """The expected places of so many normal numbers, rising (Blom 1958)."""
    from scipy.stats import norm

    found: list[float] = norm.ppf([(rank + 0.625) / (count + 0.25) for rank in range(count)])
    return [float(score) for score in found]

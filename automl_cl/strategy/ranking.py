"""The ranking quality of a rung, measured in the search itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from automl_cl.run.trial import Trial

MOST_COMPARED = 300


@dataclass(frozen=True)
class Ranking:
    """The ranking quality of a rung.

    Attributes:
        tau: Kendall's tau between values at the rung and at the end; 0 where there are no pairs.
        pairs: pairs of trials of one arm that it rests on.
        standard_error: of tau under no relation.
    """

    tau: float = 0.0
    pairs: int = 0
    standard_error: float = 0.0


@dataclass(frozen=True)
class Agreement:
    """The agreement of values at a rung and at the end in one arm; tau follows from it.

    Attributes:
        balance: pairs in the same order less pairs in the opposite one.
        pairs: all pairs.
        variance: of the balance under no relation.
    """

    balance: float
    pairs: int
    variance: float


def rank_correlation(level: float, arms: Iterable[Sequence[Trial]]) -> Ranking:
    """Measure how a level's values ranked those at the end, among trials of the same arm.

    Trials that were let through at the rung are more alike than all are, which makes tau smaller
    than it is: the error is on the side of caution. Of each arm the latest 300 count.
    """
    return pooled(agreement(level, trials) for trials in arms)


def agreement(level: float, trials: Sequence[Trial]) -> Agreement:
    """Measure how a level's values agree with those at the end, in one arm."""
    import numpy as np

    points = [
        (early, trial.value)
        for trial in trials
        if trial.value is not None
        and trial.horizon > level * 1.001
        and (early := trial.value_by(level)) is not None
    ][-MOST_COMPARED:]
    n = len(points)
    if n < 2:
        return Agreement(0.0, 0, 0.0)
    early, final = np.array(points).T
    signs = np.sign(early[:, None] - early) * np.sign(final[:, None] - final)
    variance = n * (n - 1) * (2 * n + 5) / 18.0
    return Agreement(float(signs.sum()) / 2, n * (n - 1) // 2, variance)


def pooled(arms: Iterable[Agreement]) -> Ranking:
    """The ranking that the agreements in several arms make."""
    balance, pairs, variance = 0.0, 0, 0.0
    for each in arms:
        balance += each.balance
        pairs += each.pairs
        variance += each.variance
    return Ranking(balance / pairs, pairs, math.sqrt(variance) / pairs) if pairs else Ranking()

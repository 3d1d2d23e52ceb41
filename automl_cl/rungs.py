"""Rungs that earn their trust: where trials are compared, and when one is stopped there.

An early rank can be worthless: under label noise, or where a curriculum has not shown its hard
examples yet. So nothing is stopped at a rung before trials that ran past it whatever it said have
shown how well it ranks, and then only as hard as that.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from automl_cl.trials import SEARCH, Trial
from trainables.seeds import derive_seed

ETA = 3
RUNGS = 3
FREE_SHARE = 1 / 3
FEWEST_PEERS = 3


def levels_of(horizon: float, cap: float) -> list[float]:
    """Where a trial of this horizon reports: the cap's rungs below it, and its end."""
    rungs = [cap / ETA**power for power in range(RUNGS - 1, 0, -1)]
    return [*(level for level in rungs if level < horizon * 0.999), horizon]


@dataclass(frozen=True)
class Decision:
    """What becomes of a trial at a rung; `free` if its value had no say in it."""

    goes_on: bool
    free: bool


def decide(
    trial: Trial, value: float, level: float, trials: Sequence[Trial], mode: str, seed: int
) -> Decision:
    """Whether a trial that reports `value` at a rung below its last goes on.

    A third of all trials, drawn by number, run on whatever the rung says. The others are compared
    with their own arm's trials at the rung, and stopped if they are among the worst
    (1 - 1/3) x trust of them.
    """
    if derive_seed(seed, "free", trial.number) % 1000 < FREE_SHARE * 1000:
        return Decision(goes_on=True, free=True)
    trust = trust_in(level, trials)
    if trust <= 0.0:
        return Decision(goes_on=True, free=True)
    peers = [
        peer_value
        for peer in trials
        if peer.stage == SEARCH
        and peer.arm == trial.arm
        and peer.number != trial.number
        and (peer_value := peer.value_by(level)) is not None
    ]
    if len(peers) < FEWEST_PEERS:
        return Decision(goes_on=True, free=True)
    better = sum(_better(peer, value, mode) for peer in peers)
    kept = 1.0 - (1.0 - 1.0 / ETA) * trust
    return Decision(goes_on=better < kept * (len(peers) + 1), free=False)


@dataclass(frozen=True)
class Ranking:
    """How well a rung has ranked.

    Attributes:
        trials: how many trials say so.
        pairs: of them, inside one arm.
        tau: Kendall's tau over those pairs, 0 where there are none.
        standard_error: of tau under no relation.
    """

    trials: int
    pairs: int
    tau: float
    standard_error: float

    @property
    def trust(self) -> float:
        """In [0, 1]; 0 until the rung has shown anything."""
        return max(0.0, self.tau - self.standard_error)


def trust_in(level: float, trials: Iterable[Trial]) -> float:
    """How far a rung is trusted so far, in [0, 1]."""
    return ranking_at(level, trials).trust


def ranking_at(level: float, trials: Iterable[Trial]) -> Ranking:
    """How well a rung has ranked so far.

    Kendall's tau between the values at the rung and at the end, over pairs of one arm, among
    trials that were not compared at any rung.
    """
    pairs_of: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for trial in trials:
        early, final = trial.value_by(level), trial.value
        uncompared = all(rung.free for rung in trial.rungs)
        if trial.stage == SEARCH and uncompared and early is not None and final is not None:
            if trial.horizon > level * 1.001:
                pairs_of[trial.arm].append((early, final))
    balance, pairs, variance = 0, 0, 0.0
    for points in pairs_of.values():
        n = len(points)
        for (early_a, final_a), (early_b, final_b) in combinations(points, 2):
            balance += _sign(early_a - early_b) * _sign(final_a - final_b)
        pairs += n * (n - 1) // 2
        variance += n * (n - 1) * (2 * n + 5) / 18.0
    found = sum(map(len, pairs_of.values()))
    if pairs == 0:
        return Ranking(found, 0, 0.0, 0.0)
    return Ranking(found, pairs, balance / pairs, math.sqrt(variance) / pairs)


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _better(a: float, b: float, mode: str) -> bool:
    return a > b if mode == "max" else a < b

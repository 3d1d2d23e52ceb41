"""The allocator: which arm gets the next trial. Shares are compute, not numbers of trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from automl_cl.run.arm_trials import ArmTrials
from trainables.foundation.seeds import derive_seed

EVERYBODY = 0.4


def without_a_trial(
    arms: Sequence[str], baseline: str, trials: Mapping[str, ArmTrials], left: int, seed: int
) -> list[str]:
    """The arms that have no trial yet, in the order in which they get their first.

    The baseline comes before all. Where fewer trials are left than arms, a draw decides which arms
    get one: an order by name would always leave out the same ones.

    Args:
        arms: all arms, the baseline among them.
        baseline: the plain baseline's arm.
        trials: those so far of each arm that has any.
        left: how many trials are still to begin.
        seed: of the search.
    """
    waiting = sorted(set(arms) - set(trials))
    if len(waiting) > left:
        waiting.sort(key=lambda arm: derive_seed(seed, "first trial", arm))
    waiting.sort(key=lambda arm: arm != baseline)
    return waiting


def next_arm(
    arms: Sequence[str], baseline: str, trials: Mapping[str, ArmTrials], spent: float, mode: str
) -> str:
    """The arm of the next search trial, once each has had its first: see `without_a_trial`.

    Until 40 % of the budget all arms get the same compute; after that the worse half of them drops
    out, again and again, until one is left. The baseline never drops out and is never behind the
    best-served arm.

    Args:
        arms: all arms, the baseline among them.
        baseline: the plain baseline's arm.
        trials: those so far of each arm. Running ones count with the compute they may spend,
            and so do those that failed, diverged or were infeasible: an arm that fails at once
            would get all trials.
        spent: the share of the search's budget that is spent.
        mode: `max` or `min`.
    """
    ordered = [baseline, *sorted(set(arms) - {baseline})]
    # Arms that have got the same must not be told apart by how their sums were rounded.
    compute = {arm: round(trials[arm].committed, 6) for arm in ordered}
    challengers = [arm for arm in ordered if arm != baseline]
    if not challengers or compute[baseline] < max(compute[arm] for arm in challengers):
        return baseline
    active = _active(challengers, trials, spent, mode)
    return min(active, key=lambda arm: (compute[arm], arm))


def _active(
    challengers: Sequence[str], trials: Mapping[str, ArmTrials], spent: float, mode: str
) -> list[str]:
    """The arms still in the running after a share `spent` of the budget."""
    if spent < EVERYBODY:
        return list(challengers)
    rounds = max(1, math.ceil(math.log2(len(challengers))))
    passed = 1 + int(rounds * (spent - EVERYBODY) / (1.0 - EVERYBODY))
    keep = max(1, math.ceil(len(challengers) / 2 ** min(passed, rounds)))
    ranked = sorted(challengers, key=lambda arm: (_merit(trials[arm], mode), arm))
    return ranked[:keep]


def _merit(arm: ArmTrials, mode: str) -> float:
    """The mean of the arm's two best values, lower being better: one alone may be luck."""
    sign = -1.0 if mode == "max" else 1.0
    best: list[float] = arm.of_finished(
        f"two best, {mode}",
        lambda trials: sorted(sign * t.value for t in trials if t.value is not None)[:2],
    )
    return sum(best) / len(best) if best else math.inf

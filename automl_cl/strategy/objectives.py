"""The objectives of a search besides the metric: costs, their Pareto front, trade-offs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl_cl.run.trial import SEARCH, Rung, Trial
from automl_cl.strategy.units import in_bytes
from search_spaces import InputError, unknown_name

COSTS = ("compute", "memory", "model_size")
"""The costs of every trial: epochs of the plain baseline, bytes, and numbers in its weights."""

WITHOUT_ANY = ("compute",)
"""The objective beside the metric, if a search names none."""

TILT = 0.05


@dataclass(frozen=True)
class Objective:
    """One thing to have more or less of.

    Attributes:
        name: one of `COSTS`, or a metric that the scenario reports.
        mode: `max` or `min`.
    """

    name: str
    mode: str

    @property
    def is_cost(self) -> bool:
        """True if it is what a trial costs, and not a metric."""
        return self.name in COSTS

    def reading(self, rung: Rung) -> float:
        """A rung's value of a metric; the worst possible value if it has none."""
        worst = -math.inf if self.mode == "max" else math.inf
        return rung.metrics.get(self.name, worst)

    def of(self, trial: Trial) -> float | None:
        """The result of a trial; the cost of a stopped one is stated for its whole horizon."""
        if not trial.rungs:
            return None
        last = trial.rungs[-1]
        match self.name:
            case "compute":
                return last.compute * trial.horizon / last.level
            case "memory":
                return trial.memory
            case "model_size":
                return trial.model_size
        return last.metrics.get(self.name)

    def words(self, trial: Trial) -> str:
        """The result of a trial, short enough for a table; nothing if it is unknown."""
        value = self.of(trial)
        if value is None:
            return ""
        if self.name == "memory":
            return in_bytes(value)
        if self.name == "model_size":
            return f"{value:,.0f}"
        return f"{value:.3g}" if self.name == "compute" else f"{value:.4f}"

    def cost(self, trial: Trial) -> float:
        """The same so that lower is better; infinite where it is not known."""
        value = self.of(trial)
        if value is None:
            return math.inf
        return -value if self.mode == "max" else float(value)


def objectives_of(
    metric: str, secondary: Mapping[str, str], names: Sequence[str]
) -> list[Objective]:
    """Objectives by name.

    Args:
        metric: the one that the verdict is about, and so no objective beside it.
        secondary: the scenario's other metrics, each with its mode.
        names: which.

    Raises:
        InputError: for a name that is neither a cost nor one of the metrics.
    """
    known = dict.fromkeys(COSTS, "min") | dict(secondary)
    for name in names:
        if name == metric:
            raise InputError(
                f"--objective: '{name}' is what the verdict is about anyway; "
                f"beside it: {', '.join(sorted(known))}."
            )
        if name not in known:
            raise unknown_name("--objective", name, known)
    return [Objective(name, known[name]) for name in names]


def on_front(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Marks of the points that no other point dominates: none is as low in all and lower in one.

    Equal points do not dominate each other. A point with an infinite cost is never on the front:
    it is not known how good it is.

    Args:
        costs: [points, objectives], lower being better.
    """
    import numpy as np

    if not costs:
        return []
    points = np.asarray(costs, dtype=np.float64)
    unknown = ~np.isfinite(points).all(axis=1, keepdims=True)
    points = np.where(unknown, np.inf, points)  # beats nobody, and is on no front
    found = []
    for point in points:
        as_low, lower = (points <= point).all(axis=1), (points < point).any(axis=1)
        found.append(bool(np.isfinite(point[0]) and not (as_low & lower).any()))
    return found


def pareto_front(
    trials: Sequence[Trial], mode: str, objectives: Sequence[Objective]
) -> list[Trial]:
    """The finished search trials that no other beats in the metric and all objectives together.

    Args:
        trials: of any stage.
        mode: of the metric, `max` or `min`.
        objectives: what is set against it.

    Returns:
        Those on the front, the best by the metric first.
    """
    sign = -1.0 if mode == "max" else 1.0
    costs = {
        trial.number: [sign * trial.value, *(each.cost(trial) for each in objectives)]
        for trial in trials
        if trial.stage == SEARCH and trial.value is not None
    }
    on = dict(zip(costs, on_front(list(costs.values())), strict=True))
    front = [trial for trial in trials if on.get(trial.number)]
    return sorted(front, key=lambda trial: (costs[trial.number], trial.number))


def scalarised(costs: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """One cost for several: the augmented Chebyshev norm, max(w c) + 0.05 sum(w c).

    Whatever the shape of the front, each point of it is the best under some weights.

    Source: Knowles 2006 (ParEGO), equation 2.

    Args:
        costs: [points, objectives], each objective from 0 to 1, lower being better.
        weights: one an objective; they sum to 1.
    """
    weighted = [[w * c for w, c in zip(weights, row, strict=True)] for row in costs]
    return [max(row) + TILT * sum(row) for row in weighted]

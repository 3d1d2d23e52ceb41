"""The price of the metric: finished trials by each objective, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_cl.run.events import Problem
from automl_cl.run.trial import Trial
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.objectives import (
    COSTS,
    WITHOUT_ANY,
    Objective,
    objectives_of,
    pareto_front,
)

MOST_ROWS = 25
UNITS = {"compute": "epochs of the plain baseline", "memory": "bytes", "model_size": "numbers"}


@dataclass(frozen=True)
class Dot:
    """A finished trial against one objective.

    Attributes:
        on_front: whether no other is better by the metric and as good by the objective, or the
            other way round.
    """

    number: int
    arm: str
    value: float
    cost: float
    on_front: bool


@dataclass(frozen=True)
class Axis:
    """The metric against one objective."""

    objective: Objective
    dots: list[Dot]

    @property
    def title(self) -> str:
        """The objective with its unit."""
        unit = UNITS.get(self.objective.name)
        return self.name if unit is None else f"{self.name}, in {unit}"

    @property
    def name(self) -> str:
        """The objective in words."""
        return self.objective.name.replace("_", " ")


@dataclass(frozen=True)
class Row:
    """A trial on the front of all objectives together, each of its readings in words."""

    number: int
    arm: str
    value: float
    readings: list[str]


@dataclass(frozen=True)
class TradeOffs:
    """Everything about objectives that a report shows.

    Attributes:
        objectives: what the front is about, besides the metric.
        front: the first of its rows, the best by the metric before the others; `size` counts all.
        axes: one a figure.
    """

    objectives: list[str]
    front: list[Row]
    size: int
    axes: list[Axis]


def trade_offs_of(trials: Sequence[Trial], problem: Problem, spec: SearchSpec) -> TradeOffs:
    """The trade-offs among search trials."""
    metric, secondary = problem.metric, problem.secondary
    mode = problem.mode
    chosen = objectives_of(metric, secondary, spec.objectives or WITHOUT_ANY)
    front = pareto_front(trials, mode, chosen)
    shown = objectives_of(metric, secondary, spec.objectives or COSTS)
    done = [trial for trial in trials if trial.value is not None]
    rows = [
        Row(trial.number, trial.arm, trial.value or 0.0, [e.words(trial) for e in chosen])
        for trial in front[:MOST_ROWS]
    ]
    axes = [_axis(done, mode, each) for each in shown]
    axes = [axis for axis in axes if len({dot.cost for dot in axis.dots}) > 1]
    return TradeOffs([each.name for each in chosen], rows, len(front), axes)


def _axis(done: Sequence[Trial], mode: str, objective: Objective) -> Axis:
    known = {trial.number: cost for trial in done if (cost := objective.of(trial)) is not None}
    front = {trial.number for trial in pareto_front(done, mode, [objective])}
    dots = [
        Dot(t.number, t.arm, t.value or 0.0, known[t.number], t.number in front)
        for t in done
        if t.number in known
    ]
    return Axis(objective, dots)

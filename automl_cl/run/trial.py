"""A trial as the journal tells it: what it is for, how far it has come, what it has reported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from automl_cl.run.events import Cause, Decision, Stage, Status
from search_spaces import Config

SEARCH, CONFIRM, VERDICT = Stage
CLOSED = "the user ended the search"
CRASHED, HUNG, NODE_LOST, PREEMPTED = Cause
BROKEN = (Status.FAILED, Status.DIVERGED, Status.INFEASIBLE)
"""What is no result: the model of the search counts it as the worst there is."""


@dataclass
class Rung:
    """A trial's report at one rung, as the `rung` event tells it.

    Attributes:
        memory: the most bytes that the trial held up to there.
        model_size: numbers in its weights.
        digest: the hash of the checkpoint or weights. These are None in journals from before.
    """

    level: float
    value: float
    compute: float
    metrics: dict[str, float]
    checkpoint: str | None
    decision: Decision
    memory: int | None = None
    model_size: int | None = None
    digest: str | None = None


@dataclass
class Trial:
    """One trial; the fields up to `uncompared` are those of the `ask` event.

    Attributes:
        stage: what it is for.
        arm: the algorithm.
        point: the config's coordinates for the arm's study.
        origin: where the config came from: `default`, `portfolio`, `random`, `prior`,
            `incumbent`, `model`, `trade-off`, `fork`, or another trial.
        source: the search trial whose config this repeats, in the later stages.
        levels: compute at which it reports.
        uncompared: whether it runs to its end whatever its rungs say.
        status: how far it has come.
        losses: how often it was lost, by why.
        memory: the most bytes that it held; None where that was not measured.
        out_of_memory: how often it was refused memory; after the first time its config says that
            batches are computed in parts.
        damaged: how often its weights were not what it had left.
        forked: its number in the search that this one was forked from, None for one of its own.
    """

    # A fork of an earlier version tells how often a trial was lost in one number.
    passed_over: ClassVar[tuple[str, ...]] = ("lost",)

    number: int
    stage: Stage
    arm: str
    config: Config
    point: dict[str, Any]
    origin: str
    source: int | None
    seed: int
    levels: list[float]
    uncompared: bool = True
    status: Status = Status.RUNNING
    reason: str | None = None
    compute: float = 0.0
    seconds: float = 0.0
    losses: dict[str, int] = field(default_factory=dict)
    weights: str | None = None
    memory: int | None = None
    out_of_memory: int = 0
    damaged: int = 0
    forked: int | None = None
    rungs: list[Rung] = field(default_factory=list)

    @property
    def value(self) -> float | None:
        """The value of a finished trial."""
        return self.rungs[-1].value if self.status == Status.DONE else None

    @property
    def is_broken(self) -> bool:
        """Whether it ended without a result."""
        return self.status in BROKEN

    @property
    def lost(self) -> int:
        """How often it was lost, for whatever reason."""
        return sum(self.losses.values())

    @property
    def horizon(self) -> float:
        """The compute it may spend."""
        return self.levels[-1]

    @property
    def steps(self) -> list[int]:
        """The rungs so far in whole epochs, ever rising: for tools that count steps."""
        found: list[int] = []
        for rung in self.rungs:
            found.append(max([round(rung.level), *(step + 1 for step in found[-1:])]))
        return found

    @property
    def model_size(self) -> int | None:
        """Numbers in its weights, as far as it has said."""
        return self.rungs[-1].model_size if self.rungs else None

    def value_by(self, level: float) -> float | None:
        """The value at the highest report within `level`, if it got that far or ended before."""
        rung = self.rung_by(level)
        return None if rung is None else rung.value

    def rung_by(self, level: float) -> Rung | None:
        """The highest report within `level`, if it got that far or ended before."""
        reached = [rung for rung in self.rungs if rung.level <= level * (1 + 1e-9)]
        if not reached:
            return None
        full = self.status == Status.DONE and self.horizon <= level * (1 + 1e-9)
        exact = abs(reached[-1].level - level) <= 1e-9 * level
        return reached[-1] if full or exact else None

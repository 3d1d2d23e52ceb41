"""The trial table: what the journal says of every trial, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_cl.journal import Event
from search_spaces import Config

SEARCH, CONFIRM, VERDICT = "search", "confirm", "verdict"
CLOSED = "the user ended the search"

# What the event that asks for a trial says of it.
_ASKED = (
    "number",
    "stage",
    "arm",
    "config",
    "point",
    "origin",
    "source",
    "seed",
    "levels",
    "uncompared",
)


@dataclass
class Rung:
    """A trial's report at one rung."""

    level: float
    value: float
    compute: float
    metrics: dict[str, float]
    checkpoint: str | None
    decision: str


@dataclass
class Trial:
    """One trial.

    Attributes:
        stage: `search`, `confirm` or `verdict`.
        arm: the algorithm.
        point: the config's coordinates for the arm's study.
        origin: where the config came from: `default`, `portfolio`, `random`, `prior`,
            `incumbent`, `model`, or another trial.
        source: the search trial whose config this repeats, in the later stages.
        levels: compute at which it reports.
        uncompared: whether it runs to its end whatever its rungs say.
        status: `running`, then `done`, `paused`, `stopped`, `failed` or `diverged`.
    """

    number: int
    stage: str
    arm: str
    config: Config
    point: dict[str, Any]
    origin: str
    source: int | None
    seed: int
    levels: list[float]
    uncompared: bool = True
    status: str = "running"
    reason: str | None = None
    compute: float = 0.0
    seconds: float = 0.0
    lost: int = 0
    weights: str | None = None
    rungs: list[Rung] = field(default_factory=list)

    @property
    def value(self) -> float | None:
        """The value of a finished trial."""
        return self.rungs[-1].value if self.status == "done" else None

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

    def value_by(self, level: float) -> float | None:
        """The value at the highest report within `level`, if it got that far or ended before."""
        reached = [rung for rung in self.rungs if rung.level <= level * (1 + 1e-9)]
        if not reached:
            return None
        full = self.status == "done" and self.horizon <= level * (1 + 1e-9)
        exact = abs(reached[-1].level - level) <= 1e-9 * level
        return reached[-1].value if full or exact else None


class TrialTable:
    """All trials of a run, brought up to date event by event.

    Attributes:
        budget: how many search trials are wanted.
        starts: how often a driver has begun to work on the run.
        problem: what the search is about; None until that is noted.
        warm_start: what an earlier history advised; None without one.
        plans, verdicts: those events.
        opened: the plans for which the test has been opened.
        closed: the event by which the user ended the search before its budget, if so.
    """

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.starts = 0
        self.problem: Event | None = None
        self.warm_start: Event | None = None
        self.plans: list[Event] = []
        self.verdicts: list[Event] = []
        self.opened: list[Event] = []
        self.budget = 0
        self.closed: Event | None = None
        self._searched = 0.0
        self._searching = False
        self._last_at = 0.0

    def apply(self, event: Event) -> None:
        """Takes in the next event of the journal."""
        self._keep_time(event)
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def _keep_time(self, event: Event) -> None:
        """Counts from a session's first report on: until then Ray and its actors start."""
        kind = event["event"]
        if kind in ("start", "extend", "verdict"):
            self._searching = False
        if self._searching:
            self._searched += event["time"] - self._last_at
        if kind in ("rung", "end"):
            self._searching = True
        if kind == "verdict":
            self._searched = 0.0  # an extension has the time limit anew
        self._last_at = event["time"]

    def of_stage(self, stage: str) -> list[Trial]:
        """The trials of one stage, by number."""
        return [trial for trial in self.trials if trial.stage == stage]

    def running(self) -> list[Trial]:
        """The trials without an end."""
        return [trial for trial in self.trials if trial.status == "running"]

    def searched_for(self, now: float) -> float:
        """Seconds spent on this run up to now, in all its sessions."""
        return self._searched + (now - self._last_at if self._searching else 0.0)

    def _on_search(self, event: Event) -> None:
        self.budget = event["spec"]["trials"]

    def _on_extend(self, event: Event) -> None:
        self.budget, self.closed = event["trials"], None

    def _on_close(self, event: Event) -> None:
        self.budget, self.closed = event["budget"], event
        for trial in self.running():
            trial.status, trial.reason = "stopped", CLOSED

    def _on_problem(self, event: Event) -> None:
        self.problem = event

    def _on_warm_start(self, event: Event) -> None:
        self.warm_start = event

    def _on_start(self, event: Event) -> None:
        self.starts += 1

    @property
    def plan(self) -> Event | None:
        """The plan of the verdict on the present budget, if it has been made."""
        return self.plans[-1] if self.plans and self.plans[-1]["budget"] == self.budget else None

    def _on_ask(self, event: Event) -> None:
        self.trials.append(Trial(**{name: event[name] for name in _ASKED}))

    def _on_rung(self, event: Event) -> None:
        trial = self.trials[event["number"]]
        rung = Rung(
            level=event["level"],
            value=event["value"],
            compute=event["compute"],
            metrics=event["metrics"],
            checkpoint=event["checkpoint"],
            decision=event["decision"],
        )
        trial.rungs.append(rung)
        trial.compute, trial.weights = event["compute"], event["weights"]
        trial.seconds += event["seconds"]
        if event["decision"] != "continue":
            trial.status = event["decision"]
        if trial.status == "done":
            trial.reason = None  # it had been given up a moment before

    def _on_promote(self, event: Event) -> None:
        self.trials[event["number"]].status = "running"

    def _on_end(self, event: Event) -> None:
        trial = self.trials[event["number"]]
        trial.status, trial.reason = event["status"], event["reason"]
        trial.compute, trial.weights = event["compute"], event["weights"]

    def _on_lost(self, event: Event) -> None:
        self.trials[event["number"]].lost += 1

    def _on_plan(self, event: Event) -> None:
        self.plans.append(event)

    def _on_open_test(self, event: Event) -> None:
        self.opened.append(self.plans[-1])

    def verdict_of(self, plan: Event) -> Event | None:
        """The verdict on a plan, or on one that put the same to the test before."""
        found = [each for each in self.verdicts if each["plan"]["opening"] == plan["opening"]]
        return found[-1] if found else None

    def _on_verdict(self, event: Event) -> None:
        self.verdicts.append(event)


def replayed(events: Sequence[Event]) -> TrialTable:
    """The trial table of a journal's events."""
    table = TrialTable()
    for event in events:
        table.apply(event)
    return table

"""The trial table: what the journal says of every trial, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_cl.journal import Event
from search_spaces import Config

SEARCH, CONFIRM, VERDICT = "search", "confirm", "verdict"
CLOSED = "the user ended the search"
BROKEN = ("failed", "diverged", "infeasible")
"""What is no result: the model of the search counts it as the worst there is."""

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
    """A trial's report at one rung.

    Attributes:
        memory: the most bytes that the trial held up to there.
        model_size: numbers in its weights. Both None in journals from before they were measured.
    """

    level: float
    value: float
    compute: float
    metrics: dict[str, float]
    checkpoint: str | None
    decision: str
    memory: int | None = None
    model_size: int | None = None


@dataclass
class Trial:
    """One trial.

    Attributes:
        stage: `search`, `confirm` or `verdict`.
        arm: the algorithm.
        point: the config's coordinates for the arm's study.
        origin: where the config came from: `default`, `random`, `prior`, `incumbent`, `model`,
            `trade-off`, `fork`, or another trial.
        source: the search trial whose config this repeats, in the later stages.
        levels: compute at which it reports.
        uncompared: whether it runs to its end whatever its rungs say.
        status: `running`, then `done`, `paused`, `stopped`, `failed`, `diverged`, or `infeasible`
            where it cost more than a trial may.
        memory: the most bytes that it held; None where that was not measured.
        forked: its number in the search that this one was forked from, None for one of its own.
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
    memory: int | None = None
    forked: int | None = None
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
        full = self.status == "done" and self.horizon <= level * (1 + 1e-9)
        exact = abs(reached[-1].level - level) <= 1e-9 * level
        return reached[-1] if full or exact else None


class TrialTable:
    """All trials of a run, brought up to date event by event.

    Attributes:
        budget: how many search trials are wanted, those of a fork's parent included.
        total_compute: compute of the search, after which nothing is begun; None for no limit.
        time_limit: seconds of searching; None for no limit.
        starts: how often a driver has begun to work on the run.
        problem: what the search is about; None until that is noted.
        plans, verdicts: those events.
        opened: the plans for which the test has been opened.
        parent: what a fork was told of the search that it was forked from; None without one.
        closed: the event by which the user ended the search before its budget, if so.
    """

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.starts = 0
        self.problem: Event | None = None
        self.plans: list[Event] = []
        self.verdicts: list[Event] = []
        self.opened: list[Event] = []
        self.budget = 0
        self.total_compute: float | None = None
        self.time_limit: float | None = None
        self.closed: Event | None = None
        self.parent: dict[str, Any] | None = None
        self._reopened = False
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
        spec = event["spec"]
        self.budget = spec["trials"]
        self.total_compute, self.time_limit = spec.get("total_compute"), spec.get("time_limit")
        self.parent = event.get("fork")
        for fields in self.parent["trials"] if self.parent is not None else ():
            self._add(trial_from(fields))
        self.budget += len(self.trials)

    def _on_extend(self, event: Event) -> None:
        asked: int = self.budget if self.closed is None else self.closed["asked"]
        self.budget, self.closed = event.get("trials", asked), None
        self.total_compute = event.get("total_compute", self.total_compute)
        self.time_limit = event.get("time_limit", self.time_limit)
        # More compute or time can mean more trials within the same number of them.
        self._reopened |= bool({"total_compute", "time_limit"} & set(event))

    def _on_close(self, event: Event) -> None:
        self.budget, self.closed = event["budget"], event
        for trial in self.running():
            trial.status, trial.reason = "stopped", CLOSED

    def _on_problem(self, event: Event) -> None:
        self.problem = event

    def _on_start(self, event: Event) -> None:
        self.starts += 1

    @property
    def taken_over(self) -> int:
        """How many of the trials are those of the search that this one was forked from."""
        return 0 if self.parent is None else len(self.parent["trials"])

    @property
    def openings(self) -> int:
        """How often the test of this split has been opened, by those it was forked from too."""
        before = 0 if self.parent is None else self.parent["openings"]
        return max([before, *(each["opening"] for each in self.opened)])

    @property
    def plan(self) -> Event | None:
        """The plan of the verdict on the present budget, if it has been made."""
        if not self.plans or self._reopened:
            return None
        return self.plans[-1] if self.plans[-1]["budget"] == self.budget else None

    def _on_ask(self, event: Event) -> None:
        self._add(Trial(**{name: event[name] for name in _ASKED}))

    def _add(self, trial: Trial) -> None:
        self.trials.append(trial)

    def _on_rung(self, event: Event) -> None:
        trial = self.trials[event["number"]]
        rung = Rung(
            level=event["level"],
            value=event["value"],
            compute=event["compute"],
            metrics=event["metrics"],
            checkpoint=event["checkpoint"],
            decision=event["decision"],
            memory=event.get("memory"),
            model_size=event.get("model_size"),
        )
        trial.rungs.append(rung)
        trial.memory = _most(trial.memory, rung.memory)
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
        trial.memory = _most(trial.memory, event.get("memory"))

    def _on_lost(self, event: Event) -> None:
        self.trials[event["number"]].lost += 1

    def _on_plan(self, event: Event) -> None:
        self.plans.append(event)
        self._reopened = False

    def _on_open_test(self, event: Event) -> None:
        self.opened.append(self.plans[-1])

    def verdict_of(self, plan: Event) -> Event | None:
        """The verdict on a plan, or on one that put the same to the test before."""
        found = [each for each in self.verdicts if each["plan"]["opening"] == plan["opening"]]
        return found[-1] if found else None

    def _on_verdict(self, event: Event) -> None:
        self.verdicts.append(event)


def _most(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


def trial_from(fields: dict[str, Any]) -> Trial:
    """A trial from the plain values that `dataclasses.asdict` gives of it."""
    return Trial(**{**fields, "rungs": [Rung(**rung) for rung in fields["rungs"]]})


def replayed(events: Sequence[Event]) -> TrialTable:
    """The trial table of a journal's events."""
    table = TrialTable()
    for event in events:
        table.apply(event)
    return table

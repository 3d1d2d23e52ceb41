"""The trial table: what the journal says of every trial, and nothing else."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from automl_cl.run import events
from automl_cl.run.codec import Misfit, reader, shown
from automl_cl.run.events import Cause, Decision, Event, Stage, Status
from search_spaces import Config

SEARCH, CONFIRM, VERDICT = Stage
T = TypeVar("T")
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
        return self.rungs[-1].value if self.status == "done" else None

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
        full = self.status == "done" and self.horizon <= level * (1 + 1e-9)
        exact = abs(reached[-1].level - level) <= 1e-9 * level
        return reached[-1] if full or exact else None


class AtLevel:
    """The values of an arm's trials at one level of compute.

    Attributes:
        values: rising, each with its trial's number.
        numbers: of the trials that have got there.
    """

    def __init__(self) -> None:
        self.values: list[tuple[float, int]] = []
        self.numbers: set[int] = set()

    def take(self, trial: Trial, level: float) -> None:
        """Takes in a trial, unless it is there already or has not got so far."""
        if trial.number in self.numbers or (value := trial.value_by(level)) is None:
            return
        insort(self.values, (value, trial.number))
        self.numbers.add(trial.number)

    def better(self, value: float, mode: str, number: int = 0) -> int:
        """How many trials are better, or as good and of a lower number."""
        first = bisect_left(self.values, (value,))
        alike = bisect_left(self.values, (value, number)) - first
        if mode == "min":
            return first + alike
        return len(self.values) - bisect_left(self.values, (value, math.inf)) + alike


class ArmTrials:
    """The search trials of one arm, and what every decision asks of them.

    It is kept up to date event by event, so that a decision among 2,000 trials costs what it does
    among 20.

    Attributes:
        trials: by number.
        paused: those that may be taken up again, by number.
        finished: those with a final value, by number.
        spent: compute of all.
        committed: the same, where a trial that is running or came to nothing counts with all
            that it may spend.
        uncompared: the compute that trials are for that are not compared.
    """

    def __init__(self, trials: Iterable[Trial] = ()) -> None:
        self.trials: list[Trial] = []
        self.paused: dict[int, Trial] = {}
        self.finished: list[Trial] = []
        self.spent = self.committed = self.uncompared = 0.0
        self._counted: dict[int, tuple[str, float, float]] = {}
        self._levels: dict[float, AtLevel] = {}
        self._worked_out: dict[Any, Any] = {}
        for trial in trials:
            self.take(trial)

    def take(self, trial: Trial) -> None:
        """Takes in a trial that is new or has changed."""
        if trial.number not in self._counted:
            self.trials.append(trial)
            self.uncompared += trial.horizon if trial.uncompared else 0.0
            for level in trial.levels[:-1]:
                self.at(level)
        before, spent, committed = self._counted.get(trial.number, ("", 0.0, 0.0))
        may_spend = trial.status in ("running", *BROKEN)
        commits = trial.horizon if may_spend else trial.compute
        self._counted[trial.number] = trial.status, trial.compute, commits
        self.spent += trial.compute - spent
        self.committed += commits - committed
        if trial.status == "paused":
            self.paused[trial.number] = trial
        else:
            self.paused.pop(trial.number, None)
        if trial.status == "done" and before != "done":
            insort(self.finished, trial, key=lambda each: each.number)
            self._worked_out.clear()
        for level, found in self._levels.items():
            found.take(trial, level)

    def at(self, level: float) -> AtLevel:
        """The values at a level of compute."""
        if level not in self._levels:
            self._levels[level] = AtLevel()
            for trial in self.trials:
                self._levels[level].take(trial, level)
        return self._levels[level]

    def of_finished(self, name: Any, work_out: Callable[[Sequence[Trial]], T]) -> T:
        """What is worked out from the finished trials, once until one more finishes."""
        if name not in self._worked_out:
            self._worked_out[name] = work_out(self.finished)
        found: T = self._worked_out[name]
        return found


class TrialTable:
    """All trials of a run, brought up to date event by event.

    Attributes:
        arms: the search trials of each arm that has any.
        budget: how many search trials are wanted, those of a fork's parent included.
        total_compute: compute of the search, after which nothing is begun; None for no limit.
        time_limit: seconds of searching; None for no limit.
        starts: how often a driver has begun to work on the run.
        problem: what the search is about; None until that is noted.
        warm_start: what an earlier history advised; None without one.
        plans, verdicts: those events.
        opened: the plans for which the test has been opened.
        parent: what a fork was told of the search that it was forked from; None without one.
        other_when_open: trials whose weights were lost when the test was open, and came out
            otherwise when they were trained again.
        closed: the event by which the user ended the search before its budget, if so.
    """

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.arms: dict[str, ArmTrials] = {}
        self.starts = 0
        self.problem: events.Problem | None = None
        self.warm_start: events.WarmStart | None = None
        self.plans: list[events.Plan] = []
        self.verdicts: list[events.Verdict] = []
        self.opened: list[events.Plan] = []
        self.budget = 0
        self.total_compute: float | None = None
        self.time_limit: float | None = None
        self.closed: events.Close | None = None
        self.parent: dict[str, Any] | None = None
        self.other_when_open: list[int] = []
        self._lost_when_open: dict[int, str | None] = {}
        self._begun = self._reopened = False
        self._stages: dict[Stage, list[Trial]] = {SEARCH: [], CONFIRM: [], VERDICT: []}
        self._running: dict[int, Trial] = {}
        self._taken_over_compute = 0.0
        self._searched = 0.0
        self._searching = False
        self._last_at = 0.0

    def apply(self, event: Event) -> None:
        """Takes in the next event of the journal."""
        self._keep_time(event)
        getattr(self, f"_on_{event.kind}")(event)

    def check(self, event: Event) -> None:
        """Refuses an event that cannot follow on those so far.

        Raises:
            Misfit: if it cannot.
        """
        try:
            if isinstance(event, events.Search) == self._begun:
                first = "a run begins with 'search'"
                later = "a run has only one, its first"
                raise Misfit(later if self._begun else first)
            if isinstance(event, events.OfTrial):
                self._check_trial(event)
            elif isinstance(event, events.Plan):
                self._check_plan(event)
            elif isinstance(event, events.OpenTest) and not self.plans:
                raise Misfit("nothing has been planned")
            elif isinstance(event, events.Verdict):
                self._check_verdict(event)
            elif isinstance(event, events.Search):
                _forked_trials(event)
        except Misfit as misfit:
            raise misfit.inside(f"event '{event.kind}': ") from None

    def _check_trial(self, event: events.OfTrial) -> None:
        known = len(self.trials)
        if isinstance(event, events.Ask):
            if event.number != known:
                raise Misfit(f"expected {known}, the next, got {event.number}", (".number",))
            if not event.levels or event.levels != sorted(set(event.levels)):
                raise Misfit(f"expected rising numbers, got {event.levels}", (".levels",))
            if (event.source is None) != (event.stage == SEARCH):
                raise Misfit(f"got {event.source} in the stage '{event.stage}'", (".source",))
            if event.source is not None:
                self._check_searched(event.source, ".source")
            return
        if event.number >= known:
            raise Misfit(f"there is no trial {event.number} so far", (".number",))
        trial = self.trials[event.number]
        if isinstance(event, events.Damaged) and event.weights is not None:
            if event.weights != trial.weights or trial.status != Status.DONE:
                raise Misfit(f"trial {event.number} has no weights of this name", (".weights",))
        over = (Status.DONE, *BROKEN)
        if isinstance(event, events.Rung | events.End) and trial.status in over:
            raise Misfit(f"trial {event.number} has ended, {trial.status}", (".number",))
        if isinstance(event, events.Promote) and trial.status != Status.PAUSED:
            raise Misfit(f"trial {event.number} is {trial.status}, not paused", (".number",))
        if isinstance(event, events.Rung) and event.rung != len(trial.rungs):
            raise Misfit(f"expected {len(trial.rungs)}, got {event.rung}", (".rung",))
        if isinstance(event, events.Rung) and event.rung >= len(trial.levels):
            raise Misfit(f"trial {event.number} has no more of them", (".rung",))

    def _check_plan(self, plan: events.Plan) -> None:
        challenger = [] if plan.challenger is None else [plan.challenger]
        for number in (plan.baseline, *challenger, *plan.secondaries):
            self._check_searched(number, "")

    def _check_verdict(self, event: events.Verdict) -> None:
        if event.plan not in self.plans:
            raise Misfit("there is no such plan", (".plan",))
        verdict = event.verdict
        for entry in (verdict["baseline"], verdict["challenger"], *verdict["secondaries"]):
            if entry is not None:
                self._check_searched(entry["trial"], ".verdict")
                if entry["algorithm"] != self.trials[entry["trial"]].arm:
                    what = f"trial {entry['trial']} is of {self.trials[entry['trial']].arm}"
                    raise Misfit(f"{what}, not {shown(entry['algorithm'])}", (".verdict",))

    def _check_searched(self, number: int, where: str) -> None:
        if number >= len(self.trials) or self.trials[number].stage != SEARCH:
            raise Misfit(f"{number} is no trial of the search", (where,) if where else ())

    def _keep_time(self, event: Event) -> None:
        """Counts from a session's first report on: until then Ray and its actors start."""
        if isinstance(event, events.Start | events.Extend | events.Verdict):
            self._searching = False
        if self._searching:
            self._searched += event.time - self._last_at
        if isinstance(event, events.Rung | events.End):
            self._searching = True
        if isinstance(event, events.Verdict):
            self._searched = 0.0  # an extension has the time limit anew
        self._last_at = event.time

    def of_stage(self, stage: Stage) -> Sequence[Trial]:
        """The trials of one stage, by number."""
        return self._stages[stage]

    def running(self) -> list[Trial]:
        """The trials without an end."""
        return [self._running[number] for number in sorted(self._running)]

    def search_compute(self) -> float:
        """What the search trials have cost, less those taken over from another search."""
        return sum(arm.spent for arm in self.arms.values()) - self._taken_over_compute

    def _changed(self, trial: Trial) -> None:
        if trial.status == "running":
            self._running[trial.number] = trial
        else:
            self._running.pop(trial.number, None)
        if trial.stage == SEARCH:
            self.arms.setdefault(trial.arm, ArmTrials()).take(trial)

    def searched_for(self, now: float) -> float:
        """Seconds spent on this run up to now, in all its sessions."""
        return self._searched + (now - self._last_at if self._searching else 0.0)

    def _on_search(self, event: events.Search) -> None:
        spec, self._begun = event.spec, True
        self.budget = spec["trials"]
        self.total_compute, self.time_limit = spec.get("total_compute"), spec.get("time_limit")
        self.parent = event.fork
        for trial in _forked_trials(event):
            self.add(trial)
        self.budget += len(self.trials)
        self._taken_over_compute = sum(trial.compute for trial in self.trials)

    def _on_extend(self, event: events.Extend) -> None:
        asked = self.budget if self.closed is None else self.closed.asked
        self.budget, self.closed = asked if event.trials is None else event.trials, None
        # More compute or time can mean more trials within the same number of them.
        if event.total_compute is not None:
            self.total_compute, self._reopened = event.total_compute, True
        if event.time_limit is not None:
            self.time_limit, self._reopened = event.time_limit, True

    def _on_close(self, event: events.Close) -> None:
        self.budget, self.closed = event.budget, event
        for trial in self.running():
            trial.status, trial.reason = Status.STOPPED, CLOSED
            self._changed(trial)

    def _on_problem(self, event: events.Problem) -> None:
        self.problem = event

    def _on_warm_start(self, event: events.WarmStart) -> None:
        self.warm_start = event

    def _on_start(self, event: events.Start) -> None:
        self.starts += 1

    @property
    def taken_over(self) -> int:
        """How many of the trials are those of the search that this one was forked from."""
        return 0 if self.parent is None else len(self.parent["trials"])

    @property
    def openings(self) -> int:
        """How often the test of this split has been opened, by those it was forked from too."""
        before = 0 if self.parent is None else self.parent["openings"]
        return max([before, *(each.opening for each in self.opened)])

    @property
    def plan(self) -> events.Plan | None:
        """The plan of the verdict on the present budget, if it has been made."""
        if not self.plans or self._reopened:
            return None
        return self.plans[-1] if self.plans[-1].budget == self.budget else None

    def add(self, trial: Trial) -> None:
        """Takes in a new trial, whatever has become of it."""
        self.trials.append(trial)
        self._stages[trial.stage].append(trial)
        self._changed(trial)

    def _on_ask(self, event: events.Ask) -> None:
        self.add(Trial(**_shared(event, _ASKED)))

    def _on_rung(self, event: events.Rung) -> None:
        trial = self.trials[event.number]
        trial.rungs.append(Rung(**_shared(event, _TOLD)))
        trial.memory = _most(trial.memory, event.memory)
        trial.compute, trial.weights = event.compute, event.weights
        trial.seconds += event.seconds
        if event.digest != self._lost_when_open.pop(event.number, event.digest):
            self.other_when_open.append(event.number)
        if event.decision != Decision.CONTINUE:
            trial.status = Status(event.decision)
        if trial.status == Status.DONE:
            trial.reason = None  # it had been given up a moment before
        self._changed(trial)

    def _on_promote(self, event: events.Promote) -> None:
        trial = self.trials[event.number]
        trial.status = Status.RUNNING
        self._changed(trial)

    def _on_end(self, event: events.End) -> None:
        trial = self.trials[event.number]
        trial.status, trial.reason = event.status, event.reason
        trial.compute, trial.weights = event.compute, event.weights
        trial.memory = _most(trial.memory, event.memory)
        self._changed(trial)

    def _on_lost(self, event: events.Lost) -> None:
        losses = self.trials[event.number].losses
        losses[event.cause] = 1 + losses.get(event.cause, 0)

    def _on_out_of_memory(self, event: events.OutOfMemory) -> None:
        trial = self.trials[event.number]
        trial.out_of_memory += 1
        trial.memory = _most(trial.memory, event.memory)
        trial.config = event.config
        self._changed(trial)

    def _on_damaged(self, event: events.Damaged) -> None:
        if event.weights is None:
            return
        trial = self.trials[event.number]
        trial.damaged += 1
        lost = trial.rungs.pop()
        if self.plan in self.opened:
            self._lost_when_open[trial.number] = lost.digest
        trial.status, trial.weights = Status.RUNNING, None
        trial.compute = trial.rungs[-1].compute if trial.rungs else 0.0
        self._changed(trial)

    def _on_plan(self, event: events.Plan) -> None:
        self.plans.append(event)
        self._reopened = False

    def _on_open_test(self, event: events.OpenTest) -> None:
        self.opened.append(self.plans[-1])

    def verdict_of(self, plan: events.Plan) -> events.Verdict | None:
        """The verdict on a plan, or on one that put the same to the test before."""
        found = [each for each in self.verdicts if each.plan.opening == plan.opening]
        return found[-1] if found else None

    def _on_verdict(self, event: events.Verdict) -> None:
        self.verdicts.append(event)


_ASKED = {each.name for each in fields(Trial)} & {each.name for each in fields(events.Ask)}
_TOLD = {each.name for each in fields(Rung)}


def _shared(event: Event, names: Collection[str]) -> dict[str, Any]:
    """The fields that an event has under the same names as what is made of it."""
    return {name: getattr(event, name) for name in names}


def _most(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _forked_trials(event: events.Search) -> list[Trial]:
    """The trials that a search has taken over from the one that it was forked from."""
    told = [] if event.fork is None else event.fork["trials"]
    found: list[Trial] = []
    for number, values in enumerate(told):
        path = (".fork", ".trials", f"[{number}]")
        try:
            trial: Trial = reader(Trial)(values)
        except Misfit as misfit:
            raise Misfit(misfit.what, (*path, *misfit.path)) from None
        whole = trial.levels and (trial.rungs or trial.status not in (Status.DONE, Status.PAUSED))
        if trial.number != number or trial.stage != SEARCH or not whole:
            raise Misfit(f"it is no trial {number} of a search", path)
        found.append(trial)
    return found


def replayed(events: Sequence[Event]) -> TrialTable:
    """The trial table of a journal's events."""
    table = TrialTable()
    for event in events:
        table.apply(event)
    return table

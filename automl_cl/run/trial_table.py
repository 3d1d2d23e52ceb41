"""The trial table: what the journal says of every trial, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

from automl_cl.run import events
from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.codec import Misfit, reader, shown
from automl_cl.run.events import Decision, Event, Stage, Status
from automl_cl.run.trial import BROKEN, CLOSED, CONFIRM, SEARCH, VERDICT, Rung, Trial


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
        if trial.status == Status.RUNNING:
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

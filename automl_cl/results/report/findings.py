"""The content of a report, from a run's journal: plain values, no figures and no markup."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_cl.results.report.arms import Arm, arms_of
from automl_cl.results.report.curves import (
    LearningCurves,
    PacingCurve,
    learning_curves,
    pacing_curves,
)
from automl_cl.results.report.importances import Importances, importances_of
from automl_cl.results.report.reproduction import commands, space_file
from automl_cl.results.report.space_rows import SpaceRow, space_rows
from automl_cl.results.report.trade_offs import TradeOffs, trade_offs_of
from automl_cl.run.events import Event, Problem, Status, Verdict, beginning
from automl_cl.run.folder import RunFolder
from automl_cl.run.problem_event import distributions_of, require_problem
from automl_cl.run.trial import BROKEN, CONFIRM, SEARCH, VERDICT, Trial
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.search_spec import SearchSpec, spec_of
from automl_cl.spec.trust import trust_flag
from automl_cl.strategy import stages
from automl_cl.strategy.ranking import Ranking, rank_correlation
from automl_cl.strategy.scheduler import rungs_of
from automl_cl.verdict.judge import words
from trainables.foundation.storage import Place

FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Contrast:
    """One contestant's difference from the baseline on the sealed test, in the metric's units."""

    arm: str
    number: int
    role: str
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class RungRecord:
    """The ranking quality of a rung, and the number of trials that it held back."""

    level: float
    ranking: Ranking
    reached: int
    stopped: int

    @property
    def name(self) -> str:
        """The rung in words."""
        return f"{self.level:.3g} epoch" + ("" if self.level == 1 else "s")


@dataclass(frozen=True)
class Failure:
    """A training that failed, diverged, or cost more than it may."""

    number: int
    arm: str
    stage: str
    status: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """All that a report says.

    Attributes:
        title: scenario and data.
        run: the run folder.
        state: how far the search has come, in words; None once there is a verdict on all of it.
        verdict: what `verdict.json` holds; None before the first.
        sentences: that verdict in words.
        earlier: the reasons of the verdicts before it.
        contrasts: the challenger, then the secondaries.
        fair_share: the search's compute divided by the number of arms.
        begun, ended: times of the journal's first and last event, UTC.
        forked: how many trials were taken over, and from which run, in a fork.
        seeds: what each of the seeds was for, and which.
        failures: the first of them; `failed` counts all.
    """

    title: str
    run: Place
    spec: SearchSpec
    problem: Problem
    state: str | None
    verdict: Mapping[str, Any] | None
    sentences: list[str]
    earlier: list[str]
    contrasts: list[Contrast]
    arms: list[Arm]
    best: int | None
    learning: LearningCurves
    pacings: list[PacingCurve]
    importances: list[Importances]
    fair_share: float
    rungs: list[RungRecord]
    trade_offs: TradeOffs
    forked: tuple[int, str] | None
    space: list[SpaceRow]
    notes: list[str]
    seeds: list[tuple[str, str]]
    versions: Mapping[str, str]
    commands: list[str]
    space_file: str
    failures: list[Failure]
    failed: int
    counts: Mapping[str, int]
    begun: str
    ended: str
    seconds: float

    @property
    def resume(self) -> str:
        """The command that goes on with the search."""
        return f"automl-cl resume {shlex.quote(str(self.run))}{trust_flag(self.spec)}"


def gather(folder: RunFolder, events: Sequence[Event]) -> Findings:
    """Gathers a report from a run's journal.

    Raises:
        InputError: if the journal does not begin with a search, or does not say what about.
    """
    spec, table = spec_of(events, folder), replayed(events)
    problem = require_problem(table, folder)
    judged = _judged(table)
    verdict = None if judged is None else judged.verdict
    arms = arms_of(table, problem, verdict)
    best = _best(arms, verdict)
    searched = table.of_stage(SEARCH)
    failures = _failures(table)
    return Findings(
        title=f"{spec.scenario} on {Path(spec.data).name}",
        run=folder.place,
        spec=spec,
        problem=problem,
        state=state_of(table, spec, problem),
        verdict=verdict,
        sentences=[] if verdict is None else words(verdict),
        earlier=[e.verdict["reason"] for e in table.verdicts if e is not judged],
        contrasts=[] if verdict is None else _contrasts(verdict),
        arms=arms,
        best=best,
        learning=learning_curves(table, problem, rungs_of(spec.scheduler, spec.cap), best),
        pacings=pacing_curves(arms, table),
        importances=[
            importances_of(
                arm.name,
                [trial for trial in searched if trial.arm == arm.name],
                distributions_of(problem, arm.name),
            )
            for arm in arms
        ],
        fair_share=sum(trial.compute for trial in searched) / len(arms),
        rungs=_rungs(table, spec),
        trade_offs=trade_offs_of(searched, problem, spec),
        forked=None if table.parent is None else (table.taken_over, table.parent["run"]),
        space=space_rows(problem.space, problem.whole_space),
        notes=_notes(problem, arms),
        seeds=_seeds(table, spec),
        versions=beginning(events).versions,
        commands=commands(spec, events),
        space_file=space_file(spec),
        failures=failures[:FAILURES_SHOWN],
        failed=len(failures),
        counts={stage: len(table.of_stage(stage)) for stage in (SEARCH, CONFIRM, VERDICT)},
        begun=_time(events[0]),
        ended=_time(events[-1]),
        seconds=sum(trial.seconds for trial in table.trials if trial.forked is None),
    )


def state_of(table: TrialTable, spec: SearchSpec, problem: Problem) -> str | None:
    """The progress of a run, in words, or None once its verdict is there."""
    plan = table.plan
    if plan is not None:
        if table.verdict_of(plan) is not None:
            return None
        ended = [t for t in table.of_stage(VERDICT) if t.status != Status.RUNNING]
        due = len(stages.verdict_repeats(table, plan))
        impossible = None if stages.stands(table, plan) else _impossible(table, problem)
        return (
            impossible or f"training for the verdict: {len(ended)} trainings ended, {due} are due"
        )
    searched, mode = table.of_stage(SEARCH), problem.mode
    if not searched:
        return f"searching: none of {table.budget} trials has begun"
    # Confirmations from before an extension do not say that its search is over.
    before = max((trial.number for trial in table.of_stage(VERDICT)), default=-1)
    confirming = any(trial.number > before for trial in table.of_stage(CONFIRM))
    open_still = len(searched) < table.budget and not confirming
    if open_still or any(trial.status == Status.RUNNING for trial in searched):
        ended = [trial for trial in searched if trial.status != Status.RUNNING]
        return f"searching: {len(ended)} of {table.budget} trials have ended"
    due_confirmations = stages.confirmations(table, mode, spec.seed)
    left = len(stages.missing(table, due_confirmations)) + len(table.running())
    if left:
        count = len(due_confirmations)
        return f"confirming: {count - left} of {count} trainings have ended"
    return _impossible(table, problem) or "confirmed; the verdict's trainings have not begun"


def _impossible(table: TrialTable, problem: Problem) -> str | None:
    """The reason that no verdict can come of the trainings so far, or None if one can."""
    try:
        stages.verdict_plan(table, problem.baseline, problem.mode)
    except stages.VerdictImpossible as impossible:
        return f"no verdict can come of it: {impossible}"
    return None


def _judged(table: TrialTable) -> Verdict | None:
    """The verdict on the present budget, or else the last there was."""
    judged = None if table.plan is None else table.verdict_of(table.plan)
    return judged or (table.verdicts[-1] if table.verdicts else None)


def _best(arms: Sequence[Arm], verdict: Mapping[str, Any] | None) -> int | None:
    """The recommended search trial; before a verdict, the best arm's best candidate."""
    if verdict is not None:
        number: int = verdict[verdict["recommended"]]["trial"]
        return number
    return next((arm.candidates[0].number for arm in arms if arm.candidates), None)


def _contrasts(verdict: Mapping[str, Any]) -> list[Contrast]:
    entries = [("secondary", each) for each in verdict["secondaries"]]
    if verdict["challenger"] is not None:
        entries.insert(0, ("challenger", verdict["challenger"]))
    return [
        Contrast(
            arm=each["algorithm"],
            number=each["trial"],
            role=role,
            difference=each["difference"],
            low=each["ci95"][0],
            high=each["ci95"][1],
            p_value=each["p_value"],
        )
        for role, each in entries
    ]


def _rungs(table: TrialTable, spec: SearchSpec) -> list[RungRecord]:
    found = []
    searched = table.of_stage(SEARCH)
    arms: dict[str, list[Trial]] = {}
    for trial in searched:
        arms.setdefault(trial.arm, []).append(trial)
    for level in rungs_of(spec.scheduler, spec.cap):
        here = [
            (trial, rung)
            for trial in searched
            for rung in trial.rungs
            if abs(rung.level - level) <= 1e-9 * level and rung.level < trial.horizon
        ]
        ended = sum(
            t.rungs[-1] is rung and t.status in (Status.STOPPED, Status.PAUSED) for t, rung in here
        )
        ranking = rank_correlation(level, arms.values())
        found.append(RungRecord(level, ranking, len(here), ended))
    return found


def _failures(table: TrialTable) -> list[Failure]:
    return [
        Failure(t.number, t.arm, t.stage, t.status, t.reason or "no reason was told")
        for t in table.trials
        if t.status in BROKEN
    ]


def _notes(problem: Problem, arms: Sequence[Arm]) -> list[str]:
    told = [
        f"{arm.name} has extra information ({arm.information}): it is never recommended."
        for arm in arms
        if arm.information is not None
    ]
    told += [
        f"{name} was given, with its published defaults: {arm['given']}."
        for name, arm in problem.arms.items()
        if arm.get("given") is not None
    ]
    return [*problem.notes, *told]


def _seeds(table: TrialTable, spec: SearchSpec) -> list[tuple[str, str]]:
    found = [("split, noise and proposals", str(spec.seed))]
    for stage, purpose in ((CONFIRM, "confirmation"), (VERDICT, "verdict")):
        seeds = dict.fromkeys(trial.seed for trial in table.of_stage(stage))
        if seeds:
            found.append((purpose, ", ".join(map(str, seeds))))
    return found


def _time(event: Event) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(event.time))

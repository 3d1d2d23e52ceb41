"""A report's part on each arm: its counts, its compute and its best configs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from automl_cl.results.tensorboard_log import flat
from automl_cl.run.events import Problem, Status
from automl_cl.run.trial import BROKEN, CONFIRM, SEARCH, VERDICT, Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.strategy.stages import FINALISTS, confirmed

STAGES = (SEARCH, CONFIRM, VERDICT)


@dataclass(frozen=True)
class Candidate:
    """One of an arm's best search trials.

    Attributes:
        value: at its end, by search validation.
        confirmed: its mean over the confirmations that ended, None without any.
        config: one level of dotted names.
    """

    number: int
    value: float
    confirmed: float | None
    compute: float
    origin: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Arm:
    """One row of the leaderboard.

    Attributes:
        information: what it is told that the baseline is not.
        role: in the verdict: `baseline`, `challenger`, `secondary`, or nothing.
        compute: by stage, in epochs of the plain baseline.
        best: its best value in the search.
        confirmed: the best mean confirmation of a config of it.
        test: its config's mean on the sealed test.
        candidates: its finalists, the best first.
    """

    name: str
    is_baseline: bool
    information: str | None
    role: str
    trials: int
    done: int
    stopped: int
    running: int
    failed: int
    compute: Mapping[str, float]
    best: float | None
    confirmed: float | None
    test: float | None
    candidates: list[Candidate]

    @property
    def names(self) -> list[str]:
        """Every hyperparameter that one of the candidates has, in the order of a config."""
        return list(dict.fromkeys(name for each in self.candidates for name in each.config))


def arms_of(table: TrialTable, problem: Problem, verdict: Mapping[str, Any] | None) -> list[Arm]:
    """All arms of the search, the best first: as the verdict ranks them, then by the search."""
    sign = sign_of(problem)
    means = {each.source.arm: each.mean for each in confirmed(table, problem.mode)}
    places = {arm: place for place, arm in enumerate(means)}
    judged = {} if verdict is None else roles_of(verdict)
    rows = [_arm(name, table, problem, means.get(name), judged.get(name)) for name in problem.arms]

    def merit(arm: Arm) -> tuple[int, bool, float]:
        return (places.get(arm.name, len(places)), arm.best is None, sign * (arm.best or 0.0))

    return sorted(rows, key=merit)


def sign_of(problem: Problem) -> float:
    """The factor of a value that makes less better."""
    return -1.0 if problem.mode == "max" else 1.0


def ended(trials: list[Trial], sign: float) -> list[tuple[float, Trial]]:
    """Trials with a value, the best first."""
    found = [(trial.value, trial) for trial in trials if trial.value is not None]
    return sorted(found, key=lambda each: (sign * each[0], each[1].number))


def roles_of(verdict: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    """The role and mean of each contestant's arm; no arm has two contestants."""
    found = {"baseline": verdict["baseline"], "challenger": verdict["challenger"]}
    judged = {each["algorithm"]: (role, each["mean"]) for role, each in found.items() if each}
    judged |= {each["algorithm"]: ("secondary", each["mean"]) for each in verdict["secondaries"]}
    return judged


def _arm(
    name: str,
    table: TrialTable,
    problem: Problem,
    mean: float | None,
    judged: tuple[str, float] | None,
) -> Arm:
    mine = [trial for trial in table.trials if trial.arm == name]
    searched = [trial for trial in mine if trial.stage == SEARCH]
    count = Counter(trial.status for trial in searched)
    ranked = ended(searched, sign_of(problem))
    role, test = judged if judged is not None else ("", None)
    return Arm(
        name=name,
        is_baseline=name == problem.baseline,
        information=problem.arms[name]["information"],
        role=role,
        trials=len(searched),
        done=count[Status.DONE],
        stopped=count[Status.STOPPED] + count[Status.PAUSED],
        running=count[Status.RUNNING],
        failed=sum(count[status] for status in BROKEN),
        compute={stage: sum(t.compute for t in mine if t.stage == stage) for stage in STAGES},
        best=ranked[0][0] if ranked else None,
        confirmed=mean,
        test=test,
        candidates=[_candidate(value, trial, mine) for value, trial in ranked[:FINALISTS]],
    )


def _candidate(value: float, trial: Trial, mine: list[Trial]) -> Candidate:
    repeats = [t.value for t in mine if t.stage == CONFIRM and t.source == trial.number]
    values = [each for each in repeats if each is not None]
    return Candidate(
        number=trial.number,
        value=value,
        confirmed=fmean(values) if values else None,
        compute=trial.compute,
        origin=trial.origin,
        config=flat(trial.config),
    )

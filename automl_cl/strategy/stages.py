"""The stages of a run: search, confirmation, verdict. What is to be trained next, from the table.

Pure functions of spec and table: whoever replays the journal asks for the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from statistics import fmean
from typing import Any

from automl_cl.run.events import Plan, Stage, Status
from automl_cl.run.trial import CONFIRM, SEARCH, VERDICT, Trial
from automl_cl.run.trial_table import TrialTable
from trainables.foundation.seeds import derive_seed

FINALISTS = 3
CONFIRMATIONS = 3
SECONDARIES = 2
STAGE_TRAININGS = {SEARCH: "search trials", CONFIRM: "confirmations", VERDICT: "verdict trainings"}


class VerdictImpossible(RuntimeError):
    """The run cannot come to a verdict; the message says why.

    Attributes:
        trials: the numbers of the trials to blame.
    """

    def __init__(self, message: str, trials: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.trials = list(trials)


@dataclass(frozen=True)
class Repeat:
    """A training of a search trial's config with a fresh seed."""

    stage: Stage
    source: Trial
    seed: int


@dataclass(frozen=True)
class Confirmed:
    """A config with its mean validation over the confirmation seeds."""

    source: Trial
    mean: float


def finalists(trials: Sequence[Trial], mode: str) -> list[Trial]:
    """The top 3 of every arm by search validation, in order of arm and rank."""
    sign = -1.0 if mode == "max" else 1.0
    merits: dict[str, list[tuple[float, int, Trial]]] = {}
    for trial in trials:
        if trial.stage == SEARCH and (value := trial.value) is not None:
            merits.setdefault(trial.arm, []).append((sign * value, trial.number, trial))
    return [
        trial
        for arm in sorted(merits)
        for *_, trial in nsmallest(FINALISTS, merits[arm], key=lambda each: each[:2])
    ]


def shortfall(table: TrialTable, baseline: str) -> str | None:
    """The lack that prevents a verdict if the search ended now; None if nothing is lacking."""
    finished = {trial.arm for trial in table.of_stage(SEARCH) if trial.value is not None}
    if baseline not in finished:
        return f"no trial of the baseline '{baseline}' has finished"
    if finished == {baseline}:
        return f"no trial of anything but the baseline '{baseline}' has finished"
    return None


def confirmations(table: TrialTable, mode: str, seed: int) -> list[Repeat]:
    """The confirmation trainings: each finalist with the same three new seeds."""
    drawn = [derive_seed(seed, "confirmation", i) % 2**31 for i in range(CONFIRMATIONS)]
    finals = finalists(table.trials, mode)
    return [Repeat(CONFIRM, trial, each) for trial in finals for each in drawn]


def confirmed(table: TrialTable, mode: str, without: Collection[int] = ()) -> list[Confirmed]:
    """The best config of each arm by mean confirmation, the best arm first.

    A config of which a confirmation failed or diverged is out.

    Args:
        table: the trial table.
        mode: `max` or `min`.
        without: search trials whose configs are out as well.
    """
    sign = -1.0 if mode == "max" else 1.0
    best: dict[str, Confirmed] = {}
    repeats_of: dict[int | None, list[Trial]] = {}
    for trial in table.of_stage(CONFIRM):
        repeats_of.setdefault(trial.source, []).append(trial)
    for source in finalists(table.trials, mode):
        if source.number in without:
            continue
        repeats = repeats_of.get(source.number, [])
        values = [t.value for t in repeats if t.value is not None]
        if len(values) < CONFIRMATIONS or len(values) < len(repeats):
            continue
        candidate = Confirmed(source, fmean(values))
        leader = best.get(source.arm)
        if leader is None or sign * candidate.mean < sign * leader.mean:
            best[source.arm] = candidate
    return sorted(best.values(), key=lambda each: (sign * each.mean, each.source.number))


def verdict_plan(
    table: TrialTable, baseline: str, mode: str, informed: Collection[int] = ()
) -> dict[str, Any]:
    """The contestants of the verdict, as the journal records them before the test is opened.

    Who is told more than the baseline cannot be recommended, and so is the challenger only where
    there is nobody else. A config of which a training for the verdict came to nothing is neither
    baseline nor challenger: the next best one of those that came through confirmation is.

    Args:
        table: the trial table.
        baseline: the baseline's arm.
        mode: `max` or `min`.
        informed: the search trials whose algorithm has extra information.

    Returns:
        `baseline`, `challenger` (None if there is none) and `secondaries`, as numbers of search
        trials.

    Raises:
        VerdictImpossible: if no config of the baseline is left.
    """
    given_up, out = unreliable(table), set[int]()
    while True:
        ranked = confirmed(table, mode, out)
        mine = [each.source.number for each in ranked if each.source.arm == baseline]
        others = [each.source.number for each in ranked if each.source.arm != baseline]
        others.sort(key=lambda number: number in informed)
        now_out = given_up.intersection((*mine[:1], *others[:1]))
        if not now_out:
            break
        out |= now_out
    if not mine:
        raise _no_baseline(table, baseline)
    return {
        "baseline": mine[0],
        "challenger": others[0] if others else None,
        "secondaries": others[1 : 1 + SECONDARIES],
    }


def unreliable(table: TrialTable) -> set[int]:
    """The search trials of whose configs a training for the verdict came to nothing."""
    return {t.source for t in table.of_stage(VERDICT) if t.source is not None and t.is_broken}


def stands(table: TrialTable, plan: Plan) -> bool:
    """True if a plan can still come to a verdict; if not, another is made before the test opens.

    Once the test is open, the plan is the one for which it was opened.
    """
    needed = {plan.baseline, plan.challenger}
    return plan in table.opened or not needed & unreliable(table)


def without_broken_secondaries(table: TrialTable, plan: Plan) -> Plan:
    """A plan without the secondaries of which a training came to nothing.

    That is known before the test is opened, so that nothing is chosen by what the test says.
    """
    given_up = unreliable(table)
    kept = [number for number in plan.secondaries if number not in given_up]
    return replace(plan, secondaries=kept)


def left_out(table: TrialTable, plan: Plan) -> list[tuple[str, int]]:
    """The contestants left out of the verdict, because a training for them came to nothing.

    Args:
        table: the trial table.
        plan: who is put to the test after all.

    Returns:
        The role that each had in the last plan that names it, and the number of its search trial.
    """
    roles: dict[int, str] = {}
    for made in table.plans:
        roles |= {made.baseline: "baseline"}
        roles |= {} if made.challenger is None else {made.challenger: "challenger"}
        roles |= dict.fromkeys(made.secondaries, "secondary")
    gone = unreliable(table).difference(contestants(plan))
    return [(roles[number], number) for number in sorted(gone) if number in roles]


def came_to_nothing(trials: Sequence[Trial], stage: Stage) -> str:
    """Describe how many trainings of one stage failed, diverged or were infeasible, and why."""
    by_status: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.is_broken:
            by_status.setdefault(trial.status, []).append(trial)
    of_what, parts = f" {STAGE_TRAININGS[stage]} of {trials[0].arm}", []
    for status, mine in by_status.items():
        ended = "were infeasible" if status == Status.INFEASIBLE else status
        parts.append(f"{len(mine)} of {len(trials)}{of_what} {ended}: {_reasons(mine)}")
        of_what = ""  # said once
    return "; ".join(parts)


def _reasons(trials: Sequence[Trial]) -> str:
    """The reason that most of them have, and that there are others if so."""
    reasons = Counter(trial.reason or "no reason was told" for trial in trials)
    ((first, times),) = reasons.most_common(1)
    others = len(trials) - times
    return first + (f" ({others} of them for another reason)" if others else "")


def _no_baseline(table: TrialTable, baseline: str) -> VerdictImpossible:
    """Says in which stage the baseline's trainings came to nothing, and why."""
    for stage in (VERDICT, CONFIRM, SEARCH):
        mine = [trial for trial in table.of_stage(stage) if trial.arm == baseline]
        broken = [trial.number for trial in mine if trial.is_broken]
        if broken:
            said = came_to_nothing(mine, stage)
            break
    else:
        broken, said = [], "none of its trials came to their end"
    return VerdictImpossible(
        f"no config of the baseline '{baseline}' came through, so there is nothing to compare "
        f"with: {said}",
        broken,
    )


def contestants(plan: Plan) -> list[int]:
    """The search trials of a plan, baseline first."""
    challenger = [] if plan.challenger is None else [plan.challenger]
    return [plan.baseline, *challenger, *plan.secondaries]


def verdict_seeds(seed: int, opening: int, count: int) -> list[int]:
    """The fresh seeds of an opening, the same for all contestants."""
    return [derive_seed(seed, "verdict", opening, index) % 2**31 for index in range(count)]


def verdict_repeats(table: TrialTable, plan: Plan) -> list[Repeat]:
    """All trainings of a plan: each contestant with each of the seeds.

    Of a secondary no more are due once one has come to nothing.
    """
    return [
        Repeat(VERDICT, table.trials[number], seed)
        for seed in plan.seeds
        for number in contestants(without_broken_secondaries(table, plan))
    ]


def verdict_trials(table: TrialTable, plan: Plan, number: int) -> list[Trial]:
    """One contestant's verdict trainings, in the order of the plan's seeds."""
    by_seed = {t.seed: t for t in table.of_stage(VERDICT) if t.source == number}
    return [by_seed[seed] for seed in plan.seeds]


def missing(table: TrialTable, repeats: Sequence[Repeat]) -> list[Repeat]:
    """Those of the repeats that have not been asked for."""
    asked = {(trial.stage, trial.source, trial.seed) for trial in table.trials}
    return [r for r in repeats if (r.stage, r.source.number, r.seed) not in asked]


def complete(table: TrialTable) -> bool:
    """Whether every training up to the verdict has ended."""
    plan = table.plan
    if plan is None or table.running() or not stands(table, plan):
        return False
    return not missing(table, verdict_repeats(table, plan))

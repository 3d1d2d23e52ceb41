"""The verdict: whether the one challenger beats the tuned plain baseline on the sealed test."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from automl_cl.run.events import Plan
from automl_cl.run.trial import VERDICT
from automl_cl.run.trial_table import TrialTable
from automl_cl.strategy.stages import came_to_nothing, left_out, verdict_trials
from automl_cl.verdict.paired_test import (
    Comparison,
    compare,
    holm,
    level_of_opening,
    smallest_detectable_effect,
)

if TYPE_CHECKING:
    from trainables.scenarios.scenario import Scenario

DEFAULT_SEEDS = 10

Verdict = dict[str, Any]
Scores = dict[int, NDArray[np.float64]]


def judge(
    plan: Plan,
    scores: Scores,
    table: TrialTable,
    scenario: Scenario,
    parts: Mapping[str, NDArray[np.bool_]] | None = None,
    given: Mapping[int, str | None] | None = None,
) -> Verdict:
    """Comes to the verdict that a plan asked for.

    Args:
        plan: who was put to the test.
        scores: by search trial, the metric of each item under each seed, [seeds, items].
        table: the trial table.
        scenario: names metric and mode, and what information an algorithm was given.
        parts: items [items] whose metric is also told by itself, by what they are.
        given: by search trial, what its algorithm learned from besides inputs and labels.

    Returns:
        The contents of `verdict.json`.
    """
    baseline = scores[plan.baseline]
    sign = 1.0 if scenario.mode == "max" else -1.0
    entries = {n: _entry(n, scores[n], plan, table, scenario) for n in scores}
    comparisons = {
        number: compare(sign * (scores[number] - baseline))
        for number in scores
        if number != plan.baseline
    }
    for number, comparison in comparisons.items():
        entries[number] |= _as_dict(comparison, sign)
    adjusted = holm([comparisons[n].p_value for n in plan.secondaries])
    for number, p_value in zip(plan.secondaries, adjusted, strict=True):
        entries[number]["p_value"] = p_value
    parts = {what: mask for what, mask in (parts or {}).items() if mask.any()}
    for number, entry in entries.items():
        entry["parts"] = {what: float(scores[number][:, m].mean()) for what, m in parts.items()}
        entry["was_given"] = (given or {}).get(number)
    level = level_of_opening(plan.opening)
    challenger = plan.challenger
    verdict: Verdict = {
        "metric": scenario.metric,
        "mode": scenario.mode,
        "seeds": plan.seeds,
        "items": int(baseline.shape[1]),
        "parts": {what: int(mask.sum()) for what, mask in parts.items()},
        "openings": plan.opening,
        "level": level,
        "exploratory": plan.opening > 1,
        "smallest_detectable_effect_in_sd": round(
            smallest_detectable_effect(len(plan.seeds), alpha=level), 3
        ),
        "baseline": entries[plan.baseline],
        "challenger": None if challenger is None else entries[challenger],
        "secondaries": [entries[number] for number in plan.secondaries],
        "left_out": [_left_out(role, number, table) for role, number in left_out(table, plan)],
    }
    wins = challenger is not None and comparisons[challenger].wins(level)
    informed = (
        challenger is not None and wins and entries[challenger]["extra_information"] is not None
    )
    verdict["recommended"] = "challenger" if wins and not informed else "baseline"
    verdict["reason"] = _reason(verdict, wins)
    return verdict


def _entry(
    number: int,
    scores: NDArray[np.float64],
    plan: Plan,
    table: TrialTable,
    scenario: Scenario,
) -> dict[str, Any]:
    trial = table.trials[number]
    values = [float(value) for value in scores.mean(axis=1)]
    return {
        "trial": number,
        "algorithm": trial.arm,
        "config": trial.config,
        "extra_information": scenario.extra_information(trial.config),
        "values": values,
        "mean": fmean(values),
        "std": stdev(values),
        "compute": fmean(each.compute for each in verdict_trials(table, plan, number)),
    }


def _left_out(role: str, number: int, table: TrialTable) -> dict[str, Any]:
    """A config that was to be put to the test, and why it was not."""
    trial = table.trials[number]
    mine = [each for each in table.of_stage(VERDICT) if each.source == number]
    return {
        "role": role,
        "trial": number,
        "algorithm": trial.arm,
        "reason": came_to_nothing(mine, VERDICT),
    }


def _as_dict(comparison: Comparison, sign: float) -> dict[str, Any]:
    """A comparison in the metric's own direction: challenger minus baseline."""
    low, high = sorted(sign * bound for bound in comparison.ci95)
    return {
        "difference": sign * comparison.difference,
        "standard_error": comparison.standard_error,
        "degrees_of_freedom": comparison.degrees_of_freedom,
        "ci95": [low, high],
        "p_value": comparison.p_value,
    }


def _reason(verdict: Verdict, wins: bool) -> str:
    challenger, metric = verdict["challenger"], verdict["metric"]
    if challenger is None:
        tried = any(each["role"] == "challenger" for each in verdict["left_out"])
        through = "confirmation and the trainings for the verdict" if tried else "confirmation"
        return f"No other algorithm came through {through}, so the tuned baseline stands."
    against = (
        f"{metric} {challenger['mean']:.4f} against {verdict['baseline']['mean']:.4f}, "
        f"difference {challenger['difference']:+.4f} with 95 % interval "
        f"[{challenger['ci95'][0]:+.4f}, {challenger['ci95'][1]:+.4f}], "
        f"p = {challenger['p_value']:.3g} over {len(verdict['seeds'])} seeds"
    )
    name = challenger["algorithm"]
    if wins and challenger["extra_information"] is not None:
        return (
            f"The {name} config does better than the tuned baseline config ({against}), but with "
            f"extra information ({challenger['extra_information']}): it is not recommended."
        )
    if wins:
        return f"This {name} config beats this tuned baseline config on this data: {against}."
    nearest = f"{'an' if name[0] in 'aeiou' else 'a'} {name} config"
    return f"Nothing beats the tuned baseline here; the nearest is {nearest}: {against}."


def _omission(verdict: Verdict, each: Mapping[str, Any]) -> str:
    """A config that was to be put to the test and is left out, in words."""
    role, what = each["role"], f"{each['algorithm']} (trial {each['trial']})"
    if role == "secondary":
        return f"The secondary {what} is left out: {each['reason']}."
    said, instead = f"{what} was to be the {role} and is left out: {each['reason']}", verdict[role]
    if instead is None:
        return f"{said}; nobody was left to take its place."
    name = f"{instead['algorithm']} (trial {instead['trial']})"
    return f"{said}; {name} took its place before the test was opened."


def _part(verdict: Verdict, what: str, items: int) -> str:
    each = [verdict["challenger"], verdict["baseline"], *verdict["secondaries"]]
    told = ", ".join(f"{e['algorithm']} {e['parts'][what]:.4f}" for e in each if e is not None)
    return f"{verdict['metric']} on the {items} test items {what}: {told}."


def _given(verdict: Verdict) -> list[str]:
    """Sentences on what contestants were given, one for all that were given the same."""
    by_what: dict[str, list[str]] = {}
    for each in (verdict["challenger"], verdict["baseline"], *verdict["secondaries"]):
        what = None if each is None else each.get("was_given")
        if what is not None and each["algorithm"] not in by_what.setdefault(what, []):
            by_what[what].append(each["algorithm"])
    return [
        f"{' and '.join(names)} {'was' if len(names) == 1 else 'were'} given: {what}."
        for what, names in by_what.items()
    ]


def words(verdict: Verdict) -> list[str]:
    """The verdict in sentences."""
    lines = [verdict["reason"]]
    if verdict["exploratory"]:
        lines.append(
            f"Exploratory: this is opening number {verdict['openings']} of the same test, so it "
            f"was tested at {verdict['level']:.4g} and not at 0.05."
        )
    if len(verdict["seeds"]) < DEFAULT_SEEDS:
        lines.append(
            f"With {len(verdict['seeds'])} seeds only a difference of "
            f"{verdict['smallest_detectable_effect_in_sd']:.2g} standard deviations (over seeds) "
            "is found 80 % of the time."
        )
    lines += [_omission(verdict, each) for each in verdict.get("left_out", [])]
    lines += [_part(verdict, what, items) for what, items in verdict.get("parts", {}).items()]
    lines += _given(verdict)
    lines += verdict.get("notes", [])
    lines.append(
        "It is about these two configs on this data; a claim about an algorithm needs at least "
        "3 independent searches."
    )
    return lines

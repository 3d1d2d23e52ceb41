"""The curves of a report: learning curves by compute, and pacing curves by progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from automl_cl.results.report.arms import Arm, ended, sign_of
from automl_cl.run.events import Problem, Status
from automl_cl.run.trial import SEARCH, Trial
from automl_cl.run.trial_table import TrialTable
from search_spaces import from_config
from trainables.scenarios.pacing import Pacing

ALL_SHOWN = 30
BEST_SHOWN = 3
ARMS_SHOWN = 8
FEWEST_FOR_BAND = 10

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One trial's validation metric.

    Attributes:
        points: compute and value, rung by rung.
        best: whether this is the trial to look at: the recommended one, or else the best so far.
    """

    number: int
    arm: str
    points: list[Point]
    status: str
    best: bool


@dataclass(frozen=True)
class Band:
    """The middle half of all values, at the common rungs and at the end."""

    compute: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class LearningCurves:
    """The curves that are drawn, and what is said of the others.

    Attributes:
        trials: how many trials have a curve; `curves` may be fewer.
        band: of all of them, where not all are drawn.
        window: the values to look at first, lowest and highest: a trial that blew up would hide
            all others.
    """

    trials: int
    curves: list[Curve]
    band: Band | None
    window: tuple[float, float] | None

    @property
    def arms(self) -> set[str]:
        """The arms that have a curve."""
        return {curve.arm for curve in self.curves}


@dataclass(frozen=True)
class PacingCurve:
    """The share of the data that a config lets in, by progress."""

    number: int
    arm: str
    name: str
    points: list[Point]
    first: bool


def learning_curves(
    table: TrialTable, problem: Problem, rungs: Sequence[float], best: int | None
) -> LearningCurves:
    """All trials' curves, or of many the best of the baseline and the 8 best arms, and a band.

    Args:
        table: the trial table.
        problem: metric, mode and arms.
        rungs: the levels of compute below the cap at which trials report.
        best: the number of the search trial to look at.
    """
    told = [trial for trial in table.of_stage(SEARCH) if trial.rungs]
    shown, sign = told, sign_of(problem)
    if len(told) > ALL_SHOWN:
        shown = _best_of_arms(told, problem, best)
    curves = [_curve(trial, trial.number == best) for trial in shown]
    band = _band(told, rungs) if len(told) > ALL_SHOWN else None
    return LearningCurves(len(told), curves, band, _window(curves, band, sign))


def _best_of_arms(told: Sequence[Trial], problem: Problem, best: int | None) -> list[Trial]:
    """The three best trials of the baseline and of the eight best other arms, and the best one."""
    sign = sign_of(problem)
    ranked = {
        arm: ended([trial for trial in told if trial.arm == arm], sign) for arm in problem.arms
    }
    baseline = ranked.pop(problem.baseline)
    others = sorted(filter(None, ranked.values()), key=lambda each: sign * each[0][0])
    shown = [t for each in (baseline, *others[:ARMS_SHOWN]) for _, t in each[:BEST_SHOWN]]
    left_out = [trial for trial in told if trial.number == best and trial not in shown]
    return shown + left_out


def _curve(trial: Trial, best: bool) -> Curve:
    points = [(rung.compute, rung.value) for rung in trial.rungs]
    return Curve(trial.number, trial.arm, points, trial.status, best)


def _band(trials: Sequence[Trial], rungs: Sequence[float]) -> Band | None:
    """At each rung that trials have in common, and over the ends of those that are done."""
    groups = [
        [
            (rung.compute, rung.value)
            for trial in trials
            for rung in trial.rungs
            if abs(rung.level - level) <= 1e-9 * level
        ]
        for level in rungs
    ]
    groups.append(
        [(t.rungs[-1].compute, t.rungs[-1].value) for t in trials if t.status == Status.DONE]
    )
    found = []
    for group in groups:
        if len(group) >= FEWEST_FOR_BAND:
            low, _, high = quantiles([value for _, value in group], n=4, method="inclusive")
            found.append((median(compute for compute, _ in group), low, high))
    if len(found) < 2:
        return None
    found.sort()
    return Band([x for x, _, _ in found], [low for _, low, _ in found], [up for *_, up in found])


def _window(curves: Sequence[Curve], band: Band | None, sign: float) -> tuple[float, float] | None:
    """Everything, unless the worst values lie far beyond the worst tenth of the others."""
    values = [sign * value for curve in curves for _, value in curve.points]
    if band is not None:
        values += [sign * value for value in (*band.low, *band.high)]
    if len(values) < 2:
        return None
    values.sort()
    best, typical, worst = values[0], values[int(0.9 * (len(values) - 1))], values[-1]
    if worst - best > 4.0 * (typical - best) > 0.0:
        worst = typical
    margin = 0.05 * (worst - best) or 0.05 * abs(best) or 0.05
    low, high = sorted((sign * (best - margin), sign * (worst + margin)))
    return low, high


def pacing_curves(arms: Sequence[Arm], table: TrialTable) -> list[PacingCurve]:
    """The pacings in each arm's finalists."""
    found = []
    for arm in arms:
        for rank, candidate in enumerate(arm.candidates):
            for given in _pacings(table.trials[candidate.number].config):
                pacing: Pacing = from_config(Pacing, given, "pacing")
                points = [(at, pacing.share(at)) for at in _grid(pacing.jumps())]
                found.append(
                    PacingCurve(candidate.number, arm.name, given["name"], points, rank == 0)
                )
    return found


def _pacings(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, below in config.items():
        if isinstance(below, dict):
            if name == Pacing.kind:
                yield below
            else:
                yield from _pacings(below)


def _grid(jumps: list[float]) -> list[float]:
    """Progress from 0 to 1, close on both sides of where more is let in all at once."""
    even = [step / 60 for step in range(61)]
    return sorted({*even, *jumps, *(jump - 1e-6 for jump in jumps)})

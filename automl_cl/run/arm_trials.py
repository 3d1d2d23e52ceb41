"""The search trials of one arm, ready for the questions that every decision asks."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from automl_cl.run.events import Status
from automl_cl.run.trial import BROKEN, Trial

T = TypeVar("T")


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
        may_spend = trial.status in (Status.RUNNING, *BROKEN)
        commits = trial.horizon if may_spend else trial.compute
        self._counted[trial.number] = trial.status, trial.compute, commits
        self.spent += trial.compute - spent
        self.committed += commits - committed
        if trial.status == Status.PAUSED:
            self.paused[trial.number] = trial
        else:
            self.paused.pop(trial.number, None)
        if trial.status == Status.DONE and before != Status.DONE:
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

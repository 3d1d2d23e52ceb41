"""Counts over the trial table, kept up to date event by event, at the same cost for any table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from automl_cl.run.events import Close, Event, OfTrial, Stage, Status
from automl_cl.run.trial import CONFIRM, SEARCH, VERDICT, Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.strategy.stages import CONFIRMATIONS, confirmed, finalists, missing, verdict_repeats
from trainables.scenarios.scenario import Scenario


@dataclass
class ArmTally:
    """One arm's search trials, by status, and what came of them.

    Attributes:
        best: the best value by search, and `mean` by confirmation; None until there is one.
    """

    arm: str
    trials: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    compute: float = 0.0
    best: float | None = None
    best_trial: int = -1
    mean: float | None = None

    def count(self, status: str) -> int:
        """Trials of a status; those that diverged have failed, those that are paused stopped."""
        also = {"failed": "diverged", "stopped": "paused"}.get(status, "")
        return self.by_status[status] + self.by_status[also]


class Tally:
    """The counts that a view of a run shows.

    Args:
        table: the trial table, which the tally does not change.
        scenario: names mode and baseline.

    Attributes:
        arms: of the search, by name.
        by_stage: trials of each stage by status.
        compute: of all trials.
        searched: compute of the search trials, without those of a fork's parent.
    """

    def __init__(self, table: TrialTable, scenario: Scenario) -> None:
        self.table, self.scenario = table, scenario
        self.arms: dict[str, ArmTally] = {}
        self.by_stage: dict[Stage, Counter[str]] = {
            stage: Counter() for stage in (SEARCH, CONFIRM, VERDICT)
        }
        self.compute = self.searched = 0.0
        self._counted: dict[int, tuple[str, float]] = {}
        self._wanted: dict[tuple[Stage, int, int], int] = {}
        for trial in table.trials:
            self._count(trial)
        self._confirm()

    def apply(self, event: Event) -> None:
        """Takes in an event that the table has taken in."""
        if isinstance(event, Close):
            for number in [
                n for n, (status, _) in self._counted.items() if status == Status.RUNNING
            ]:
                self._count(self.table.trials[number])
        if not isinstance(event, OfTrial):
            return
        trial = self.table.trials[event.number]
        self._count(trial)
        if trial.stage == CONFIRM and trial.status != Status.RUNNING:
            self._confirm()

    def _count(self, trial: Trial) -> None:
        status, compute = self._counted.get(trial.number, (None, 0.0))
        self._counted[trial.number] = trial.status, trial.compute
        change = trial.compute - compute
        self.compute += change
        counts = [self.by_stage[trial.stage]]
        if trial.stage == SEARCH:
            mine = self.arms.setdefault(trial.arm, ArmTally(trial.arm))
            mine.trials += status is None
            mine.compute += change
            self.searched += change if trial.forked is None else 0.0
            counts.append(mine.by_status)
            self._take_value(mine, trial)
        for count in counts:
            if status is not None:
                count[status] -= 1
            count[trial.status] += 1

    def _take_value(self, mine: ArmTally, trial: Trial) -> None:
        value = trial.value
        if value is not None and (mine.best is None or self._better(value, mine.best)):
            mine.best, mine.best_trial = value, trial.number

    def _better(self, value: float, other: float) -> bool:
        return value > other if self.scenario.mode == "max" else value < other

    def _confirm(self) -> None:
        if self.by_stage[CONFIRM].total() == 0:
            return
        means = {each.source.arm: each.mean for each in confirmed(self.table, self.scenario.mode)}
        for arm, mine in self.arms.items():
            mine.mean = means.get(arm)

    def ranked(self) -> list[ArmTally]:
        """The arms, best first: by confirmation where there is one, else by the search."""
        sign = -1.0 if self.scenario.mode == "max" else 1.0

        def merit(mine: ArmTally) -> tuple[bool, float, bool, float, str]:
            mean, best = mine.mean, mine.best
            return (mean is None, sign * (mean or 0), best is None, sign * (best or 0), mine.arm)

        return sorted(self.arms.values(), key=merit)

    def leader(self) -> ArmTally | None:
        """The arm with the best value of the search."""
        found = [mine for mine in list(self.arms.values()) if mine.best is not None]
        sign = -1.0 if self.scenario.mode == "max" else 1.0
        return min(found, key=lambda mine: sign * (mine.best or 0.0), default=None)

    def wanted(self, stage: Stage) -> int:
        """Number of trainings of a stage in all; known once it has begun."""
        if stage == SEARCH:
            return self.table.budget
        # Another plan is made where a training for the verdict comes to nothing.
        key = (stage, self.table.budget, len(self.table.plans))
        if key not in self._wanted:
            self._wanted[key] = self.by_stage[stage].total() + self._missing(stage)
        return self._wanted[key]

    def _missing(self, stage: Stage) -> int:
        table, plan = self.table, self.table.plan
        if stage == VERDICT:
            return 0 if plan is None else len(missing(table, verdict_repeats(table, plan)))
        asked = Counter(trial.source for trial in table.of_stage(CONFIRM))
        finals = finalists(table.trials, self.scenario.mode)
        return sum(max(0, CONFIRMATIONS - asked[trial.number]) for trial in finals)

    @property
    def running(self) -> int:
        """Number of trainings under way."""
        return sum(counts["running"] for counts in self.by_stage.values())

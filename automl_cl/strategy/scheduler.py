"""The base of every scheduler. Rungs are levels of measured compute, never epochs or reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.strategy.ranking import Ranking, agreement, pooled
from search_spaces import Part, option


@dataclass(frozen=True)
class Arm:
    """An arm as a scheduler sees it.

    Attributes:
        trials: its search trials.
        others: those of each arm, this one's among them.
        mode: `max` or `min`.
        cap: the most compute a trial may spend.
        seed: of the search.
    """

    trials: ArmTrials
    others: Mapping[str, ArmTrials]
    mode: str
    cap: float
    seed: int

    def loss(self, value: float) -> float:
        """A value so that lower is better."""
        return -value if self.mode == "max" else value

    def others_at(self, trial: Trial, value: float, level: float) -> tuple[int, int]:
        """Numbers of the other trials that reached a level, and of those that are better there."""
        there = self.trials.at(level)
        others = len(there.numbers) - (trial.number in there.numbers)
        return others, there.better(value, self.mode)

    def losses_at(self, level: float) -> list[tuple[float, Trial]]:
        """The losses of the trials that have got to a level, by number."""
        there = self.trials.at(level).numbers
        found = []
        for trial in self.trials.trials:
            if trial.number in there and (value := trial.value_by(level)) is not None:
                found.append((self.loss(value), trial))
        return found

    def ranking(self, level: float) -> Ranking:
        """The ranking quality of a level, over all arms."""
        return pooled(
            arm.of_finished(level, partial(agreement, level)) for arm in self.others.values()
        )


class Scheduler(Part, ABC):
    """Says where a trial reports, and whether it goes on there. Trials are compared in their arm.

    All is a function of the trial table, so that a resumed search decides the same again.
    """

    kind: ClassVar[str] = "scheduler"
    options_in: ClassVar[str] = "automl_cl.strategy.schedulers"

    @abstractmethod
    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        """Compute at which a trial reports, rising, the last being its horizon.

        Args:
            horizon: the compute it is for.
            cap: the most that any trial may be for.
            number: the trial's.
        """

    @abstractmethod
    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        """Decide on a trial that reports `value` at `level`, before its last rung."""

    def uncompared(self, arm: Arm) -> bool:
        """True if the arm's next trial is to run to its end whatever its rungs say."""
        return False

    def promoted(self, arm: Arm) -> Trial | None:
        """The paused trial that is to go on now, if there is one."""
        return None


def geometric(horizon: float, cap: float, eta: float, rungs: int) -> list[float]:
    """The cap and its `rungs - 1` lower rungs, each 1/eta of the next, cut at a horizon."""
    below = [cap / eta**power for power in range(rungs - 1, 0, -1)]
    return [*(level for level in below if level < horizon * 0.999), horizon]


def rungs_of(name: str, cap: float) -> list[float]:
    """The levels below the cap at which the trials of a scheduler report."""
    chosen = option(Scheduler, name)()  # type: ignore[type-abstract]
    return chosen.levels(cap, cap, number=0)[:-1]

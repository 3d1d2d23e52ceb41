"""The base of every sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import optuna
from optuna.trial import TrialState, create_trial

from search_spaces import FlatSpace, Part, Point


@dataclass(frozen=True)
class Told:
    """The facts on a trial that a sampler is told.

    Attributes:
        point: its coordinates.
        standing: how it compares with the arm's other trials, a normal score (0 in the middle,
            about -2 among the best 2 %); None while the trial has shown nothing yet.
    """

    point: Point
    standing: float | None


class Sampler(Part, ABC):
    """Proposes points that promise a low standing.

    It has no memory: whoever asks tells all that is to be known, so that a resumed search asks
    the same again.
    """

    kind: ClassVar[str] = "sampler"
    options_in: ClassVar[str] = "automl_cl.strategy.samplers"

    @abstractmethod
    def ask(self, space: FlatSpace, told: Sequence[Told], seed: int) -> Point:
        """The next point.

        Args:
            space: where it is to lie.
            told: the arm's trials, those at work included, oldest first.
            seed: the only source of chance.
        """


class OptunaSampler(Sampler):
    """A sampler of Optuna, on a study made anew for each question."""

    @abstractmethod
    def optuna_sampler(
        self, seed: int, finished: Sequence[optuna.trial.FrozenTrial]
    ) -> optuna.samplers.BaseSampler:
        """The sampler of a study whose finished trials are these."""

    def ask(self, space: FlatSpace, told: Sequence[Told], seed: int) -> Point:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        trials = [_frozen(space, each) for each in told]
        finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        study = optuna.create_study(sampler=self.optuna_sampler(seed, finished))
        study.add_trials(trials)
        asked: dict[str, Any] = dict(study.ask(space.ranges).params)
        return space.nearest(asked)


def _frozen(space: FlatSpace, told: Told) -> optuna.trial.FrozenTrial:
    state = TrialState.RUNNING if told.standing is None else TrialState.COMPLETE
    return create_trial(
        state=state, params=told.point, distributions=space.ranges, value=told.standing
    )

"""Proposals: one flat Optuna study per arm, built anew from the trial table for each question."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl_cl.trials import Trial
from search_spaces import Space, coordinates
from trainables.seeds import derive_seed

RANDOM_SHARE = 0.3
FEWEST_POINTS = 6
MOST_POINTS = 300


def propose(
    arm: Space, trials: Sequence[Trial], number: int, seed: int, mode: str
) -> tuple[dict[str, Any], str]:
    """The next point of an arm.

    The study learns from the highest level at which enough of the arm's trials have a value: a
    value from an early rung says little beside one from the end. Trials that failed or diverged
    are told as no better than the worst. What is asked depends on the
    table, the seed and the number alone, so that a resumed search asks the same again.

    Args:
        arm: the arm's space.
        trials: the arm's search trials so far.
        number: of the trial to come.
        seed: of the search.
        mode: `max` or `min`.

    Returns:
        The point in the arm's coordinates, and its origin: `random` or `model`.
    """
    space = coordinates(arm)
    observed = _observed(trials)
    worst = (min if mode == "max" else max)((value for _, value in observed), default=0.0)
    broken = [trial for trial in trials if trial.status in ("failed", "diverged")]
    own_seed = derive_seed(seed, "proposal", number)
    by_chance = own_seed % 1000 < RANDOM_SHARE * 1000
    origin = "random" if by_chance or len(observed) < FEWEST_POINTS else "model"
    study = _study(origin, own_seed % 2**32, mode)
    if origin == "model":
        study.add_trials([_told(space, trial, value) for trial, value in observed])
        study.add_trials([_told(space, trial, worst) for trial in broken[-MOST_POINTS:]])
        study.add_trials([_pending(space, t) for t in trials if t.status == "running"])
    asked = study.ask(space)
    return dict(asked.params), origin


def _observed(trials: Sequence[Trial]) -> list[tuple[Trial, float]]:
    """Trials and their values at the highest level that has enough of them."""
    final = [(trial, trial.value) for trial in trials if trial.value is not None]
    if len(final) >= FEWEST_POINTS:
        return final[-MOST_POINTS:]
    levels = sorted({rung.level for trial in trials for rung in trial.rungs}, reverse=True)
    for level in levels:
        found = [(t, value) for t in trials if (value := t.value_by(level)) is not None]
        if len(found) >= FEWEST_POINTS:
            return found[-MOST_POINTS:]
    return final


def _study(origin: str, seed: int, mode: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler: optuna.samplers.BaseSampler = (
            optuna.samplers.RandomSampler(seed=seed)
            if origin == "random"
            else optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=0
            )
        )
    maximise = optuna.study.StudyDirection.MAXIMIZE
    direction = maximise if mode == "max" else optuna.study.StudyDirection.MINIMIZE
    return optuna.create_study(sampler=sampler, direction=direction)


def _told(space: dict[str, BaseDistribution], trial: Trial, value: float) -> FrozenTrial:
    return create_trial(
        state=TrialState.COMPLETE, params=trial.point, distributions=space, value=value
    )


def _pending(space: dict[str, BaseDistribution], trial: Trial) -> FrozenTrial:
    return create_trial(state=TrialState.RUNNING, params=trial.point, distributions=space)

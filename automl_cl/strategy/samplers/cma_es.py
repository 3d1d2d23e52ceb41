"""Covariance matrix adaptation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, create_trial

from automl_cl.strategy.sampler import OptunaSampler

FEWEST_SOURCES = 10


@final
@dataclass(frozen=True)
class CmaEs(OptunaSampler):
    """Optuna's CMA-ES, begun at the distribution of the best trials so far; categories at random.

    A strategy that is stepped generation by generation has a memory of its own; this one is begun
    anew for each question from what the arm's trials say (warm-started CMA-ES, Nomura et al.
    2021), so that a resumed search asks the same again. Below 10 trials it begins in the middle.
    """

    def optuna_sampler(
        self, seed: int, finished: Sequence[FrozenTrial]
    ) -> optuna.samplers.BaseSampler:
        sources = [_numbers_only(trial) for trial in finished]
        enough = len(sources) >= FEWEST_SOURCES
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.CmaEsSampler(
                source_trials=sources if enough else None,
                seed=seed,
                n_startup_trials=0,
                independent_sampler=optuna.samplers.RandomSampler(seed=seed),
                warn_independent_sampling=False,
            )


def _numbers_only(trial: FrozenTrial) -> FrozenTrial:
    kept = {
        name: allowed
        for name, allowed in trial.distributions.items()
        if not isinstance(allowed, CategoricalDistribution) and not allowed.single()
    }
    params = {name: trial.params[name] for name in kept}
    return create_trial(params=params, distributions=kept, value=trial.value)

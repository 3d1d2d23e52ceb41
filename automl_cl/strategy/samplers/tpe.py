"""Tree-structured Parzen estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import optuna

from automl_cl.strategy.sampler import OptunaSampler


@final
@dataclass(frozen=True)
class Tpe(OptunaSampler):
    """Optuna's multivariate TPE; trials at work count as bad (constant liar).

    Source: Bergstra et al. 2011; Falkner et al. 2018 for the multivariate kernel.
    """

    def optuna_sampler(
        self, seed: int, finished: Sequence[optuna.trial.FrozenTrial]
    ) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=0
            )

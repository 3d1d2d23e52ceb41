"""Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import optuna

from automl_cl.strategy.sampler import OptunaSampler


@final
@dataclass(frozen=True)
class Gp(OptunaSampler):
    """Optuna's Gaussian process with expected improvement; slow from 100 trials on."""

    def optuna_sampler(
        self, seed: int, finished: Sequence[optuna.trial.FrozenTrial]
    ) -> optuna.samplers.BaseSampler:
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=0)

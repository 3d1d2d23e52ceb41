"""Weights that are not what their training left."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from automl_cl.run.folder import RunFolder
from automl_cl.run.trial import Trial
from search_spaces import InputError
from trainables.learning.artefacts import Maker
from trainables.learning.weights import damage_of

READ_AT_ONCE = 4


def damaged(trials: Sequence[Trial], folder: RunFolder, run: str) -> list[tuple[Trial, str]]:
    """Those of some trials with weights whose weights are damaged, each with what is wrong."""
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        found = list(pool.map(lambda trial: _damage(trial, folder, run), trials))
    return [(t, what) for t, what in zip(trials, found, strict=True) if what is not None]


def _damage(trial: Trial, folder: RunFolder, run: str) -> str | None:
    """What is wrong with the weights of a trial, in words; None if nothing is."""
    assert trial.weights is not None
    try:
        weights = folder.checkpoint(trial.number, trial.weights)
    except InputError as error:
        return str(error)
    maker = Maker.of(run, trial.number, trial.seed, trial.config)
    return damage_of(weights, trial.rungs[-1].digest, maker)

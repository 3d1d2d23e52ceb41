"""The hyperparameters that mattered: functional ANOVA on each arm's study, rebuilt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution

from automl_cl.run.trial import Trial

FEWEST = 10
MOST = 500
LEAST_SHOWN = 0.01


@dataclass(frozen=True)
class Importances:
    """The importance of one arm's hyperparameters.

    Attributes:
        trials: how many finished trials it rests on.
        shares: each coordinate's share of the variance, the largest first; empty if not known.
        reason: why they are not known.
    """

    arm: str
    trials: int
    shares: Mapping[str, float]
    reason: str | None = None


@dataclass(frozen=True)
class ImportanceRow:
    """One hyperparameter's share in each of the arms, None where the arm has no such."""

    name: str
    shares: list[float | None]


def importance_rows(known: Sequence[Importances]) -> list[ImportanceRow]:
    """The hyperparameters that explain something in some arm, the most important first."""
    names = {name for each in known for name in each.shares}
    rows = [ImportanceRow(name, [each.shares.get(name) for each in known]) for name in names]

    def weight(row: ImportanceRow) -> float:
        return sum(share or 0.0 for share in row.shares)

    shown = [row for row in rows if max(share or 0.0 for share in row.shares) >= LEAST_SHOWN]
    return sorted(shown, key=lambda row: (-weight(row), row.name))


def importances_of(
    arm: str, trials: Sequence[Trial], distributions: Mapping[str, BaseDistribution]
) -> Importances:
    """The share of each of an arm's hyperparameters in how its trials rank.

    Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance"
    (ICML 2014). On ranks: a trial that blew up would explain all of the values' variance.

    Args:
        arm: its name.
        trials: its search trials.
        distributions: its study's coordinates.
    """
    ended = [(trial, trial.value) for trial in trials if trial.value is not None][-MOST:]
    order = sorted({value for _, value in ended})
    if len(ended) < FEWEST:
        reason = f"too few, {FEWEST} finished trials are needed"
        return Importances(arm, len(ended), {}, reason)
    if len(order) < 2:
        return Importances(arm, len(ended), {}, "all values are equal")
    import optuna
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    rank = {value: float(place) for place, value in enumerate(order)}
    study.add_trials(
        create_trial(params=t.point, distributions=dict(distributions), value=rank[value])
        for t, value in ended
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=16, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about coordinates with a single value
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return Importances(arm, len(ended), {name: float(share) for name, share in found.items()})

"""What a search is about, as its journal notes it: so that a run can be read without its data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution

from automl_cl.run.events import Problem
from automl_cl.run.folder import RunFolder
from automl_cl.run.trial_table import TrialTable
from search_spaces import InputError, Space, coordinates

if TYPE_CHECKING:
    from trainables.data import DataView
    from trainables.parts.model import Model
    from trainables.scenarios.scenario import Scenario


def problem_of(scenario: Scenario, view: DataView, space: Space, model: Model) -> Problem:
    """The journal's `problem` event.

    Args:
        scenario: as it is for the data.
        view: the data, whose whole space is noted beside the one that is searched.
        space: the narrowed space.
        model: the one model in it.

    Returns:
        `metric`, `mode`, `baseline`, `secondary` of the scenario; `notes` on data and scenario;
        `arms`, each with its study's `coordinates` as Optuna's JSON, the extra `information` it
        has or None, and what its default config was `given` or None; `space` and `whole_space` as
        `Space.describe` tells them.
    """
    arms = {}
    for name in space.options("algorithm"):
        arm = space.only("algorithm", name)
        arms[name] = {
            "information": scenario.extra_information(arm.default()),
            "given": scenario.was_given(arm.default(), view),
            "coordinates": coordinates_of(arm),
        }
    return Problem(
        metric=scenario.metric,
        mode=scenario.mode,  # type: ignore[arg-type]  # checked when it is written
        baseline=scenario.baseline,
        secondary=dict(scenario.secondary),
        notes=[*view.conditions, *scenario.notes(view, model)],
        arms=arms,
        space=space.describe(),
        whole_space=scenario.space(view).describe(implied=True),
    )


def coordinates_of(arm: Space) -> dict[str, str]:
    """The coordinates of an arm's study, as Optuna's JSON by name."""
    return {name: distribution_to_json(allowed) for name, allowed in coordinates(arm).items()}


def require_problem(table: TrialTable, folder: RunFolder) -> Problem:
    """What a run's journal says that was searched.

    Raises:
        InputError: if it does not say it.
    """
    if table.problem is None:
        raise InputError(
            f"{folder}: its journal does not say what was searched (the run was stopped "
            "before that, or begun by an earlier version); first: automl-cl resume "
            f"{shlex.quote(str(folder))}"
        )
    return table.problem


def distributions_of(problem: Problem, arm: str) -> Mapping[str, BaseDistribution]:
    """The coordinates of an arm's study."""
    noted = problem.arms[arm]["coordinates"]
    return {name: json_to_distribution(text) for name, text in noted.items()}

"""From a spec to what a search needs: scenario, data without its test, and the space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_cl.objectives import objectives_of
from automl_cl.spec import SearchSpec
from search_spaces import Float, InputError, Space, narrowed, unknown_name
from trainables.data import DataSpec, DataView, data_sources
from trainables.scenario import Scenario, load_scenario, scenario_names

SHORTEST = 0.25
EXTRAS = 0.2
"""Of what a trial may cost, left by default for what is not training, such as evaluations."""


@dataclass(frozen=True)
class Prepared:
    """A checked spec with everything loaded."""

    spec: SearchSpec
    scenario: Scenario
    settings: Any
    data: DataSpec
    view: DataView
    space: Space


def located(data: str) -> str:
    """A file or folder by its absolute path, so that a run can be resumed from anywhere."""
    path = Path(data).expanduser()
    named = not data or data.replace("_", "-") in data_sources()
    named |= any(data in load_scenario(each).own_data() for each in scenario_names())
    return str(path.absolute()) if not named and path.exists() else data


def data_spec(spec: SearchSpec) -> DataSpec:
    """What data a search is on."""
    seed = spec.seed if spec.split_seed is None else spec.split_seed
    return DataSpec(source=spec.data, noise=spec.noise, seed=seed)


def prepare(spec: SearchSpec) -> Prepared:
    """Loads what a spec names.

    Raises:
        InputError: for a scenario, data source, model or space that is not there or not right.
    """
    scenario = load_scenario(spec.scenario)
    if spec.workers_per_trial > 1 and not scenario.several_workers:
        raise InputError(
            f"--workers-per-trial: got {spec.workers_per_trial}, but a trial of {scenario.name} "
            "is trained by 1 worker."
        )
    settings, data = scenario.with_settings(spec.settings, spec.data), data_spec(spec)
    view = scenario.load(data, settings)
    scenario = scenario.for_view(view)
    objectives_of(scenario.metric, scenario.secondary, spec.objectives)  # refuses unknown names
    return Prepared(spec, scenario, settings, data, view, _space(spec, scenario, view))


def _space(spec: SearchSpec, scenario: Scenario, view: DataView) -> Space:
    """The scenario's space, cut to the spec's model and cap, then narrowed by its file.

    The baseline stays an arm whatever the file says, and a horizon that the file leaves alone is
    searched down to a quarter of the cap.
    """
    whole = scenario.space(view)
    model = scenario.default_model(view) if spec.model is None else spec.model
    _require_suitable(model, whole.options("model"), scenario, view)
    cap = default = spec.cap
    if spec.max_compute is not None:
        default = min(spec.max_epochs, (1 - EXTRAS) * spec.max_compute)
    cut = narrowed(whole, {"model": model, "training.epochs": {"high": cap, "default": default}})
    try:
        space = narrowed(cut, spec.space).with_option("algorithm", scenario.baseline, cut)
    except InputError as error:
        raise InputError(f"--space: {error}") from error
    allowed = cut.range_of("training", "epochs")
    if isinstance(allowed, Float) and space.range_of("training", "epochs") == allowed:
        shortest = max(SHORTEST * cap, allowed.low)
        space = narrowed(space, {"training.epochs": {"low": shortest}})
    return scenario.tunable(space, view)


def _require_suitable(model: str, suitable: list[str], scenario: Scenario, view: DataView) -> None:
    if model in suitable:
        return
    known = Space.of(scenario.recipe).options("model")
    if model not in known:
        raise unknown_name(f"model for inputs of shape {view.input_shape}", model, suitable)
    raise InputError(
        f"--model: '{model}' does not suit inputs of shape {list(view.input_shape)}; "
        f"allowed: {', '.join(suitable)}."
    )

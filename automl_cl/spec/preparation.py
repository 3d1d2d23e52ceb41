"""From a spec to what a search needs: scenario, data without its test, and the space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.objectives import objectives_of
from automl_cl.strategy.scheduler import Scheduler
from search_spaces import (
    Config,
    Float,
    InputError,
    Space,
    feasible,
    from_config,
    narrowed,
    option,
    options,
    parse_yaml,
    refuse_unused,
    to_config,
    to_yaml,
)
from trainables import data as sources
from trainables.data import DataSpec, DataView
from trainables.parts.find_model import find_model
from trainables.parts.model import Model
from trainables.scenarios.scenario import Scenario, load_scenario, scenario_names

SHORTEST = 0.25
EXTRAS = 0.2
"""Of what a trial may cost, left by default for what is not training, such as evaluations."""


@dataclass(frozen=True)
class Prepared:
    """A checked spec with everything loaded, and what is to be said of it."""

    spec: SearchSpec
    scenario: Scenario
    settings: Any
    data: DataSpec
    view: DataView
    space: Space
    notes: tuple[str, ...] = ()

    @property
    def least_horizon(self) -> Callable[[Config], float]:
        """How many epochs of compute an algorithm's config needs."""
        return self.scenario.least_horizons(self.space, self.view)

    @property
    def model(self) -> Model:
        """The one model of the space."""
        # The family is abstract; its config names one of its models.
        model: Model = from_config(Model, self.space.default()["model"], "model")
        return model


def located(data: str) -> str:
    """Data by an address that means the same in any working directory."""
    own = any(data in load_scenario(each).own_data() for each in scenario_names())
    return data if own else sources.located(data)


def data_spec(spec: SearchSpec) -> DataSpec:
    """What data a search is on."""
    seed = spec.seed if spec.split_seed is None else spec.split_seed
    return DataSpec(
        spec.data,
        noise=spec.noise,
        seed=seed,
        options=spec.data_options,
        noise_map=spec.noise_map,
        imbalance=spec.imbalance,
        clean=spec.clean,
        clean_validation=spec.clean_validation,
    )


def prepare(spec: SearchSpec) -> Prepared:
    """Loads what a spec names; what was guessed about the data is certain in what it returns.

    Raises:
        InputError: for a scenario, data source, model or space that is not there or not right.
    """
    scenario = load_scenario(spec.scenario)
    settings, data = scenario.with_settings(spec.settings, spec.data), data_spec(spec)
    view = scenario.load(data, settings)
    spec = replace(spec, data_options=view.options, noise_map=view.noise_map)
    _require_readable_again(scenario, data, data_spec(spec), settings, view)
    data = data_spec(spec)
    scenario = scenario.for_view(view)
    objectives_of(scenario.metric, scenario.secondary, spec.objectives)  # refuses unknown names
    space, named = _space(spec, scenario, view)
    prepared = Prepared(spec, scenario, settings, data, view, space)
    scenario.check_model(prepared.model, view)
    payable, notes = _payable(space, spec, scenario, view, named)
    return replace(prepared, space=payable, notes=notes)


def _require_readable_again(
    scenario: Scenario, given: DataSpec, found: DataSpec, settings: Any, view: DataView
) -> None:
    """Loads the data once more, as it is told in files, if anything was found out about it.

    Whoever opens the sealed test reads the data so, after every training: it must not fail then.

    Raises:
        InputError: it cannot be read so, or is other data then.
    """
    written = parse_yaml(to_yaml(found.to_dict()), "the data's options")
    read = DataSpec.from_dict(written)
    if read == given:
        return
    again = scenario.load(read, settings)
    if again.fingerprint != view.fingerprint:
        raise InputError(
            f"data '{found.source}': read again with the options that were found, it is other "
            f"data: fingerprint {again.fingerprint}, at first {view.fingerprint}. Nothing was "
            "begun; name columns and classes by options, and report this."
        )


def _space(spec: SearchSpec, scenario: Scenario, view: DataView) -> tuple[Space, bool]:
    """The scenario's space, cut to the spec's model and cap, then narrowed by its file.

    The baseline stays an arm whatever the file says, and a horizon that the file leaves alone is
    searched down to a quarter of the cap. Told besides is whether the file names algorithms.
    """
    whole = scenario.space(view)
    model = find_model(scenario.default_model(view) if spec.model is None else spec.model)
    _require_suitable(model, whole.options("model"), view)
    cap = default = spec.cap
    if spec.max_compute is not None:
        default = min(spec.max_epochs, (1 - EXTRAS) * spec.max_compute)
    if spec.channels_last and len(view.input_shape) != 3:
        raise InputError(
            f"--channels-last: inputs of shape {list(view.input_shape)} have no channels; "
            "leave it out."
        )
    cut = narrowed(whole, {"model": _named(model), "computing": spec.computing})
    cut = narrowed(cut, {"training.epochs": {"high": cap, "default": default}})
    cut = scenario.fitted_to(cut, view, model)
    try:
        space = narrowed(cut, spec.space, kept={"algorithm": scenario.baseline})
        refuse_unused(cut, space)
    except InputError as error:
        raise InputError(f"--space: {error}") from error
    allowed = cut.range_of("training", "epochs")
    if isinstance(allowed, Float) and space.range_of("training", "epochs") == allowed:
        shortest = max(SHORTEST * cap, allowed.low)
        space = narrowed(space, {"training.epochs": {"low": shortest}})
    tunable = scenario.tunable(space, view)
    if spec.shard_model:
        tunable = _divisible(tunable, scenario, cut, space)
    return tunable, space.options("algorithm") != cut.options("algorithm")


def _payable(
    space: Space, spec: SearchSpec, scenario: Scenario, view: DataView, named: bool
) -> tuple[Space, tuple[str, ...]]:
    """The space without what its trials are too short for, and what is to be said of that.

    Args:
        space: what may be searched.
        spec: the search.
        scenario: its scenario.
        view: its data.
        named: whether the user named algorithms.

    Raises:
        InputError: if a trial is too short for an algorithm that the user named.
    """
    least = scenario.least_horizons(space, view)
    horizon = space.default()["training"]["epochs"]
    if spec.fidelity == "compressed":
        # Each rung is then a run of its own.
        scheduler = option(Scheduler, spec.scheduler)()  # type: ignore[type-abstract]
        horizon = scheduler.levels(horizon, spec.cap, 0)[0]
    payable, forbidden = feasible(
        space, "algorithm", lambda config: least(config) <= horizon * (1.0 + 1e-6)
    )
    if not forbidden:
        return payable, ()
    needed = {
        name: least(space.only("algorithm", name).default()["algorithm"]) for name in forbidden
    }
    if named:
        name, epochs = max(needed.items(), key=lambda each: each[1])
        raise InputError(
            f"--max-epochs: '{name}' needs trials of at least {epochs:.4g} epochs to pay for its "
            f"teacher or scorer, and they have {horizon:.4g}; leave it out, or allow more."
        )
    told = ", ".join(f"{name} ({epochs:.4g})" for name, epochs in sorted(needed.items()))
    return payable, (
        f"Left out, since trials of {horizon:.4g} epochs are too short to pay for their teachers "
        f"or scorers (least epochs): {told}.",
    )


def _divisible(tunable: Space, scenario: Scenario, cut: Space, narrow: Space) -> Space:
    """The space without the algorithms that need the whole model, if none was asked for.

    Raises:
        InputError: if the user named one of them, or the baseline is one.
    """
    reasons = {
        name: why
        for name in tunable.options("algorithm")
        if (why := scenario.needs_whole_model(name)) is not None
    }
    if scenario.baseline in reasons:
        raise InputError(
            f"--shard-model: {scenario.name} needs the whole model on each worker: "
            f"{reasons[scenario.baseline]}."
        )
    if reasons and narrow.options("algorithm") != cut.options("algorithm"):
        name, why = next(iter(reasons.items()))
        raise InputError(
            f"--space: algorithm: '{name}' cannot train with --shard-model: {why}; leave one out."
        )
    return tunable.leaving_out("algorithm", list(reasons))


def _named(model: Model) -> Config:
    """What a model's name alone decides of its config; sizes stay what the space has them at."""
    plain = to_config(type(model)())
    return {k: v for k, v in to_config(model).items() if k == "name" or v != plain[k]}


def _require_suitable(model: Model, suitable: list[str], view: DataView) -> None:
    if model.part_name() not in suitable:
        kinds = options(Model)  # type: ignore[type-abstract]
        raise InputError(
            f"--model: '{model.full_name}' does not suit inputs of shape "
            f"{list(view.input_shape)}; allowed: "
            f"{', '.join(sorted(kinds[name].names() for name in suitable))}."
        )

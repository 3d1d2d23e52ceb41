"""Scenarios: the kinds of problem, found by their folders.

A folder of this package that holds a module `scenario.py` is a scenario; its folder `algorithms`
holds one algorithm a file. Nothing outside that folder knows its name.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import (
    Config,
    InputError,
    Part,
    Space,
    from_config,
    option,
    options,
    published_defaults,
    unknown_name,
)
from trainables.data import DataSpec, DataView, OpeningLog, hashes_of, load_view, open_test
from trainables.learning.algorithm import Algorithm
from trainables.learning.learner import DeviceData, Learner
from trainables.learning.model_check import check_model
from trainables.learning.tensors import TensorExamples, TensorView
from trainables.parts.model import Model
from trainables.ranks.ranks import ALONE, Ranks


@dataclass(frozen=True)
class NoSettings:
    """A scenario that has no settings of its own."""


class Scenario(ABC):
    """One kind of problem: what a config consists of, what data it has, and what is measured.

    Attributes:
        name: the folder's name.
        settings: a dataclass of what a search sets that other scenarios do not have, such as the
            number of labels; ranges on its annotations.
        recipe: the dataclass whose fields are the sections of a config.
        algorithm: the family of its algorithms.
        baseline: the algorithm that the others have to beat.
        metric: what validation and verdict compare, and `mode` whether more is better; of some
            data they may be others, see `for_view`.
        secondary: the other metrics that every learner reports, each with its mode.
    """

    name: ClassVar[str]
    settings: ClassVar[type] = NoSettings
    recipe: ClassVar[type]
    algorithm: ClassVar[type[Algorithm]]
    baseline: ClassVar[str]
    metric: ClassVar[str]
    mode: ClassVar[str]
    secondary: ClassVar[Mapping[str, str]] = {"loss": "min"}

    def own_data(self) -> Mapping[str, type]:
        """Data that no other scenario has, by name; the first docstring line describes it."""
        return {}

    def settings_for(self, source: str) -> type:
        """The dataclass of settings for some data."""
        return self.settings

    def with_settings(self, given: Mapping[str, Any], source: str = "") -> Any:
        """The scenario's settings for some data, those not given at their defaults.

        Raises:
            InputError: for one that it does not have, or a value that is not allowed.
        """
        settings = self.settings_for(source)
        where = f"settings of {self.name}"
        if settings is not self.settings:
            where += f" on {source}"
        return from_config(settings, dataclasses.asdict(settings()) | dict(given), where)

    def load(self, data: DataSpec, settings: Any) -> DataView:
        """Loads the data without its test: a `DataView`, or a kind of its own of one."""
        return load_view(data)

    def for_view(self, view: DataView) -> Scenario:
        """The scenario for some data: itself, or one like it with another metric and mode."""
        return self

    def open_test(self, data: DataSpec, settings: Any, log: OpeningLog, fingerprint: str) -> Any:
        """The items of the sealed test, as arrays that can travel; the opening is logged first."""
        return open_test(data, log, fingerprint)

    def examples_of(self, data: DataSpec, settings: Any, sealed: bool) -> NDArray[np.uint64]:
        """Numbers by which examples are known again in other data, see `hashes_of`.

        Args:
            data: which data.
            settings: the scenario's.
            sealed: whether those of the sealed test are wanted too.

        Returns:
            The numbers, ascending; none where examples are drawn anew and nothing is kept.
        """
        return hashes_of(data, sealed)

    def on_device(self, view: Any, device: torch.device, ranks: Ranks = ALONE) -> DeviceData:
        """A view as a learner takes it."""
        return TensorView.of(view, device, ranks)

    def in_search(self, data: Any) -> Any:
        """Return the data for trials whose results choose a config; verdict trainings see all."""
        return data

    def searched(self, space: Space, view: DataView) -> Space:
        """Return what a search may choose of a space that its user has narrowed.

        Called with the algorithms that can train the space's model.
        """
        return space

    def parts_of_test(self, view: DataView, items: Any) -> dict[str, NDArray[np.bool_]]:
        """Items [n] of which the verdict also tells the metric by themselves, by what they are."""
        return {}

    def notes(self, view: DataView, model: Model) -> list[str]:
        """Sentences that a verdict on this data, with this model, must not be read without."""
        start = model.starts_from
        return [f"Every network started from {start}."] if start else []

    def items_on_device(self, items: Any, device: torch.device, ranks: Ranks = ALONE) -> Any:
        """Test items as a learner scores them."""
        return TensorExamples.of(items, device, ranks)

    def admits(self, part: type[Part], view: DataView) -> bool:
        """Return True if a part can be used on some data, for reasons of the scenario's own."""
        return True

    def shaped(self, space: Space, view: DataView) -> Space:
        """Return the whole space as some data narrows it."""
        return space

    def fitted_to(self, space: Space, view: DataView, model: Model) -> Space:
        """Return the space with the defaults that fit a model on some data."""
        return space

    def columns_of(self, view: DataView) -> Collection[str]:
        """Return the columns that training examples have wherever an algorithm may see them."""
        return view.train.columns

    def default_model(self, view: DataView) -> str:
        """The model that is used where none is named."""
        return "mlp"

    def check_model(self, model: Model, view: DataView) -> None:
        """Tries a model on two inputs of some data.

        Raises:
            InputError: if it cannot be trained on it, or lacks what the algorithms need.
        """
        check_model(model, view.input_shape, view.num_classes)

    @abstractmethod
    def learner(self, config: Config, data: Any, seed: int, device: torch.device) -> Learner:
        """A learner of a config.

        Raises:
            InputError: if the config is not one of this scenario.
        """

    # What algorithms and other parts declare is read here, and nowhere else.

    @final
    def space(self, view: DataView) -> Space:
        """Return the whole space for some data: without the parts that cannot be used on it."""
        columns = self.columns_of(view)

        def keep(part: type[Part]) -> bool:
            able = part.suits(view.input_shape) and part.lacks(columns) is None
            return able and self.admits(part, view)

        whole = published_defaults(Space.of(self.recipe, keep), self.recipe)
        return self.shaped(whole, view)

    @final
    def tunable(self, space: Space, view: DataView) -> Space:
        """Return what a search may choose, without the algorithms that cannot train its model.

        Args:
            space: as its user has narrowed it.
            view: the data.

        Raises:
            InputError: if the user named one of those algorithms, or the baseline is one.
        """
        model: Any = from_config(Model, space.default()["model"], "model")
        reasons = self._unsuited(model, view)
        offered = space.options("algorithm")
        named = [name for name in offered if name in reasons]
        if named and len(offered) < len(self.space(view).options("algorithm")):
            raise InputError(
                f"--space: algorithm: '{named[0]}' cannot teach --model {model.full_name}: "
                f"{reasons[named[0]]}; leave it out, or choose another --model."
            )
        if self.baseline in reasons:
            raise InputError(
                f"--model {model.full_name}: the baseline '{self.baseline}' cannot teach it: "
                f"{reasons[self.baseline]}; choose another --model."
            )
        return self.searched(space.leaving_out("algorithm", reasons), view)

    def least_horizons(self, space: Space, view: DataView) -> Callable[[Config], float]:
        """Return how many epochs of compute a config's algorithm needs, to be asked of a config.

        A learner refuses less, since what comes before the first step would take too much of it.

        Args:
            space: what may be searched, with one model.
            view: the data.
        """
        return lambda algorithm: 0.0

    @final
    def require_suited(self, config: Config, view: DataView) -> None:
        """Refuse a config whose algorithm cannot train its model on some data.

        Raises:
            InputError: with the algorithm's reason.
        """
        recipe: Any = from_config(self.recipe, config)
        reasons = self._unsuited(recipe.model, view)
        recipe.algorithm.refuse(reasons.get(recipe.algorithm.part_name()))

    def _unsuited(self, model: Model, view: DataView) -> dict[str, str]:
        """Reasons of the algorithms that cannot train a model, by name."""
        with torch.random.fork_rng(devices=[]):
            network = model.build(view.input_shape, view.num_classes)
        found = {
            name: algorithm.unsuited(network, view.input_shape)
            for name, algorithm in options(self.algorithm).items()
        }
        return {name: why for name, why in found.items() if why is not None}

    @final
    def needs_whole_model(self, algorithm: str) -> str | None:
        """Return why an algorithm cannot train a model that is divided over workers, or None."""
        return option(self.algorithm, algorithm).needs_whole_model

    @final
    def extra_information(self, config: Config) -> str | None:
        """Return what the config's algorithm is told that the baseline is not, or None."""
        return self._algorithm(config).declared("extra_information")

    @final
    def indivisible(self, config: Config) -> str | None:
        """Return why batches of a config cannot be computed in parts, or None if they can."""
        return self._algorithm(config).declared("indivisible")

    @final
    def was_given(self, config: Config, view: DataView) -> str | None:
        """Return what the config's algorithm learns from besides inputs and labels, for reports.

        Such as a held-out meta set or a teacher, all of it out of the same training data; None
        for most.
        """
        examples = TensorExamples.of(view.train, torch.device("cpu"))
        return self._algorithm(config).was_given(examples)

    def _algorithm(self, config: Config) -> Algorithm:
        algorithm: Algorithm = from_config(self.algorithm, config["algorithm"], "algorithm")
        return algorithm


def scenario_names() -> list[str]:
    """All scenarios, from the folders of this package."""
    here = Path(__file__).parent
    found = pkgutil.iter_modules([str(here)])
    return sorted(m.name for m in found if m.ispkg and (here / m.name / "scenario.py").exists())


def load_scenario(name: str) -> Scenario:
    """A scenario by name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in scenario_names():
        raise unknown_name("scenario", name, scenario_names())
    module: Any = importlib.import_module(f"{__package__}.{name}.scenario")
    scenario: Scenario = module.SCENARIO
    return scenario

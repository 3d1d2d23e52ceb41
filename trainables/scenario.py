"""Scenarios: the kinds of problem, found by their folders.

A folder of this package that holds a module `_scenario.py` is a scenario, and each of its other
modules is one of the scenario's algorithms. Nothing outside that folder knows its name.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import torch

from search_spaces import Config, Part, Space, unknown_name
from trainables.data import DataView
from trainables.learner import Learner
from trainables.tensors import TensorView


class Scenario(ABC):
    """One kind of problem: what a config consists of, and what is measured.

    Attributes:
        name: the folder's name.
        recipe: the dataclass whose fields are the sections of a config.
        algorithm: the family of its algorithms.
        baseline: the algorithm that the others have to beat.
        metric: what validation and verdict compare, and `mode` whether more is better.
    """

    name: ClassVar[str]
    recipe: ClassVar[type]
    algorithm: ClassVar[type[Part]]
    baseline: ClassVar[str]
    metric: ClassVar[str]
    mode: ClassVar[str]

    def space(self, view: DataView) -> Space:
        """The whole space for some data: without the parts that do not suit its inputs."""
        return Space.of(self.recipe, keep=lambda part: part.suits(view.input_shape))

    def default_model(self, view: DataView) -> str:
        """The model that is used where none is named."""
        return "mlp"

    @abstractmethod
    def learner(
        self, config: Config, data: TensorView, seed: int, device: torch.device
    ) -> Learner:
        """A learner of a config.

        Raises:
            InputError: if the config is not one of this scenario.
        """

    def extra_information(self, config: Config) -> str | None:
        """What the config's algorithm is told that the baseline is not, or None."""
        return None


def scenario_names() -> list[str]:
    """All scenarios, from the folders of this package."""
    here = Path(__file__).parent
    found = pkgutil.iter_modules([str(here)])
    return sorted(m.name for m in found if m.ispkg and (here / m.name / "_scenario.py").exists())


def load_scenario(name: str) -> Scenario:
    """A scenario by name.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in scenario_names():
        raise unknown_name("scenario", name, scenario_names())
    module: Any = importlib.import_module(f"trainables.{name}._scenario")
    scenario: Scenario = module.SCENARIO
    return scenario

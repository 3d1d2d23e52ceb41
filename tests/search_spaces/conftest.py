from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from search_spaces import Categorical, Config, Float, Int, Space, coordinates, decode
from trainables.scenarios.scenario import load_scenario

WriteModules = Callable[[dict[str, str]], None]
Configs = Callable[[Space], SearchStrategy[Config]]

HEADER = """
from __future__ import annotations
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from search_spaces import Categorical, Float, Int, Part
"""

# A family with two options, one of which has a family of its own, and a part without options.
TOY = {
    "toy/__init__.py": "",
    "toy/gearboxes/__init__.py": "",
    "toy/gearbox.py": """
class Gearbox(Part, ABC):
    kind: ClassVar[str] = "gearbox"
    options_in: ClassVar[str] = "toy.gearboxes"
""",
    "toy/gearboxes/automatic.py": """
from toy.gearbox import Gearbox

@dataclass(frozen=True)
class Automatic(Gearbox):
    smooth: Annotated[bool, Categorical([True, False])] = True
""",
    "toy/gearboxes/manual.py": """
from toy.gearbox import Gearbox

@dataclass(frozen=True)
class Manual(Gearbox):
    gears: Annotated[int, Int(3, 7)] = 5
""",
    "toy/engines/__init__.py": "",
    "toy/engine.py": """
class Engine(Part, ABC):
    kind: ClassVar[str] = "engine"
    options_in: ClassVar[str] = "toy.engines"

    @abstractmethod
    def sound(self) -> str: ...
""",
    "toy/engines/petrol.py": """
from toy.engine import Engine

@dataclass(frozen=True)
class Petrol(Engine):
    power: Annotated[float, Float(1, 100, log=True)] = 10.0
    damping: Annotated[float, Float(0, 1)] = 0.25
    fuel: Annotated[str, Categorical(["normal", "super"])] = "super"
    phases: Annotated[int, Int(2, 4)] = 4

    def sound(self) -> str:
        return "brumm"
""",
    "toy/engines/electric.py": """
from toy.engine import Engine
from toy.gearbox import Gearbox
from toy.gearboxes.manual import Manual

@dataclass(frozen=True)
class Electric(Engine):
    power: Annotated[float, Float(10, 1000, log=True)] = 100.0
    damping: Annotated[float, Float(0, 1)] = 0.5
    fuel: Annotated[str, Categorical(["ac", "dc"])] = "ac"
    phases: Annotated[int, Int(1, 9)] = 3
    gearbox: Gearbox = Manual(gears=4)

    def sound(self) -> str:
        return "summ"
""",
    "toy/body.py": """
@dataclass(frozen=True)
class Body(Part):
    doors: Annotated[int, Int(2, 6)] = 4
    weight: float = 1.5
    wheels: int = 4
    open: bool = False
    paint: str = "red"
    log: dict = field(default_factory=dict, init=False, compare=False)
""",
    "toy/recipe.py": """
from toy.body import Body
from toy.engine import Engine
from toy.engines.petrol import Petrol

@dataclass(frozen=True)
class Recipe:
    engine: Engine = Petrol()
    body: Body = Body()
""",
}


@pytest.fixture
def write_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteModules]:
    """Writes modules that can be imported until the test ends."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(HEADER + text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("toy", "kit"):
            del sys.modules[name]


@pytest.fixture
def recipe(write_modules: WriteModules) -> Any:
    """The recipe of the toy package."""
    write_modules(TOY)
    return importlib.import_module("toy.recipe").Recipe


@pytest.fixture
def engine(recipe: Any) -> Any:
    """The family of the toy package's engines."""
    return importlib.import_module("toy.engine").Engine


@pytest.fixture
def space(recipe: Any) -> Space:
    """The toy recipe's space."""
    return Space.of(recipe)


@pytest.fixture(scope="session")
def real_recipe() -> type:
    """The recipe of the curriculum scenario."""
    return load_scenario("curriculum").recipe


@pytest.fixture(scope="session")
def real_space(real_recipe: type) -> Space:
    """Its space."""
    return Space.of(real_recipe)


def _values(allowed: Any) -> SearchStrategy[Any]:
    if isinstance(allowed, Categorical):
        return st.sampled_from(allowed.choices)
    if isinstance(allowed, Int):
        return st.integers(allowed.low, allowed.high)
    assert isinstance(allowed, Float)
    return st.floats(allowed.low, allowed.high)


@pytest.fixture(scope="session")
def configs() -> Configs:
    """Strategies for the configs of a space: a point of its coordinates, decoded."""

    def of(space: Space) -> SearchStrategy[Config]:
        ranges = {name: _values(allowed) for name, allowed in coordinates(space).items()}
        return st.fixed_dictionaries(ranges).map(lambda point: decode(space, point))

    return of

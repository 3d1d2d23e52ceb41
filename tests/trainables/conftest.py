"""Tiny problems, and learners of any scenario on them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from search_spaces import Config, Space, narrowed
from trainables.data import DataView, Examples
from trainables.learning.learner import Learner
from trainables.scenarios.scenario import load_scenario

CPU = torch.device("cpu")
CLASSES = 3
# Three ways to train that between them hold all that a resumed run could forget. A section that
# a scenario does not have is left out.
SETTINGS: dict[str, dict[str, Any]] = {
    "adamw": {
        "optimizer": {"name": "adamw", "adamw": {"lr": 0.01}},
        "schedule": "one_cycle",
        "training": {"batch_size": 32, "selection": "best"},
        "model": {"name": "mlp", "mlp": {"width": 16, "dropout": 0.2}},
    },
    "sgd": {
        "optimizer": {"name": "sgd", "sgd": {"lr": 0.05, "nesterov": True}},
        "schedule": {"name": "cosine", "cosine": {"warmup": 0.1}},
        "training": {"batch_size": 20, "selection": "last"},
        "augmentation": {"name": "shift", "shift": {"pixels": 1, "mirror": True}},
        "model": {"name": "mlp", "mlp": {"width": 24, "dropout": 0.1}},
    },
    "cnn": {
        "optimizer": {"name": "amsgrad", "amsgrad": {"lr": 0.01}},
        "schedule": "one_cycle",
        "training": {"batch_size": 32, "selection": "best"},
        "augmentation": {"name": "shift", "shift": {"pixels": 1}},
        "model": {"name": "cnn", "cnn": {"width": 4, "blocks": 1}},
    },
}


@cache
def tiny_of(scenario: str) -> Any:
    """What is different about a scenario's tiny problems: its `SCENARIO/tiny.py`, if it has one.

    `of` makes a plain view one of the scenario's kind, or `VIEWS` holds others by setting;
    `SECTIONS` of a config replace those of a setting; `CHANGES` of an algorithm's config; the
    settings that an algorithm can be used in, if not in all (`ONLY`); the
    `HORIZONS` of algorithms whose steps are so dear that the usual one is a handful of steps; the
    `CHANCE` level of accuracy, and the pairs of algorithm and setting that need more than a test's
    time to be above it (`LEARNS_ELSEWHERE`); contract tests that make sense for plain
    classification only, with what is tested instead (`INSTEAD`); and for data made from arrays the
    `CLASSES` that it needs, and the scenario's own settings, `OWN`.
    """
    defaults: dict[str, Any] = {
        "of": lambda view: view,
        "INSTEAD": {},
        "VIEWS": {},
        "SECTIONS": {},
        "CHANGES": {},
        "CHANCE": None,
        "ONLY": {},
        "HORIZONS": {},
        "LEARNS_ELSEWHERE": (),
        "CLASSES": 3,
        "OWN": {},
    }
    path = Path(__file__).parent / scenario / "tiny.py"
    if not path.exists():
        return SimpleNamespace(**defaults)
    spec = importlib.util.spec_from_file_location(f"tiny_{scenario}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return SimpleNamespace(**defaults | vars(module))


def settings_of(scenario: str, algorithm: str) -> tuple[str, ...]:
    """The settings that an algorithm can be used in, the first of which stands for them."""
    return tiny_of(scenario).ONLY.get(algorithm, tuple(SETTINGS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        given = getattr(item, "callspec", SimpleNamespace(params={})).params
        scenario = given.get("scenario")
        if item.path.name.startswith("test_contract") and isinstance(scenario, str):
            why = tiny_of(scenario).INSTEAD.get(getattr(item, "originalname", ""))
            setting, algorithm = given.get("setting"), given.get("algorithm", "")
            if setting not in (None, *settings_of(scenario, algorithm)):
                why = "the algorithm is not for such data or models"
            if why is not None:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], Any]:
    """A scenario's tiny problems."""
    return tiny_of


MakeConfig = Callable[..., Config]
MakeLearner = Callable[..., Learner]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def view_of(inputs: np.ndarray, labels: np.ndarray, name: str) -> DataView:
    """Every fourth example validates, the others train."""
    inputs, validates = inputs.astype(np.float32), np.arange(len(labels)) % 4 == 0
    train, validation = (
        Examples(inputs[part], labels[part].astype(np.int64)) for part in (~validates, validates)
    )
    return DataView(
        train=train,
        validation=validation,
        classes=tuple("abc"),
        name=name,
        fingerprint="0" * 16,
        mean=np.zeros(1, np.float32),
        scale=np.ones(1, np.float32),
    )


@pytest.fixture(scope="session")
def vectors() -> DataView:
    """210 + 70 points of 6 features in 3 overlapping clouds, the classes of unequal size."""
    rng = np.random.default_rng(0)
    labels = rng.choice(CLASSES, 280, p=[0.45, 0.35, 0.2])
    centres = rng.normal(size=(CLASSES, 6)) * 1.5
    return view_of(centres[labels] + rng.normal(size=(280, 6)), labels, "vectors")


@pytest.fixture(scope="session")
def images() -> DataView:
    """210 + 70 images of 1 x 6 x 6: rows, columns or nothing, under noise."""
    rng = np.random.default_rng(1)
    labels = rng.choice(CLASSES, 280)
    rows = np.tile(np.array([1.0, 1.0, -1.0])[:, None], (2, 6))
    patterns = np.stack([rows, rows.T, np.zeros((6, 6))])[:, None]
    return view_of(patterns[labels] + 0.5 * rng.normal(size=(280, 1, 6, 6)), labels, "images")


@pytest.fixture(scope="session")
def views(vectors: DataView, images: DataView) -> dict[str, DataView]:
    """The data of each setting."""
    return {"adamw": vectors, "sgd": images, "cnn": images}


@pytest.fixture(scope="session")
def view_for(views: dict[str, DataView]) -> Callable[[str, str], DataView]:
    """The data of a scenario in a setting."""

    @cache
    def view_for(scenario: str, setting: str) -> DataView:
        own = tiny_of(scenario)
        return own.VIEWS[setting] if setting in own.VIEWS else own.of(views[setting])

    return view_for


@pytest.fixture(scope="session")
def settings() -> Callable[[str, str], tuple[str, ...]]:
    """The settings that an algorithm can be used in."""
    return settings_of


@pytest.fixture(scope="session")
def setting_of() -> Callable[[str, str], str]:
    """The setting that an algorithm is used in where none is named."""
    return lambda scenario, algorithm: settings_of(scenario, algorithm)[0]


@pytest.fixture(scope="session")
def make_config(view_for: Callable[[str, str], DataView]) -> MakeConfig:
    """A config of an algorithm's defaults in a setting, its sections replaced or changed."""

    @cache
    def whole_space(scenario: str, setting: str) -> Space:
        return load_scenario(scenario).space(view_for(scenario, setting))

    def make(
        scenario: str,
        algorithm: str,
        setting: str | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Config:
        setting = setting or settings_of(scenario, algorithm)[0]
        space = whole_space(scenario, setting).only("algorithm", algorithm)
        own = tiny_of(scenario)
        sections = {**SETTINGS[setting], **own.SECTIONS.get(setting, {})}
        chosen = {key: it for key, it in sections.items() if key in space.root.fields}
        chosen |= own.CHANGES.get(algorithm, {})
        return narrowed(space, {**chosen, **(changes or {})}).default()

    return make


@pytest.fixture(scope="session")
def make_learner(make_config: MakeConfig, view_for: Callable[[str, str], DataView]) -> MakeLearner:
    """A learner of such a config, begun if there is a horizon."""

    def make(
        scenario: str,
        algorithm: str,
        setting: str | None = None,
        *,
        seed: int = 0,
        horizon: float | None = None,
        changes: Mapping[str, Any] | None = None,
        view: DataView | None = None,
    ) -> Learner:
        setting = setting or settings_of(scenario, algorithm)[0]
        config = make_config(scenario, algorithm, setting, changes)
        kind = load_scenario(scenario)
        seen = view_for(scenario, setting) if view is None else view
        # Whoever hands in plain data means the scenario's own kind of it.
        seen = tiny_of(scenario).of(seen) if type(seen) is DataView else seen
        data = kind.on_device(seen, CPU)
        learner = kind.learner(config, data, seed, CPU)
        if horizon is not None:
            learner.begin(horizon)
        return learner

    return make


@pytest.fixture(scope="session")
def assert_equal() -> Callable[[Any, Any], None]:
    """Asserts that two states are equal to the last bit, names what is not, and counts tensors."""

    def compare(first: Any, second: Any, path: str = "state") -> int:
        assert type(first) is type(second), path
        if isinstance(first, torch.Tensor):
            assert first.dtype == second.dtype and torch.equal(first, second), path
            return 1
        if isinstance(first, dict):
            assert first.keys() == second.keys(), path
            return sum(compare(first[key], second[key], f"{path}.{key}") for key in first)
        if isinstance(first, list | tuple):
            assert len(first) == len(second), path
            pairs = zip(first, second, strict=True)
            return sum(compare(*pair, f"{path}[{i}]") for i, pair in enumerate(pairs))
        assert first == second, path
        return 0

    def check(first: Any, second: Any) -> None:
        assert compare(first, second) > 0, "there was no tensor to compare"

    return check


# What has to know values on the host: a scalar, the size of its result, or whether it worked.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::masked_select",
    "aten::equal",
    "aten::is_nonzero",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::bincount",
    "aten::repeat_interleave",
    "aten::_linalg_check_errors",
}
# What reads from the device, or makes a tensor of the host's that would have to be sent to it.
HOST = {
    Tensor: ("tolist", "numpy", "cpu", "item"),
    torch: ("tensor", "as_tensor", "from_numpy", "randperm"),
}


class NoWaiting(TorchDispatchMode):
    """Raises at operations that wait."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function._schema.name
        masks = name.startswith("aten::index") and any(
            isinstance(each, Tensor) and each.dtype == torch.bool
            for given in args
            if isinstance(given, list | tuple)
            for each in given
        )
        if name in WAITING or masks:
            raise AssertionError(f"{name} waits for the device")
        return function(*args, **(kwargs or {}))


@contextmanager
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(name: str) -> Any:
        def refused(*args: Any, **kwargs: Any) -> Any:
            raise AssertionError(f"{name} waits for the device")

        return refused

    with monkeypatch.context() as patch:
        for owner, names in HOST.items():
            for name in names:
                patch.setattr(owner, name, refuse(name))
        with NoWaiting():
            yield


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """A context in which whatever waits for the device fails."""
    return lambda: _no_waiting(monkeypatch)

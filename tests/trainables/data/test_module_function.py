from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, open_test

CODE = """
import dataclasses
import numpy as np, torch

X, Y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2

def pair(): return X, Y
def lists(): return X.tolist(), ["cat", "dog"] * 20
def tensors(): return torch.tensor(X), torch.tensor(Y)
def more(): return {"x_test": X[:6] + 1, "y_test": Y[:6], "classes": ["a", "b"]}
def official(): return {"x": X, "y": Y, **more()}
def valid(): return {**official(), "x_val": X[:8] + 2, "y_val": Y[:8], "x_unlabelled": X[:9] + 3}

@dataclasses.dataclass
class Data:
    x: object
    y: object
    x_test: object = None
    y_test: object = None

def dataclass(): return Data(X, Y)
def three(): return X, Y, 3
def none(): return None
def other_key(): return {"x": X, "labels": Y}
def half_a_test(): return {"x": X, "y": Y, "x_test": X}
def named_text(): return {"x": X, "y": ["cat", "dog"] * 20, "classes": ["a", "b"]}
def ragged(): return [[1.0], [1.0, 2.0]], [0, 1]
def objects(): return np.array([object()] * 40), Y
def short(): return X, Y[:-1]
def drawn(): return np.random.default_rng().normal(size=(40, 3)), Y
def leaves(): raise SystemExit(3)
def raises():
    return missing["key"]
missing = {}
constant = 3
"""

LINE = CODE[: CODE.index("missing[")].count("\n") + 1


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module in the working directory, its name its own."""
    name = f"mine_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    yield name
    sys.modules.pop(name, None)


@pytest.mark.parametrize("function", ["pair", "lists", "tensors", "dataclass", "official"])
def test_what_may_be_returned(module: str, function: str) -> None:
    view = load_view(DataSpec(f"{module}:{function}"))
    assert view.input_shape == (3,)
    assert view.num_classes == 2
    assert view.name == f"{module}:{function}"


def test_an_official_test_and_class_names(module: str, log: Any) -> None:
    spec = DataSpec(f"{module}:official")
    view = load_view(spec)
    assert view.classes == ("a", "b")
    assert len(view.train) + len(view.validation) == 40
    assert len(open_test(spec, log, view.fingerprint)) == 6


def test_it_is_found_again_from_anywhere(
    module: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    view = load_view(DataSpec(f"{module}:pair"))
    assert view.options == {"folder": str(tmp_path)}
    sys.modules.pop(module)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(tmp_path)])
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    again = load_view(DataSpec(f"{module}:pair", options=view.options))
    assert again.fingerprint == view.fingerprint


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("three", ["a tuple of 3", "expected (x, y)"]),
        ("none", ["NoneType", "expected (x, y)"]),
        ("other_key", ["'labels'", "classes, x, x_test, x_unlabelled, x_val, y"]),
        ("half_a_test", ["no 'y_test'"]),
        ("named_text", ["classes", "whole numbers only"]),
        ("ragged", ["x: no array can be made of it"]),
        ("objects", ["x: expected numbers"]),
        ("short", ["40 inputs but 39 labels"]),
        ("drawn", ["other data", "seed"]),
        ("leaves", ["SystemExit: 3", ".py:"]),
        ("raises", ["KeyError: 'key'", f".py:{LINE}"]),
        ("rases", ["'rases'", "Did you mean 'raises'?"]),
        ("constant", ["'constant'", "pair"]),
    ],
)
def test_what_is_wrong_is_named(module: str, function: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(f"{module}:{function}"))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in [f"{module}:{function}", *words] if word not in message] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, ["unknown module", "'broken_module'"]),
        ("def load(:\n", ["broken_module.py:1", "SyntaxError"]),
        ("x = 1\nx.y\n", ["broken_module.py:2", "AttributeError"]),
        ("import not_there_at_all\n", ["broken_module.py:1", "not_there_at_all"]),
    ],
)
def test_modules_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str | None, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if code is not None:
        (tmp_path / "broken_module.py").write_text(code)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec("broken_module:load"))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_validation_joins_training_beside_a_test(module: str, log: Any) -> None:
    view = load_view(DataSpec(f"{module}:valid"))
    assert len(view.train) + len(view.validation) == 48
    assert any("x_val and y_val: joined" in note for note in view.notes)
    assert any("9 inputs are left out" in note for note in view.notes)
    assert view.unlabelled is None
    wanted = load_view(DataSpec(f"{module}:valid"), unlabelled=True)
    assert wanted.unlabelled is not None and len(wanted.unlabelled) == 9

"""What is not to be known of the labels cannot be reached: not from a view, not from a learner."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import Space, from_config
from trainables.data import DataSpec, DataView, load_view
from trainables.learning.tensors import TensorView
from trainables.scenarios.curriculum.learner import CurriculumLearner
from trainables.scenarios.curriculum.recipe import Recipe

CPU = torch.device("cpu")
CHANGES: dict[str, dict[str, Any]] = {
    "symmetric": {"noise": "0.4"},
    "pair_flip": {"noise": "pair_flip:0.4"},
    "asymmetric": {"noise": "asymmetric:0.4"},
    "column": {"noise": "column:people"},
    "with imbalance": {"noise": "0.4", "imbalance": "long_tail:4"},
    "some clean": {"noise": "0.4", "clean": 12},
    "some of a column clean": {"noise": "column:people", "clean": 12, "imbalance": "step:2"},
}


@pytest.fixture
def archive(write_npz) -> str:
    """240 vectors whose first feature is their row; 4 classes; three in ten of the people err."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(240, 3)), rng.permutation(np.arange(240) % 4)
    inputs[:, 0] = np.arange(240)
    people = np.where(rng.random(240) < 0.3, (labels + 1) % 4, labels)
    return write_npz(x=inputs, y=labels, people=people, hard=rng.random(240))


def reachable(root: object) -> Iterator[np.ndarray]:
    """Every array or tensor that the garbage collector reaches from an object, as an array."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, np.ndarray):
            yield item
            waiting += [item.base]
        if isinstance(item, torch.Tensor) and item.device == CPU:
            # All of the memory that it is a part of.
            storage = torch.empty(0, dtype=item.dtype).set_(item.untyped_storage())
            yield storage.detach().numpy()
        for other in gc.get_referents(item):
            told = isinstance(other, type) or type(other).__name__ in ("module", "function")
            if id(other) not in seen and not told:
                seen.add(id(other))
                waiting.append(other)


def holds(root: object, wanted: np.ndarray) -> bool:
    """Whether some array reachable from an object has these labels in a row, in whatever type."""
    for array in reachable(root):
        if array.dtype.kind not in "biuf" or array.size < len(wanted):
            continue
        for flat in (array.reshape(-1), array.T.reshape(-1)):
            windows = np.lib.stride_tricks.sliding_window_view(flat, len(wanted))
            if (windows[windows[:, 0] == wanted[0]] == wanted).all(axis=1).any():
                return True
    return False


def learner_on(view: DataView, algorithm: str) -> CurriculumLearner:
    config = Space.of(Recipe).only("algorithm", algorithm).default()
    return CurriculumLearner(from_config(Recipe, config), TensorView.of(view, CPU), 0, CPU)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_true_labels_are_not_reachable_from_a_view(archive: str, change: dict[str, Any]) -> None:
    spec = DataSpec(archive, **change)
    view = load_view(spec)
    truth = load_view(replace(spec, noise="none", clean=0, options={}))
    for true, given in ((truth.train, view.train), (truth.validation, view.validation)):
        wrong = true.labels != given.labels
        assert len(true) == len(given) and wrong.any()
        assert not holds(view, true.labels)
        # The walk does find labels, in whatever type and however deep.
        assert holds(view, given.labels)
        hidden = {"notes": [true.labels.astype(np.float32)]}
        assert holds(replace(view, options=hidden), true.labels)
        mixed = replace(view.train, columns={"wrong": true.labels})
        assert holds(replace(view, train=mixed), true.labels)
        # Nor is there anything that tells which are wrong, but for the clean ones.
        assert not any(holds(view, flags) for flags in (wrong, ~wrong))
    assert sorted(view.train.columns) == (["clean"] if spec.clean else [])
    assert not view.validation.columns


@pytest.mark.parametrize("algorithm", ["plain", "self_paced"])
def test_true_labels_are_not_reachable_from_a_learner(archive: str, algorithm: str) -> None:
    spec = DataSpec(archive, noise="column:people", clean=12)
    learner = learner_on(load_view(spec), algorithm)
    learner.begin(1.0)
    learner.advance(1.0)
    truth = load_view(DataSpec(archive))
    for part in (truth.train, truth.validation):
        assert not holds(learner, part.labels)
    assert holds(learner, load_view(spec).train.labels)
    learner.anything = {"a": [torch.from_numpy(truth.train.labels)[:5]]}
    assert holds(learner, truth.train.labels), "the memory that a slice is of is found"


def test_clean_labels_are_right_and_the_rest_as_noisy_as_without(archive: str) -> None:
    noisy = load_view(DataSpec(archive, noise="0.4"))
    view = load_view(DataSpec(archive, noise="0.4", clean=20))
    true = load_view(DataSpec(archive)).train.labels
    clean = view.train.columns["clean"]
    assert clean.dtype == np.bool_ and clean.sum() == 20
    np.testing.assert_array_equal(view.train.labels[clean], true[clean])
    np.testing.assert_array_equal(view.train.labels[~clean], noisy.train.labels[~clean])
    assert np.bincount(true[clean]).tolist() == [5, 5, 5, 5]
    np.testing.assert_array_equal(view.validation.labels, noisy.validation.labels)
    assert view.fingerprint != noisy.fingerprint
    other = load_view(DataSpec(archive, noise="0.4", clean=20, seed=1))
    assert not np.array_equal(other.train.columns["clean"], clean)
    assert "20 training examples keep their true labels" in view.conditions[-1]


def test_a_share_of_clean_labels(archive: str) -> None:
    view = load_view(DataSpec(archive, noise="0.4", clean=0.25))
    assert len(view.train) == 144 and view.train.columns["clean"].sum() == 36


@pytest.mark.parametrize(("clean", "words"), [(3, "at least 4"), (145, "at most the 144")])
def test_too_few_and_too_many_clean_labels(archive: str, clean: int, words: str) -> None:
    with pytest.raises(ValueError, match=f"--clean: got {clean}, expected {words}"):
        load_view(DataSpec(archive, noise="0.4", clean=clean))


def test_clean_validation_labels(archive: str) -> None:
    noisy = load_view(DataSpec(archive, noise="0.4"))
    view = load_view(DataSpec(archive, noise="0.4", clean_validation=True))
    true = load_view(DataSpec(archive))
    np.testing.assert_array_equal(view.validation.labels, true.validation.labels)
    np.testing.assert_array_equal(view.train.labels, noisy.train.labels)
    assert view.fingerprint != noisy.fingerprint and not view.train.columns
    assert "validation and the sealed test have true labels" in view.conditions[0]


def test_flags_of_clean_labels_are_on_the_device_too(archive: str) -> None:
    view = load_view(DataSpec(archive, noise="0.4", clean=20))
    data = TensorView.of(view, CPU)
    assert data.train.columns["clean"].dtype == torch.bool and not data.validation.columns
    rows = torch.tensor([5, 2])
    few = data.train.take(rows, data.train.labels[rows])
    assert few.columns["clean"].tolist() == data.train.columns["clean"][rows].tolist()

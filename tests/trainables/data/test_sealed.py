from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest

import trainables.data
from search_spaces.errors import InputError
from trainables.data import DataSpec, Examples, load_view, open_test


def reachable_arrays(root: object) -> Iterator[np.ndarray]:
    """Every array that can be got at from an object: attributes, containers, array bases."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | ModuleType | FunctionType):
            continue
        seen[id(item)] = item
        if isinstance(item, np.ndarray):
            yield item
            waiting.append(item.base)
        elif isinstance(item, memoryview):
            waiting.append(item.obj)
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        else:
            waiting += vars(item).values() if hasattr(item, "__dict__") else []
            waiting += [
                getattr(item, name, None)
                for kind in type(item).__mro__
                for name in getattr(kind, "__slots__", ())
            ]


def rows_found(root: object, wanted: np.ndarray) -> int:
    """How many rows of `wanted` are in some array reachable from `root`."""
    found = np.zeros(len(wanted), dtype=bool)
    for array in reachable_arrays(root):
        if array.ndim and array.shape[1:] == wanted.shape[1:]:
            found |= (wanted[:, np.newaxis] == array[np.newaxis]).all(axis=-1).any(axis=1)
    return int(found.sum())


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("noise", ["none", "0.3"])
def test_no_test_row_is_reachable_from_a_view(
    write_npz, toy_arrays, log, official: bool, noise: str
) -> None:
    arrays = dict(toy_arrays)
    if official:
        arrays |= {"x_test": toy_arrays["x"] + 500, "y_test": toy_arrays["y"]}
    spec = DataSpec(write_npz(**arrays), noise=noise)
    view = load_view(spec)
    test = open_test(spec, log, view.fingerprint)
    assert rows_found(view, test.inputs) == 0
    raw = arrays.get("x_test", toy_arrays["x"])
    assert rows_found(view, raw) == rows_found(view, raw.astype(np.float32)) == 0
    # The walk does find what is there, and what a careless view would leave behind.
    assert rows_found(view, view.train.inputs) == len(view.train)
    assert rows_found(view, view.validation.inputs) == len(view.validation)
    everything = np.concatenate([view.train.inputs, test.inputs])
    sliced = Examples(everything[: len(view.train)], view.train.labels)
    assert rows_found(replace(view, train=sliced), test.inputs) == len(test)


def test_a_view_holds_its_examples_and_their_scaling_and_nothing_else(
    write_npz, toy_arrays
) -> None:
    view = load_view(DataSpec(write_npz(**toy_arrays)))
    expected = [
        array for part in (view.train, view.validation) for array in (part.inputs, part.labels)
    ]
    expected += [view.mean, view.scale]
    assert set(map(id, reachable_arrays(view))) == set(map(id, expected))
    assert view.mean.size == view.scale.size == view.input_shape[0]


def test_every_opening_is_recorded(write_npz, toy_arrays, log) -> None:
    spec = DataSpec(write_npz(**toy_arrays))
    fingerprint = load_view(spec).fingerprint
    assert log.fingerprints == []
    for openings in (1, 2):
        assert len(open_test(spec, log, fingerprint)) == 20
        assert log.fingerprints == [fingerprint] * openings


class DiskFull:
    def record_opening(self, fingerprint: str) -> int:
        raise OSError("no space left")


def test_a_log_that_raises_gives_nothing(write_npz, toy_arrays) -> None:
    spec = DataSpec(write_npz(**toy_arrays))
    test = None
    with pytest.raises(OSError, match="no space left"):
        test = open_test(spec, DiskFull(), load_view(spec).fingerprint)
    assert test is None


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"noise": "0.1"}, {"noise": "asymmetric:0.1", "seed": 2}]
)
def test_another_split_or_noise_keeps_the_test_sealed(
    write_npz, toy_arrays, log, change: dict[str, Any]
) -> None:
    spec = DataSpec(write_npz(**toy_arrays))
    fingerprint = load_view(spec).fingerprint
    with pytest.raises(InputError, match=fingerprint):
        open_test(replace(spec, **change), log, fingerprint)
    assert log.fingerprints == []


def test_a_file_that_changed_keeps_the_test_sealed(write_npz, toy_arrays, log) -> None:
    spec = DataSpec(write_npz(**toy_arrays))
    fingerprint = load_view(spec).fingerprint
    toy_arrays["x"][0, 0] += 1
    write_npz(**toy_arrays)
    with pytest.raises(InputError, match=f"{spec.source}.*changed since the search began"):
        open_test(spec, log, fingerprint)
    assert log.fingerprints == []


def test_opening_is_the_only_public_way_to_a_test() -> None:
    assert sorted(trainables.data.__all__) == [
        "ClassSplit",
        "ClassView",
        "DataSpec",
        "DataView",
        "Examples",
        "OpeningLog",
        "SealedClasses",
        "carried_over",
        "class_balanced",
        "class_groups",
        "data_sources",
        "flag_of",
        "hashes_of",  # gives numbers, from which no example can be had
        "hashes_of_classes",  # likewise
        "load_class_view",
        "load_view",
        "located",
        "open_test",
        "open_test_classes",
        "readable",
    ]
    given = inspect.signature(load_view).parameters
    assert list(given) == ["spec", "standardised", "unlabelled"]

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view
from trainables.data.labels.noise_map import as_targets, class_map


def flips(spec: DataSpec) -> dict[str, set[str]]:
    """Which classes the labels of each class became, but for itself."""
    true = load_view(DataSpec(spec.source, "none", spec.seed, spec.options))
    noisy = load_view(spec)
    names = np.array(true.classes)
    found: dict[str, set[str]] = {}
    for one, other in zip(
        names[true.train.labels].tolist(), names[noisy.train.labels].tolist(), strict=True
    ):
        if one != other:
            found.setdefault(one, set()).add(other)
    return found


def test_digits_are_flipped_as_patrini_et_al_flip_them() -> None:
    # CVPR 2017, section 5: 2 -> 7, 3 -> 8, 5 <-> 6, 7 -> 1.
    expected = {"2": {"7"}, "3": {"8"}, "5": {"6"}, "6": {"5"}, "7": {"1"}}
    assert flips(DataSpec("digits", "asymmetric:0.4")) == expected


def test_a_map_of_ones_own_comes_first() -> None:
    spec = DataSpec("digits", "asymmetric:0.4", noise_map={"9": "4", "4": "9", "1": "7"})
    assert flips(spec) == {"9": {"4"}, "4": {"9"}, "1": {"7"}}
    view = load_view(spec)
    assert view.noise_map == {"1": "7", "4": "9", "9": "4"}
    assert "1 -> 7, 4 -> 9, 9 -> 4 (as given)" in view.conditions[1]
    assert view.fingerprint != load_view(DataSpec("digits", "asymmetric:0.4")).fingerprint


def test_within_groups_the_next_class_of_the_group(write_npz, toy_arrays) -> None:
    names = np.array(["cat/lion", "dog/wolf", "cat/tiger"])
    spec = DataSpec(write_npz(x=toy_arrays["x"], y=names[toy_arrays["y"]]), noise="asymmetric:0.5")
    assert flips(spec) == {"cat/lion": {"cat/tiger"}, "cat/tiger": {"cat/lion"}}


def test_else_the_class_with_the_nearest_mean(write_npz) -> None:
    # Means on a line at 0, 1, 10, 12; the second feature is large and says nothing.
    labels = np.repeat(np.arange(4), 20)
    rng = np.random.default_rng(0)
    first = np.array([0.0, 1.0, 10.0, 12.0])[labels] + 0.01 * rng.normal(size=80)
    inputs = np.stack([first, np.tile([1e4, -1e4], 40)], axis=1)
    view = load_view(DataSpec(write_npz(x=inputs, y=labels), noise="asymmetric:0.5"))
    assert view.noise_map == {"0": "1", "1": "0", "2": "3", "3": "2"}
    assert "nearest mean; --noise-map names others" in view.conditions[1]


def test_what_was_found_gives_the_same_data_when_it_is_given() -> None:
    found = load_view(DataSpec("digits", "asymmetric:0.4"))
    given = load_view(DataSpec("digits", "asymmetric:0.4", noise_map=found.noise_map))
    assert given.fingerprint == found.fingerprint
    np.testing.assert_array_equal(given.train.labels, found.train.labels)


@pytest.mark.parametrize(
    ("noise_map", "words"),
    [
        ({"3": "12"}, ["class in --noise-map '12'", "0, 1, 2"]),
        ({"fuor": "4"}, ["class in --noise-map 'fuor'"]),
    ],
)
def test_classes_that_are_not_there_are_refused(noise_map: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load_view(DataSpec("digits", "asymmetric:0.4", noise_map=noise_map))
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_published_map_whose_classes_are_not_there_is_no_use() -> None:
    inputs, labels = np.eye(2).repeat(5, axis=0), np.repeat([0, 1], 5)
    found, _ = class_map({}, {"2": "7"}, ["a", "b"], inputs, labels)
    assert found == {"a": "b", "b": "a"}
    assert as_targets({"a": "b"}, ["a", "b"]).tolist() == [1, 1]

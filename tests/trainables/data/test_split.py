from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data import DataSpec, Examples, load_view, open_test
from trainables.data.split import stratified_split


@given(
    st.lists(st.integers(5, 40), min_size=2, max_size=6),
    st.sampled_from([(3, 1, 1), (4, 1)]),
    st.integers(0, 1000),
)
def test_parts_are_disjoint_complete_and_stratified(
    counts: list[int], shares: tuple[int, ...], seed: int
) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = stratified_split(labels, shares, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    for part, share in zip(parts, shares, strict=True):
        found = np.bincount(labels[part], minlength=len(counts))
        assert (found >= 1).all()
        assert (np.abs(found - np.array(counts) * share / 5) <= 1).all()


def row_numbers(examples: Examples) -> np.ndarray:
    """The toy's first feature is the row number; standardising keeps its order."""
    return examples.inputs[:, 0]


def test_a_source_without_test_is_split_60_20_20(write_npz, toy_arrays, log) -> None:
    spec = DataSpec(write_npz(**toy_arrays))
    view = load_view(spec)
    test = open_test(spec, log, view.fingerprint)
    for examples, counts in [
        (view.train, [30, 18, 12]),
        (view.validation, [10, 6, 4]),
        (test, [10, 6, 4]),
    ]:
        assert np.bincount(examples.labels).tolist() == counts
        assert len(examples) == len(examples.inputs) == sum(counts)
    parts = [row_numbers(part) for part in (view.train, view.validation, test)]
    assert len(np.unique(np.concatenate(parts))) == 100


def test_an_official_test_is_the_sealed_test_and_the_rest_is_split_80_20(
    write_npz, toy_arrays, log
) -> None:
    test_inputs = toy_arrays["x"][::-1][:30] + 1000
    test_labels = toy_arrays["y"][::-1][:30]
    spec = DataSpec(write_npz(**toy_arrays, x_test=test_inputs, y_test=test_labels))
    view = load_view(spec)
    test = open_test(spec, log, view.fingerprint)
    assert np.bincount(view.train.labels).tolist() == [40, 24, 16]
    assert np.bincount(view.validation.labels).tolist() == [10, 6, 4]
    np.testing.assert_array_equal(test.labels, test_labels)
    assert row_numbers(test).min() > row_numbers(view.train).max()


def test_the_seed_decides_the_split_and_nothing_else_does(write_npz, toy_arrays) -> None:
    source = write_npz(**toy_arrays)
    first, again, noisy, other = (
        load_view(spec)
        for spec in (
            DataSpec(source),
            DataSpec(source),
            DataSpec(source, noise="0.3"),
            DataSpec(source, seed=1),
        )
    )
    for part in ("train", "validation"):
        expected = getattr(first, part)
        for same in (again, noisy):
            np.testing.assert_array_equal(getattr(same, part).inputs, expected.inputs)
        np.testing.assert_array_equal(getattr(again, part).labels, expected.labels)
    assert (row_numbers(first.train) != row_numbers(other.train)).any()


def test_noise_is_on_train_and_validation_and_never_on_the_test(write_npz, log) -> None:
    # The first feature tells the true class, so noise shows wherever it is.
    labels = np.repeat([0, 1, 2, 3], 500)
    source = write_npz(x=np.stack([labels, np.arange(2000)], axis=1), y=labels)
    spec = DataSpec(source, noise="symmetric:0.4")
    view = load_view(spec)
    test = open_test(spec, log, view.fingerprint)

    def share_changed(examples: Examples) -> float:
        _, true = np.unique(examples.inputs[:, 0], return_inverse=True)
        return float((true != examples.labels).mean())

    assert share_changed(view.train) == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 1200))
    assert share_changed(view.validation) == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 400))
    assert share_changed(test) == 0


def test_the_fingerprint_differs_for_other_data_split_or_noise(write_npz, toy_arrays) -> None:
    source = write_npz(**toy_arrays)
    copy = write_npz("copy.npz", **toy_arrays)
    inputs, labels = toy_arrays["x"].copy(), toy_arrays["y"].copy()
    inputs[3, 2] += 1
    labels[3] = 1
    official = {"x_test": toy_arrays["x"] + 1.0, "y_test": toy_arrays["y"]}
    specs = [
        DataSpec(source),
        DataSpec(source, seed=1),
        DataSpec(source, noise="0.1"),
        DataSpec(source, noise="asymmetric:0.1"),
        DataSpec(write_npz("inputs.npz", x=inputs, y=toy_arrays["y"])),
        DataSpec(write_npz("labels.npz", x=toy_arrays["x"], y=labels)),
        DataSpec(write_npz("official.npz", **toy_arrays, **official)),
    ]
    prints = [load_view(spec).fingerprint for spec in specs]
    assert len(set(prints)) == len(prints)
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in prints)
    assert load_view(DataSpec(copy)).fingerprint == prints[0]
    noise_alike = DataSpec(source, noise="symmetric:0.10")
    assert load_view(noise_alike).fingerprint == prints[2]

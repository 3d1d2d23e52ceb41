from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.data.labels.noise import Noise, corrupt, noise_of_before, parse_noise

RATES = st.floats(0, 1, exclude_max=True)
KINDS = st.sampled_from(["symmetric", "pair_flip", "asymmetric"])


@given(KINDS, RATES)
def test_every_kind_and_rate_in_range_is_read_back(kind: str, rate: float) -> None:
    noise = parse_noise(f"{kind}:{rate!r}")
    assert (noise.kind, noise.rate) == (kind, rate)
    assert parse_noise(str(noise)).rate == rate


@given(RATES)
def test_a_bare_rate_is_symmetric(rate: float) -> None:
    assert parse_noise(repr(rate)) == Noise("symmetric", rate)


@given(KINDS, st.floats().filter(lambda rate: not 0 <= rate < 1))
def test_every_rate_out_of_range_is_refused(kind: str, rate: float) -> None:
    with pytest.raises(InputError, match="--noise"):
        parse_noise(f"{kind}:{rate!r}")


@given(st.text())
def test_any_text_is_noise_or_an_input_error_that_names_the_flag(text: str) -> None:
    try:
        noise = parse_noise(text)
    except InputError as error:
        assert "--noise" in str(error)
    else:
        assert 0 <= noise.rate < 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("symetric:0.4", ["symetric", "Did you mean 'symmetric'", "asymmetric"]),
        ("asymmetric", ["--noise 'asymmetric'", "RATE"]),
        ("pairflip:0.4", ["pairflip", "Did you mean 'pair_flip'", "column"]),
        ("pair_flip:1", ["--noise 'pair_flip:1'", "0 <= RATE < 1"]),
        ("column:", ["--noise 'column:'", "column:NAME"]),
        ("column: ", ["--noise 'column: '", "column:NAME"]),
        ("colum:people", ["colum", "Did you mean 'column'"]),
        ("1", ["--noise '1'", "0 <= RATE < 1"]),
        ("-0.1", ["--noise '-0.1'", "0 <= RATE < 1"]),
        ("nan", ["--noise 'nan'", "0 <= RATE < 1"]),
        ("", ["--noise ''", "none"]),
    ],
)
def test_mistakes_are_named(text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_noise(text)
    assert [word for word in words if word not in str(caught.value)] == []


def labels_of(classes: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, classes, size=20_000)


@pytest.mark.parametrize("kind", ["symmetric", "pair_flip", "asymmetric"])
@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("classes", [2, 10])
def test_the_share_of_changed_labels_is_the_rate(kind: str, rate: float, classes: int) -> None:
    labels, targets = labels_of(classes), (np.arange(classes) - 1) % classes
    noisy = corrupt(labels, classes, Noise(kind, rate), np.random.default_rng(2), targets)
    changed = int((noisy != labels).sum())
    deviation = np.sqrt(len(labels) * rate * (1 - rate))
    assert abs(changed - len(labels) * rate) < 4 * deviation
    assert noisy.dtype == np.int64
    assert set(noisy) <= set(range(classes))


def test_symmetric_noise_is_uniform_over_the_other_classes() -> None:
    labels = np.full(20_000, 3)
    noisy = corrupt(labels, 5, Noise("symmetric", 0.99), np.random.default_rng(3))
    counts = np.bincount(noisy[noisy != 3], minlength=5)
    assert counts[3] == 0
    others = counts[[0, 1, 2, 4]]
    deviation = np.sqrt(others.sum() * 0.25 * 0.75)
    assert np.abs(others - others.sum() / 4).max() < 4 * deviation


def test_pair_flip_goes_to_the_next_class_and_round() -> None:
    # Han et al., NeurIPS 2018, fig. 1: with rate 0.45 the transition matrix has 0.55 on the
    # diagonal, 0.45 right of it, and 0.45 in the lower left corner.
    labels = labels_of(4)
    noisy = corrupt(labels, 4, Noise("pair_flip", 0.45), np.random.default_rng(4))
    counts = np.zeros((4, 4))
    np.add.at(counts, (labels, noisy), 1)
    expected = 0.55 * np.eye(4) + 0.45 * np.roll(np.eye(4), 1, axis=1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), expected, atol=0.03)
    assert ((counts == 0) == (expected == 0)).all()


def test_asymmetric_noise_goes_where_the_map_says_and_leaves_the_rest() -> None:
    labels, targets = labels_of(4), np.array([0, 3, 2, 1])
    noisy = corrupt(labels, 4, Noise("asymmetric", 0.5), np.random.default_rng(4), targets)
    moved = noisy != labels
    assert set(labels[moved]) == {1, 3}
    np.testing.assert_array_equal(noisy[moved], targets[labels[moved]])
    assert abs(moved[(labels == 1) | (labels == 3)].mean() - 0.5) < 0.02


def test_noise_is_read_from_a_column_whatever_it_is_called() -> None:
    noise = parse_noise("column:by: people, 2:0.4")
    assert (noise.kind, noise.column, noise.rate) == ("column", "by: people, 2:0.4", 0)
    assert parse_noise(str(noise)) == noise


def test_noise_of_an_earlier_version_is_what_it_was() -> None:
    assert noise_of_before("asymmetric:0.2") == "pair_flip:0.2"
    for text in ("none", "0.4", "symmetric:0.3", "column:asymmetric:0.4"):
        assert noise_of_before(text) == text


def test_corrupt_leaves_its_argument_alone_and_depends_on_the_generator_only() -> None:
    labels = labels_of(3)
    before = labels.copy()
    noise = Noise("symmetric", 0.5)
    first, again, other = (
        corrupt(labels, 3, noise, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_noise_changes_nothing() -> None:
    labels = labels_of(3)
    noisy = corrupt(labels, 3, parse_noise("none"), np.random.default_rng(7))
    np.testing.assert_array_equal(noisy, labels)
    assert not np.shares_memory(noisy, labels)

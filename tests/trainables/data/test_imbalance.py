from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, load_view, open_test
from trainables.data.labels.imbalance import Imbalance, class_sizes, parse_imbalance

NAMES = [str(number) for number in range(50)]


def sizes_of(text: str, counts: list[int]) -> list[int]:
    imbalance = parse_imbalance(text)
    return class_sizes(np.array(counts), imbalance, NAMES).tolist()


def test_the_long_tail_of_cifar_10() -> None:
    # 5000 * 100^(-c/9), rounded down (Cui et al., CVPR 2019; the well known 5000 ... 50):
    # 100^(1/9) = 1.66810, 5000 / 1.66810 = 2997.4, / 1.66810 = 1796.9, 1077.2, 645.8, 387.1,
    # 232.1, 139.1, 83.4, 50.
    expected = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert sizes_of("long_tail:100", [5000] * 10) == expected


def test_half_of_the_classes_are_rare_in_a_step() -> None:
    assert sizes_of("step:50", [500] * 4) == [500, 500, 10, 10]
    assert sizes_of("step:10", [500] * 5) == [500, 500, 500, 50, 50]


def test_the_ratio_holds_where_classes_differ_before() -> None:
    # Class 1 needs 10^(-1/2) = 0.316 of what class 0 keeps, and has 30: 30 / 0.316 = 94.9.
    assert sizes_of("long_tail:10", [100, 30, 100]) == [94, 30, 9]
    # Class 2 needs a tenth, and has 4: the others keep 40.
    assert sizes_of("step:10", [100, 90, 4]) == [40, 40, 4]


@given(
    st.sampled_from(["long_tail", "step"]),
    st.floats(1, 30),
    st.lists(st.integers(40, 400), min_size=2, max_size=12),
)
def test_no_class_keeps_more_than_it_has_and_the_ratio_is_the_one_asked_for(
    kind: str, ratio: float, counts: list[int]
) -> None:
    sizes = class_sizes(np.array(counts), Imbalance(kind, ratio), NAMES)
    assert (sizes <= counts).all() and sizes.min() >= 1
    assert (np.diff(sizes) <= 0).all()
    # Rounding down takes less than one example off each.
    assert (sizes[0]) / (sizes[-1] + 1) <= ratio * (1 + 1e-6)
    assert (sizes[0] + 1) / sizes[-1] >= ratio * (1 - 1e-6)


def test_a_class_of_which_nothing_would_be_left_is_refused() -> None:
    with pytest.raises(InputError, match=r"step:50.*class '2' would keep no training example"):
        sizes_of("step:50", [40, 40, 40])


@given(st.text())
def test_any_text_is_an_imbalance_or_an_input_error_that_names_the_flag(text: str) -> None:
    try:
        assert parse_imbalance(text).ratio >= 1
    except InputError as error:
        assert "--imbalance" in str(error)


def counts_of(view: DataView) -> list[int]:
    return np.bincount(view.train.labels, minlength=view.num_classes).tolist()


def test_only_the_training_part_of_a_view_is_thinned(log) -> None:
    spec = DataSpec("digits", seed=4)
    whole, few = load_view(spec), load_view(DataSpec("digits", seed=4, imbalance="long_tail:20"))
    before, after = counts_of(whole), counts_of(few)
    assert after[0] == before[0] and after[0] // after[-1] in (20, 21)
    assert sorted(after, reverse=True) == after
    for part in ("inputs", "labels"):
        undone = [
            getattr(view.validation, part) * (view.scale + 0 if part == "inputs" else 1)
            + (view.mean if part == "inputs" else 0)
            for view in (whole, few)
        ]
        np.testing.assert_allclose(undone[0], undone[1], atol=1e-4)
    test = open_test(spec, log, whole.fingerprint)
    rare = open_test(DataSpec("digits", seed=4, imbalance="long_tail:20"), log, few.fingerprint)
    np.testing.assert_array_equal(rare.labels, test.labels)
    assert few.fingerprint != whole.fingerprint
    # Standardised by what is left.
    np.testing.assert_allclose(few.train.inputs.mean(), 0.0, atol=1e-6)


def test_the_seed_decides_which_examples_stay() -> None:
    first, again, other = (
        load_view(DataSpec("digits", seed=seed, imbalance="step:10")) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.train.inputs, again.train.inputs)
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_a_ratio_of_one_leaves_the_data_as_it_is() -> None:
    plain, same = load_view(DataSpec("digits")), load_view(DataSpec("digits", imbalance="step:1"))
    assert same.fingerprint == plain.fingerprint and same.conditions == ()
    np.testing.assert_array_equal(same.train.inputs, plain.train.inputs)


def test_noise_comes_after_the_imbalance() -> None:
    settings = {"seed": 2, "imbalance": "step:10"}
    true = load_view(DataSpec("digits", **settings))
    noisy = load_view(DataSpec("digits", noise="0.4", **settings))
    np.testing.assert_array_equal(noisy.train.inputs, true.train.inputs)
    wrong = noisy.train.labels != true.train.labels
    assert 0.3 < wrong.mean() < 0.5
    # Rare classes get more labels by mistake than they lose, which they do not if noise is first.
    assert sum(counts_of(noisy)[5:]) > 2 * sum(counts_of(true)[5:])
    assert len(noisy.conditions) == 2
    share = f"{wrong.mean():.1%} of the training labels"
    assert share in noisy.conditions[0]
    assert f"{len(true.train)} of 1078 training examples are left" in noisy.conditions[1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"seed": 0}, "ecc9699a6d09f2ca"),
        ({"seed": 3}, "30d62f12911d2e00"),
        ({"seed": 3, "noise": "0.4"}, "3158d820d4214f9d"),
        ({"seed": 3, "noise": "symmetric:0.2"}, "e4e658ccca87cb46"),
        # What pair_flip was called then.
        ({"seed": 3, "noise": "asymmetric:0.3"}, "877840d8adabe321"),
    ],
)
def test_fingerprints_of_runs_from_before_these_settings_hold(
    values: dict[str, Any], expected: str
) -> None:
    spec = DataSpec.from_dict({"source": "digits", "options": {}, **values})
    view = load_view(spec)
    assert view.fingerprint == expected
    if values.get("noise") == "asymmetric:0.3":
        # The first labels that the version of 2026-11-21 gave.
        assert view.train.labels[:12].tolist() == [1, 1, 3, 4, 7, 8, 1, 2, 5, 7, 9, 0]
        assert view.validation.labels[:5].tolist() == [6, 2, 5, 6, 8]

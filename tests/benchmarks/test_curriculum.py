"""The table of curricula: what is told of searches whose differences are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.curriculum import SETTINGS, figures, images_of, model_for
from benchmarks.curriculum_speed import GOAL
from benchmarks.curriculum_speed import figures as speed_figures
from benchmarks.false_wins import Pair


def pair_of(difference: float, won: bool = False) -> Pair:
    return Pair(np.full((2, 4), 0.5), np.full((2, 4), 0.5 + difference), "method", won)


def test_the_search_is_the_unit_and_p_is_corrected_over_methods() -> None:
    # Differences 0.1, 0.2, 0.3: mean 0.2, SD 0.1, SE 0.057735; t = 3.4641, 2 degrees of freedom:
    # p = 1 - t / sqrt(2 + t^2) = 1 - 3.4641 / sqrt(14) = 0.0742; times 2 methods 0.148.
    # The interval is 0.2 -+ 4.30265 x 0.057735 = 0.2 -+ 0.24841.
    good = [pair_of(0.1), pair_of(0.2, won=True), pair_of(0.3, won=True)]
    none = [pair_of(-0.1), pair_of(0.1), pair_of(0.0)]
    baseline, first, second = figures("somewhere", {"none": none, "good": good})
    assert baseline.value == pytest.approx(0.5)
    assert first.name == "somewhere: good less plain (Holm p = 0.15, verdicts won 2)"
    assert first.value == pytest.approx(0.2)
    assert first.interval == pytest.approx((-0.04841, 0.44841), abs=1e-5)
    assert (first.n, second.n) == (3, 3)
    assert second.value == pytest.approx(0.0)


def test_searches_without_a_result_are_left_out_and_said_to_be(capsys) -> None:
    found = figures(
        "here", {"broken": [None, pair_of(0.1)], "whole": [pair_of(0.1), pair_of(0.2)]}
    )
    assert [each.n for each in found[1:]] == [2]
    assert "here, broken: 1 searches came to a result" in capsys.readouterr().out


def test_images_are_drawn_by_the_seed(tmp_path) -> None:
    files = [
        np.load(images_of("digits", tmp_path / str(i), seed)) for i, seed in enumerate((1, 1, 2))
    ]
    assert files[0]["x"].shape[1:] == (8, 8)
    assert np.array_equal(files[0]["x"], files[1]["x"])
    assert not np.array_equal(files[0]["x"], files[2]["x"])
    assert sorted(files[0]["y"]) == sorted(files[2]["y"])


def test_every_setting_of_the_issue_is_there() -> None:
    assert [each.data for each in SETTINGS] == [*["fashion-mnist"] * 3, "digits"]
    assert [each.more for each in SETTINGS[1:3]] == [
        {"noise": "0.4"},
        {"imbalance": "long_tail:50"},
    ]


def test_slower_than_predicted_misses_the_goal() -> None:
    slow = speed_figures("slow", [0.5, 0.4, 0.3], [0.5, 0.5, 0.5], [1.0, 1.25, 1.7])[2]
    assert (slow.value, slow.met) == (GOAL, True)
    assert speed_figures("slow", [0.3], [0.5], [1.7])[2].met is False


def test_methods_that_need_convolutions_have_them() -> None:
    found = {m: model_for(m, "mlp") for m in ("superloss", "efficient_train", "dds")}
    assert found == {"superloss": "mlp", "efficient_train": "cnn", "dds": "mlp"}
    assert model_for("curriculum_by_smoothing", "mlp") == "cnn"
    assert model_for("superloss", "cnn") == "cnn"

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from automl_cl.run.events import Plan
from automl_cl.run.trial import Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.verdict.judge import Verdict, judge, words
from automl_cl.verdict.paired_test import compare, smallest_detectable_effect
from trainables.scenarios.scenario import Scenario

ITEMS = 200
ARMS = ["plain", "superloss", "self_paced", "easy_to_hard"]
Judge = Callable[..., Verdict]


class Told(Scenario):
    """A scenario of which only what a verdict asks is there."""

    name, metric, mode = "told", "accuracy", "max"

    def __init__(self, mode: str = "max", informed: str | None = None) -> None:
        self.mode, self.informed = mode, informed  # type: ignore[misc]

    def learner(self, *given: Any) -> Any:
        raise NotImplementedError

    def extra_information(self, config: dict[str, Any]) -> str | None:
        return "a clean set" if config["algorithm"]["name"] == self.informed else None


def scores_of(mean: float, seeds: int, luck: int, noise: float = 0.05) -> np.ndarray[Any, Any]:
    """Scores [seeds, items] around a mean; hard items are hard for all."""
    hardness = 0.1 * np.random.default_rng(0).normal(size=(1, ITEMS))
    cells = noise * np.random.default_rng(luck + 1).normal(size=(seeds, ITEMS))
    return mean + hardness + cells


@pytest.fixture
def judged(
    make_trial: Callable[..., Trial], table_of: Callable[[Sequence[Trial]], TrialTable]
) -> Judge:
    """The verdict on arms of these mean scores: baseline, challenger, then secondaries."""

    def make(
        means: Sequence[float],
        seeds: int = 10,
        mode: str = "max",
        opening: int = 1,
        informed: str | None = None,
        noise: float = 0.05,
        parts: dict[str, np.ndarray[Any, Any]] | None = None,
        given: dict[int, str | None] | None = None,
    ) -> Verdict:
        arms = ARMS[: len(means)]
        trials = [
            make_trial(n, arm, [0, 0, 0.5], config={"algorithm": {"name": arm}, "number": n})
            for n, arm in enumerate(arms)
        ]
        plan = Plan(
            baseline=0,
            challenger=1 if len(means) > 1 else None,
            secondaries=list(range(2, len(means))),
            seeds=[100 + n for n in range(seeds)],
            opening=opening,
            budget=5,
        )
        for source in range(len(means)):
            for place, seed in enumerate(plan.seeds):
                number, spent = len(trials), 9.0 + source + place % 2
                trials.append(
                    make_trial(
                        number,
                        arms[source],
                        [0.5],
                        levels=[9.0],
                        stage="verdict",
                        source=source,
                        seed=seed,
                        compute=spent,
                    )
                )
        scores = {n: scores_of(mean, seeds, n, noise) for n, mean in enumerate(means)}
        return judge(plan, scores, table_of(trials), Told(mode, informed), parts, given)

    return make


def text(verdict: Verdict) -> str:
    return "\n".join(words(verdict))


def test_a_verdict_says_all_there_is_to_say(judged: Judge) -> None:
    verdict = judged([0.7, 0.8, 0.75, 0.6])
    assert (verdict["metric"], verdict["mode"], verdict["openings"]) == ("accuracy", "max", 1)
    assert verdict["seeds"] == [100 + n for n in range(10)]
    assert (verdict["recommended"], verdict["items"]) == ("challenger", ITEMS)
    assert verdict["reason"]
    assert len(verdict["secondaries"]) == 2
    entries = [verdict["baseline"], verdict["challenger"], *verdict["secondaries"]]
    assert [entry["algorithm"] for entry in entries] == ARMS
    compared = ["difference", "standard_error", "degrees_of_freedom", "ci95", "p_value"]
    for number, entry in enumerate(entries):
        assert entry["config"] == {"algorithm": {"name": ARMS[number]}, "number": number}
        assert len(entry["values"]) == 10
        assert entry["mean"] == pytest.approx(np.mean(entry["values"]))
        assert entry["std"] == pytest.approx(np.std(entry["values"], ddof=1))
        assert entry["compute"] == 9.5 + number
        assert [key in entry for key in compared] == [number > 0] * len(compared)


def test_a_seeds_value_is_the_mean_over_the_items(judged: Judge) -> None:
    verdict = judged([0.7, 0.8], seeds=4)
    for number, entry in enumerate([verdict["baseline"], verdict["challenger"]]):
        expected = scores_of([0.7, 0.8][number], 4, number).mean(axis=1)
        assert entry["values"] == pytest.approx(expected.tolist())


def test_the_comparison_is_that_of_the_paired_test(judged: Judge) -> None:
    challenger = judged([0.7, 0.71])["challenger"]
    expected = compare(scores_of(0.71, 10, 1) - scores_of(0.7, 10, 0))
    assert challenger["difference"] == pytest.approx(expected.difference)
    assert challenger["standard_error"] == pytest.approx(expected.standard_error)
    assert challenger["degrees_of_freedom"] == pytest.approx(expected.degrees_of_freedom)
    assert challenger["ci95"] == pytest.approx(list(expected.ci95))
    assert challenger["p_value"] == pytest.approx(expected.p_value)


@pytest.mark.parametrize(
    ("mode", "means", "recommended"),
    [
        ("max", [0.7, 0.8], "challenger"),
        ("max", [0.8, 0.7], "baseline"),
        ("min", [0.8, 0.7], "challenger"),
        ("min", [0.7, 0.8], "baseline"),
    ],
)
def test_the_difference_is_challenger_minus_baseline_in_the_metrics_own_direction(
    judged: Judge, mode: str, means: list[float], recommended: str
) -> None:
    verdict = judged(means, mode=mode)
    challenger = verdict["challenger"]
    assert challenger["difference"] == pytest.approx(means[1] - means[0], abs=0.01)
    low, high = challenger["ci95"]
    assert low < challenger["difference"] < high
    assert challenger["difference"] == pytest.approx(
        challenger["mean"] - verdict["baseline"]["mean"]
    )
    assert challenger["p_value"] < 0.001
    assert verdict["recommended"] == recommended
    assert ("beats this tuned baseline" in text(verdict)) == (recommended == "challenger")
    assert ("Nothing beats" in text(verdict)) == (recommended == "baseline")


def test_a_difference_that_may_be_luck_is_no_win(judged: Judge) -> None:
    verdict = judged([0.7, 0.7])
    assert verdict["challenger"]["p_value"] > 0.05
    assert verdict["recommended"] == "baseline"
    assert "Nothing beats the tuned baseline here" in verdict["reason"]


def test_without_any_spread_there_is_no_win(judged: Judge) -> None:
    verdict = judged([0.7, 0.8], noise=0.0)
    assert verdict["challenger"]["difference"] == pytest.approx(0.1)
    assert verdict["challenger"]["standard_error"] == 0
    assert verdict["recommended"] == "baseline"


def test_holm_for_the_secondaries_and_none_for_the_challenger(judged: Judge) -> None:
    means = [0.7, 0.7, 0.704, 0.706]
    verdict = judged(means)
    plain = [
        compare(scores_of(means[n], 10, n) - scores_of(0.7, 10, 0)).p_value for n in range(1, 4)
    ]
    found = [each["p_value"] for each in (verdict["challenger"], *verdict["secondaries"])]
    smaller, larger = sorted(plain[1:])
    assert found[0] == pytest.approx(plain[0])
    assert sorted(found[1:]) == pytest.approx([2 * smaller, max(2 * smaller, larger)])
    assert found[1] != pytest.approx(plain[1]) or found[2] != pytest.approx(plain[2])


def test_a_secondary_is_never_recommended(judged: Judge) -> None:
    verdict = judged([0.7, 0.7, 0.9])
    assert verdict["secondaries"][0]["p_value"] < 1e-6
    assert verdict["recommended"] == "baseline"


@pytest.mark.parametrize(("opening", "level"), [(1, 0.05), (2, 0.05 / 4), (3, 0.05 / 8)])
def test_each_opening_has_its_level(judged: Judge, opening: int, level: float) -> None:
    verdict = judged([0.7, 0.8], opening=opening)
    assert (verdict["openings"], verdict["level"]) == (opening, level)
    assert verdict["exploratory"] == (opening > 1)
    assert ("Exploratory" in text(verdict)) == (opening > 1)
    assert (f"opening number {opening}" in text(verdict)) == (opening > 1)


def test_a_later_opening_asks_for_more(judged: Judge) -> None:
    means = [0.7, 0.7065]
    first, third = judged(means), judged(means, opening=3)
    assert 0.05 / 8 < first["challenger"]["p_value"] < 0.05
    assert first["challenger"] == third["challenger"]
    assert [first["recommended"], third["recommended"]] == ["challenger", "baseline"]


@pytest.mark.parametrize("informed", ["superloss", "self_paced"])
def test_a_win_with_extra_information_is_not_recommended(judged: Judge, informed: str) -> None:
    verdict = judged([0.7, 0.8, 0.8], informed=informed)
    assert verdict["challenger"]["p_value"] < 0.001
    if informed == "superloss":
        assert verdict["recommended"] == "baseline"
        assert verdict["challenger"]["extra_information"] == "a clean set"
        assert "extra information (a clean set)" in text(verdict)
        assert "not recommended" in text(verdict)
    else:
        assert verdict["recommended"] == "challenger"
        assert verdict["secondaries"][0]["extra_information"] == "a clean set"


def test_what_was_given_is_written_into_the_result(judged: Judge) -> None:
    teacher, held_out = "a teacher of 5 epochs", "a held-out meta set of 50 examples"
    verdict = judged([0.7, 0.8, 0.8, 0.8], given={0: None, 1: held_out, 2: teacher, 3: teacher})
    entries = [verdict["baseline"], verdict["challenger"], *verdict["secondaries"]]
    assert [entry["was_given"] for entry in entries] == [None, held_out, teacher, teacher]
    assert verdict["recommended"] == "challenger", "that it was given it is no fault"
    said = words(verdict)
    assert f"superloss was given: {held_out}." in said
    assert f"self_paced and easy_to_hard were given: {teacher}." in said


def test_a_verdict_of_before_says_nothing_of_what_was_given(judged: Judge) -> None:
    verdict = judged([0.7, 0.8])
    assert verdict["challenger"]["was_given"] is None and "was given" not in text(verdict)
    for name in ("baseline", "challenger"):
        del verdict[name]["was_given"]
    assert "was given" not in text(verdict)


def test_without_a_challenger_the_baseline_stands(judged: Judge) -> None:
    verdict = judged([0.7])
    assert (verdict["challenger"], verdict["secondaries"]) == (None, [])
    assert verdict["recommended"] == "baseline"
    assert "the tuned baseline stands" in text(verdict)


@pytest.mark.parametrize(("seeds", "named"), [(3, True), (5, True), (10, False), (12, False)])
def test_few_seeds_are_said_to_find_large_effects_only(
    judged: Judge, seeds: int, named: bool
) -> None:
    verdict = judged([0.7, 0.8], seeds=seeds)
    effect = verdict["smallest_detectable_effect_in_sd"]
    assert effect == pytest.approx(smallest_detectable_effect(seeds), abs=1e-3)
    assert (f"With {seeds} seeds only a difference of {effect:.2g}" in text(verdict)) == named


def test_the_effect_to_be_found_is_larger_at_a_later_opening(judged: Judge) -> None:
    first, second = (judged([0.7, 0.8], seeds=5, opening=opening) for opening in (1, 2))
    name = "smallest_detectable_effect_in_sd"
    assert first[name] == pytest.approx(1.68, abs=0.02)
    assert second[name] == pytest.approx(smallest_detectable_effect(5, alpha=0.05 / 4), abs=1e-3)
    assert second[name] > first[name]


def test_the_words_claim_no_more_than_two_configs(judged: Judge) -> None:
    lines = words(judged([0.7, 0.8]))
    assert lines[0].startswith("This superloss config beats this tuned baseline config on this")
    assert "at least 3 independent searches" in lines[-1]


def test_a_part_of_the_test_is_also_told_by_itself(judged: Judge) -> None:
    first, none = np.arange(ITEMS) < 50, np.zeros(ITEMS, dtype=bool)
    verdict = judged([0.7, 0.8, 0.75], parts={"of new classes": first, "of none": none})
    assert verdict["parts"] == {"of new classes": 50}
    for number, mean in enumerate([0.7, 0.8, 0.75]):
        entry = [verdict["baseline"], verdict["challenger"], *verdict["secondaries"]][number]
        expected = scores_of(mean, 10, number)[:, :50].mean()
        assert entry["parts"] == {"of new classes": pytest.approx(expected)}
    said = f"on the 50 test items of new classes: superloss {expected_of(0.8, 1):.4f}, plain"
    assert said in text(verdict) and "of none" not in text(verdict)
    assert "test items" not in text(judged([0.7, 0.8]))


def expected_of(mean: float, number: int) -> float:
    return float(scores_of(mean, 10, number)[:, :50].mean())

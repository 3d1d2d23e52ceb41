from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import Float, InputError, Space
from trainables.data.source import RawData
from trainables.scenarios.scenario import load_scenario


def space_of(**settings: Any) -> Space:
    """The space of a search on digits."""
    return prepare(SearchSpec("curriculum", "digits", **settings)).space


def test_the_space_is_cut_to_model_data_and_cap() -> None:
    prepared = prepare(SearchSpec("curriculum", "digits", max_epochs=8))
    assert prepared.scenario.name == "curriculum"
    assert prepared.space.options("model") == ["mlp"]
    assert prepared.space.options("algorithm")[0] == "plain"
    assert prepared.space.range_of("training", "epochs") == Float(2, 8, log=True)
    assert prepared.space.default()["training"]["epochs"] == 8
    assert prepared.view.input_shape == (1, 8, 8)


def test_the_baseline_stays_whatever_the_space_says() -> None:
    space = space_of(space={"algorithm": ["superloss"]})
    assert space.options("algorithm") == ["plain", "superloss"]


@pytest.mark.parametrize("cap", [0.01, 0.02, 0.04, 10_000])
def test_any_cap_that_a_spec_takes_has_a_space(cap: float) -> None:
    allowed = space_of(max_epochs=cap).range_of("training", "epochs")
    assert isinstance(allowed, Float)
    assert (allowed.low, allowed.high) == (max(cap / 4, 0.01), cap)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"low": 0.5}, Float(0.5, 8, log=True)),
        ({"low": 3, "high": 4}, Float(3, 4, log=True)),
        (8, None),
    ],
)
def test_a_horizon_of_ones_own(given: Any, expected: Float | None) -> None:
    space = space_of(max_epochs=8, space={"training.epochs": given})
    assert space.range_of("training", "epochs") == expected


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "mpl"}, "'mpl'. Did you mean 'mlp'? Allowed: MODULE:FUNCTION, cnn,"),
        ({"space": {"training.epochs": {"high": 31}}}, "training.epochs.high: got 31, expected"),
        ({"space": {"algorithm": "superlos"}}, "'superlos'. Did you mean 'superloss'?"),
        ({"noise": "1.5"}, "--noise"),
    ],
)
def test_a_mistake_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        space_of(**settings)
    assert said in str(refused.value)


def test_scenario_and_data_must_be_there() -> None:
    with pytest.raises(InputError, match="unknown scenario 'curiculum'"):
        prepare(SearchSpec("curiculum", "digits"))
    with pytest.raises(InputError, match="'digts'"):
        prepare(SearchSpec("curriculum", "digts"))


def test_who_needs_the_whole_model_is_left_out_where_it_is_divided() -> None:
    divided: dict[str, Any] = {"workers_per_trial": 2, "shard_model": True}
    whole, left = (set(space_of(**more).options("algorithm")) for more in ({}, divided))
    assert left < whole
    needy = {name for name in whole if load_scenario("curriculum").needs_whole_model(name)}
    assert whole - left == needy >= {"dds", "screener_net"}
    named = ["superloss", "dds"]
    with pytest.raises(InputError, match="--space: algorithm: 'dds' cannot train with --shard-mo"):
        space_of(space={"algorithm": named}, **divided)
    assert space_of(space={"algorithm": named[:1]}, **divided).options("algorithm") == [
        "plain",
        "superloss",
    ]


def test_data_that_cannot_be_read_again_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same reading opens the sealed test, when every training is paid for."""
    lines = [f"{i / 7:.3f},{i % 5},{'xy'[i // 2 % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label", *lines]))
    spec = SearchSpec("curriculum", str(tmp_path / "t.csv"))
    assert prepare(prepare(spec).spec).spec == prepare(spec).spec
    resolved = RawData.resolved
    for wrong, said in (
        ({"feature_columns": ["a", ""]}, "--feature-columns: a name is empty"),
        ({"feature_columns": ["a"]}, "read again with the options that were found, it is other"),
        ({"feature_column": "a"}, "'feature_column'. Did you mean 'feature_columns'?"),
    ):
        monkeypatch.setattr(
            RawData, "resolved", lambda self, classes, more=wrong: resolved(self, classes) | more
        )
        with pytest.raises(InputError) as refused:
            prepare(spec)
        assert said in str(refused.value)

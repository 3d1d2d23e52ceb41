from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from optuna.distributions import FloatDistribution

from automl_cl.engine import driver
from automl_cl.results.report.importances import FEWEST, importances_of
from automl_cl.results.report.reproduction import commands, space_file
from automl_cl.results.report.space_rows import SpaceRow, space_rows
from automl_cl.run.trial import Trial
from automl_cl.spec.search_spec import SearchSpec
from search_spaces import Space, narrowed
from trainables.scenarios.curriculum.recipe import Recipe

from ..happened import happened

MakeTrial = Callable[..., Trial]
RANGES = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}


def trials_of(
    make_trial: MakeTrial, count: int, value: Callable[[Mapping[str, float]], float]
) -> list[Trial]:
    random, found = Random(0), []
    for number in range(count):
        point = {name: random.random() for name in RANGES}
        found.append(make_trial(number, values=[value(point)] * 3, point=point))
    return found


def test_what_decides_the_value_is_the_most_important(make_trial: MakeTrial) -> None:
    trials = trials_of(make_trial, 60, lambda point: point["x"] + 0.1 * point["y"])
    found = importances_of("a", trials, RANGES)
    assert found.trials == 60
    assert list(found.shares) == ["x", "y"]
    assert found.shares["x"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_a_trial_that_blew_up_does_not_decide_on_importance(make_trial: MakeTrial) -> None:
    trials = trials_of(make_trial, 60, lambda p: 1e9 if p["y"] > 0.98 else p["x"])
    assert importances_of("a", trials, RANGES).shares["x"] > 0.7


def test_too_few_trials_are_said_to_be_too_few(make_trial: MakeTrial) -> None:
    trials = trials_of(make_trial, FEWEST - 1, lambda point: point["x"])
    found = importances_of("a", trials, RANGES)
    assert found.shares == {}
    assert found.trials == FEWEST - 1
    assert found.reason == f"too few, {FEWEST} finished trials are needed"


def test_equal_values_say_nothing(make_trial: MakeTrial) -> None:
    trials = trials_of(make_trial, 20, lambda point: 0.5)
    assert importances_of("a", trials, RANGES).reason == "all values are equal"


def rows_of(narrowing: Mapping[str, Any]) -> dict[str, SpaceRow]:
    whole = Space.of(Recipe)
    rows = space_rows(narrowed(whole, narrowing).describe(), whole.describe())
    return {row.path: row for row in rows}


def test_the_whole_space_is_searched() -> None:
    rows = rows_of({})
    assert {row.status for row in rows.values()} == {"searched", "not searched"}
    assert rows["optimizer"].allowed == "adam, adamw, amsgrad, sgd"
    assert rows["algorithm.superloss.lam"].status == "searched"
    assert rows["model.mlp.width"].status == "not searched"


def test_what_is_narrowed_and_what_is_fixed_is_told() -> None:
    rows = rows_of(
        {
            "algorithm": ["plain", "superloss"],
            "optimizer": "sgd",
            "optimizer.sgd.lr": {"low": 0.01},
            "optimizer.sgd.momentum": 0.9,
            "training.batch_size": [32, 64],
        }
    )
    assert rows["algorithm"].status == "narrowed"
    assert rows["algorithm"].allowed == "plain, superloss"
    assert "self_paced" in rows["algorithm"].otherwise
    assert (rows["optimizer"].status, rows["optimizer"].allowed) == ("fixed", "sgd")
    assert rows["optimizer.sgd.lr"].status == "narrowed"
    assert rows["optimizer.sgd.lr"].allowed.startswith("0.01 to ")
    assert rows["optimizer.sgd.momentum"].status == "fixed"
    assert rows["optimizer.sgd.momentum"].allowed == "0.9"
    assert rows["training.batch_size"].allowed == "32, 64"
    assert rows["schedule"].status == "searched"
    assert not any(path.startswith("optimizer.adam") for path in rows)


SPECS = [
    SearchSpec("curriculum", "digits"),
    SearchSpec(
        "semi_supervised",
        "my data/it's.npz",
        noise="asymmetric:0.2",
        model="mlp",
        settings={"labels": 40},
        trials=7,
        max_epochs=2.5,
        time_limit=60.0,
        seeds=3,
        seed=3,
        fidelity="compressed",
        gpus_per_trial=0.25,
        scheduler="asha",
        sampler="tpe",
        prior_share=0.25,
        total_compute=70.5,
        max_compute=3.5,
        max_memory=200_000,
        objectives=("compute", "loss"),
    ),
    SearchSpec(
        "curriculum",
        "digits",
        space={"algorithm": ["superloss"], "optimizer.lr": {"low": 1e-4, "log": True}},
        settings={"name": "1e5", "text": "a b", "list": [1, 2], "on": True},
    ),
    SearchSpec(
        "curriculum",
        "animals.csv",
        data_options={
            "label_column": "the animal",
            "feature_columns": ["size, in m", "colour"],
            "header": "no",
            "categories": {"colour": ["blue", "it's"]},
            "classes": ["ant", "bee"],
        },
    ),
    SearchSpec(
        "curriculum",
        "my.csv",
        noise="asymmetric:0.2",
        noise_map={"ant, red": "it's=a bee", "2": "7"},
        imbalance="step:12.5",
        clean=0.125,
        clean_validation=True,
    ),
]


@pytest.mark.parametrize("spec", SPECS)
def test_the_command_makes_the_same_search(
    spec: SearchSpec, command: Callable[..., Any], monkeypatch: Any, tmp_path: Path
) -> None:
    given: list[SearchSpec] = []
    monkeypatch.setattr(driver, "start", lambda made, *rest, **how: given.append(made))
    monkeypatch.setattr("automl_cl.command.cli._report", lambda result: None)
    (tmp_path / "space.yaml").write_text(space_file(spec))
    program, *words = shlex.split(commands(spec, [happened("search")])[0])
    assert program == "automl-cl"
    assert command(*words).code == 0
    assert given == [spec]


def test_each_extension_is_a_command_more() -> None:
    events = [
        happened("search"),
        happened("extend", trials=200),
        happened("extend", total_compute=50.0, time_limit=60.0),
    ]
    assert commands(SPECS[0], events)[1:] == [
        "automl-cl resume RUN --trials 200",
        "automl-cl resume RUN --total-compute 50 --time-limit 60",
    ]


def test_the_command_of_a_fork_names_what_is_other_than_in_the_run_it_came_from() -> None:
    given = {"trials": 5, "objectives": ["compute"], "max_memory": 1000}
    fork = {"run": "runs/a b", "given": given, "openings": 1, "trials": []}
    assert commands(SPECS[1], [happened("search", fork=fork)]) == [
        "automl-cl fork 'runs/a b' --trials 5 --objective compute --max-memory 1000"
    ]

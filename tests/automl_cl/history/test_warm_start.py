from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_cl.engine import driver, execution
from automl_cl.history.meta_features import distance, meta_features
from automl_cl.history.reading import read_history
from automl_cl.history.warm_start import WarmStart, warm_start
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import replayed
from automl_cl.spec.preparation import Prepared, prepare
from search_spaces import decode
from trainables.data import Examples

Remember = Callable[..., Path | None]


def advised(history: Path, prepared: Prepared) -> WarmStart:
    """A warm start without a warning."""
    warnings: list[str] = []
    found = warm_start(history, prepared, warnings.append)
    assert warnings == []
    return found


def values_of(history: Path, arm: str) -> dict[str, float]:
    """The value of each config of an arm that was trained to its end in the search."""
    return {
        json.dumps(each.config, sort_keys=True): each.value
        for each in read_history(history, print)
        if each.algorithm == arm and each.value is not None and each.stage == "search"
    }


def test_one_task_advises_its_bests_but_the_default(
    remember: Remember, history: Path, prepared: Prepared
) -> None:
    remember()
    found = advised(history, prepared)
    assert (found.tasks, found.same_data) == (1, True)
    assert found.points.keys() == set(prepared.space.options("algorithm"))
    assert any(found.points.values())
    for name, points in found.points.items():
        arm, values = prepared.space.only("algorithm", name), values_of(history, name)
        configs = [decode(arm, point) for point in points]
        assert len(configs) <= 4
        assert arm.default() not in configs
        worths = [values[json.dumps(config, sort_keys=True)] for config in configs]
        assert worths == sorted(worths, reverse=True)


def test_several_tasks_make_a_portfolio_for_each_arm(
    remember: Remember, history: Path, prepared: Prepared
) -> None:
    for search in range(4):
        remember(search=search, fingerprint=f"{search:016x}")
    found = advised(history, prepared)
    assert (found.tasks, found.same_data) == (4, False)
    assert found.words.startswith("warm start: ")
    assert found.words.endswith(f"from 4 tasks in {history}")
    assert advised(history, prepared) == found


@pytest.mark.parametrize(
    "changed",
    [{"metric": "loss"}, {"mode": "min"}, {"name": "continual"}],
)
def test_other_scenarios_metrics_and_modes_do_not_count(
    remember: Remember, history: Path, prepared: Prepared, changed: dict[str, str]
) -> None:
    remember()
    other = type("Other", (type(prepared.scenario),), changed)()
    found = advised(history, replace(prepared, scenario=other))
    assert found.tasks == 0 and not any(found.points.values())
    assert "nothing for this kind of search" in found.words


def test_an_arm_that_no_past_space_had_starts_cold(
    remember: Remember, history: Path, prepared: Prepared
) -> None:
    remember()
    rest = {k: v for k, v in prepared.spec.space.items() if not k.startswith("algorithm")}
    spec = replace(prepared.spec, space={**rest, "algorithm": ["self_paced"]})
    found = advised(history, prepare(spec))
    assert found.points["self_paced"] == []
    assert "1 of 2 arms" in found.words


def test_configs_are_put_into_a_narrower_space(
    remember: Remember, history: Path, prepared: Prepared
) -> None:
    remember()
    narrow = {**prepared.spec.space, "optimizer.lr": {"low": 0.02, "high": 0.025}}
    present = prepare(replace(prepared.spec, space=narrow))
    found = advised(history, present)
    assert any(found.points.values())
    for name, points in found.points.items():
        for point in points:
            config = decode(present.space.only("algorithm", name), point)
            assert 0.02 <= config["optimizer"]["lr"] <= 0.025
    gone = {**prepared.spec.space, "optimizer": "sgd"}
    del gone["optimizer.lr"]
    assert advised(history, prepare(replace(prepared.spec, space=gone))).tasks == 0


def test_a_task_that_saw_the_sealed_test_is_left_out(
    remember: Remember, history: Path, prepared: Prepared
) -> None:
    remember()
    other_split = prepare(replace(prepared.spec, seed=1))
    warnings: list[str] = []
    found = warm_start(history, other_split, warnings.append)
    assert found.tasks == 0
    assert len(warnings) == 1 and "1 task left out" in warnings[0] and "sealed" in warnings[0]
    # The same split with other noise is another task, and saw nothing of the test.
    other_noise = prepare(replace(prepared.spec, noise="none"))
    assert (advised(history, other_noise).tasks, advised(history, other_noise).same_data) == (
        1,
        False,
    )


def test_a_resumed_search_tries_the_same_though_the_history_has_changed(
    remember: Remember,
    history: Path,
    begun_run: Path,
    finished_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for search in range(3):
        remember(search=search, fingerprint=f"{search:016x}")
    monkeypatch.setattr(driver, "connect", lambda *args, **kwargs: nullcontext())
    monkeypatch.setattr(driver, "concurrency", lambda trial: 1)
    monkeypatch.setattr(driver, "watched_head", lambda *args: nullcontext())
    monkeypatch.setattr(driver, "train", lambda *args: None)
    run, first = tmp_path / "run", read_events(finished_run / "journal.jsonl")[0]
    spec = replace(
        prepare_spec(first), warm_start="history", history=str(tmp_path / "own"), trials=30
    )
    monkeypatch.chdir(tmp_path)
    driver.start(spec, run)
    assert "from 3 tasks in" in capsys.readouterr().err
    noted = replayed(read_events(run / "journal.jsonl")).warm_start
    assert noted is not None and any(noted.points.values())
    shutil.rmtree(history)
    asked: list[Any] = []

    def ask(session: Any, *rest: object) -> None:
        while len(asked) < 12 and (request := session.ask()) is not None:
            asked.append(session.table.trials[request.number])

    monkeypatch.setattr(driver, "train", ask)
    monkeypatch.chdir("/")
    driver.resume(run)
    assert replayed(read_events(run / "journal.jsonl")).warm_start == noted
    tried: dict[str, list[Any]] = {}
    for trial in asked:
        if trial.origin == "portfolio":
            tried.setdefault(trial.arm, []).append(trial.point)
    assert tried
    for name, points in tried.items():
        assert points == noted.points[name][: len(points)]
    assert not (tmp_path / "own").exists()  # nothing has finished


def prepare_spec(first: Any) -> Any:
    from automl_cl.spec.search_spec import SearchSpec

    return SearchSpec.from_dict(first.spec, "the run")


def test_the_verdict_says_where_configs_came_from() -> None:
    table = replayed([])
    assert execution._warm_started(table) == []
    table.warm_start = WarmStart(points={}, tasks=2, same_data=True, words="warm start: so many")
    (note,) = execution._warm_started(table)
    assert note.startswith("Warm start: so many. The same split")


def test_meta_features_and_how_far_apart_they_are(prepared: Prepared) -> None:
    labels = np.array([0] * 90 + [1] * 10)
    view = replace(
        prepared.view,
        train=Examples(np.zeros((100, 3, 8, 8), np.float32), labels),
        classes=("a", "b"),
        noise_rate=0.25,
    )
    found = meta_features(view)
    entropy = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert found == {
        "examples": 100,
        "classes": 2,
        "dimensions": 192,
        "channels": 3,
        "modality": "images",
        "imbalance": pytest.approx(1 - entropy, abs=1e-6),
        "noise_rate": 0.25,
    }
    assert distance(found, found) == 0
    other = {**found, "examples": round(100 * np.e**2), "modality": "vectors", "noise_rate": 0.0}
    assert distance(found, other) == pytest.approx(2 + 1 + 0.25, abs=0.01)
    nothing = replace(
        prepared.view,
        train=Examples(np.empty((0, 1), np.float32), np.empty(0, np.int64)),
        classes=("y",),
    )
    assert meta_features(nothing)["imbalance"] == 0


@pytest.mark.parametrize(
    ("labels", "imbalance"),
    [
        (np.array([-1] * 80 + [0] * 10 + [1] * 10), 0.0),  # most of them unknown
        (np.array([-1] * 80 + [1] * 20), 1.0),
        (np.full(100, -1), 0.0),
        (np.linspace(-2.5, 2.5, 100, dtype=np.float32), 0.0),  # targets of a regression
        (np.zeros((100, 2), np.float32), 0.0),  # two of them an example
        (np.array([7] * 50 + [0] * 50), 1.0),  # numbers of classes that are in no task
        (None, 0.0),
    ],
)
def test_meta_features_assume_nothing_about_labels(
    prepared: Prepared, labels: Any, imbalance: float
) -> None:
    train = Examples(np.zeros((100, 4), np.float32), labels)
    found = meta_features(replace(prepared.view, train=train, classes=("a", "b")))
    assert (found["examples"], found["imbalance"]) == (100, pytest.approx(imbalance))

"""Which labels are known, and that the others cannot be reached."""

from __future__ import annotations

import gc
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from search_spaces import InputError
from trainables.data import DataSpec, DataView, class_balanced, load_view
from trainables.parts.models.mlp import MLP
from trainables.scenarios.scenario import load_scenario
from trainables.scenarios.semi_supervised.view import PartlyLabelled

SCENARIO = load_scenario("semi_supervised")
DIGITS = DataSpec("digits", seed=5)


def counts(view: PartlyLabelled) -> list[int]:
    known = view.train.labels[view.labelled]
    return np.bincount(known, minlength=view.num_classes).tolist()


def test_as_many_of_each_class_as_possible(vectors: DataView) -> None:
    assert counts(PartlyLabelled.of(vectors, 60, 0)) == [20, 20, 20]
    assert sorted(counts(PartlyLabelled.of(vectors, 61, 0))) == [20, 20, 21]
    assert len({tuple(counts(PartlyLabelled.of(vectors, 61, seed))) for seed in range(20)}) == 3


def test_a_class_that_has_too_few_gives_all_it_has() -> None:
    labels = np.array([0] * 50 + [1] * 3 + [2] * 50)
    chosen = class_balanced(labels, 3, 33, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [15, 3, 15]
    assert len(class_balanced(labels, 3, 103, np.random.default_rng(0))) == 103


def test_the_seed_decides_which(vectors: DataView) -> None:
    first, again, other = (PartlyLabelled.of(vectors, 60, seed).labelled for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert len(np.intersect1d(first, other)) < 40


@pytest.mark.parametrize(("labels", "words"), [(2, "at least 3"), (211, "at most the 210")])
def test_too_few_and_too_many_are_refused(vectors: DataView, labels: int, words: str) -> None:
    with pytest.raises(InputError, match=f"labels: got {labels}, expected .*{words}"):
        PartlyLabelled.of(vectors, labels, 0)


def test_the_scenario_hides_all_but_a_few(vectors: DataView) -> None:
    view, whole = SCENARIO.load(DIGITS, SCENARIO.with_settings({"labels": 100})), load_view(DIGITS)
    assert counts(view) == [10] * 10
    known = view.train.labels >= 0
    assert np.array_equal(view.train.labels[known], whole.train.labels[known])
    assert (view.train.labels[~known] == -1).all()
    assert np.array_equal(view.train.inputs, whole.train.inputs)
    assert np.array_equal(view.validation.labels, whole.validation.labels)
    assert view.fingerprint != whole.fingerprint
    assert SCENARIO.with_settings({}).labels == 400
    with pytest.raises(InputError, match="labels"):
        SCENARIO.with_settings({"labels": 0})


def load(seed: int = 5, **settings: int) -> PartlyLabelled:
    return SCENARIO.load(DataSpec("digits", seed=seed), SCENARIO.with_settings(settings))


def test_other_labels_are_other_data() -> None:
    first = load(labels=100).fingerprint
    assert first == load(labels=100).fingerprint
    others = [load(labels=101), load(labels=100, seed=6), load(labels=100, unlabelled=300)]
    assert len({first, *(each.fingerprint for each in others)}) == 4


class Log:
    def __init__(self) -> None:
        self.openings: list[str] = []

    def record_opening(self, fingerprint: str) -> int:
        self.openings.append(fingerprint)
        return len(self.openings)


def test_the_test_opens_for_the_labels_it_was_searched_with_alone() -> None:
    log, view = Log(), load(labels=100)
    with pytest.raises(InputError, match="the test stays sealed"):
        SCENARIO.open_test(DIGITS, SCENARIO.with_settings({"labels": 101}), log, view.fingerprint)
    assert log.openings == []
    test = SCENARIO.open_test(
        DIGITS, SCENARIO.with_settings({"labels": 100}), log, view.fingerprint
    )
    assert len(test.inputs) == 359
    assert log.openings == [load_view(DIGITS).fingerprint], "the same test whatever the labels"


def test_fewer_unlabelled_inputs_can_be_asked_for() -> None:
    whole, view = load_view(DIGITS), load(labels=100, unlabelled=300)
    assert len(view.train) == 400 and counts(view) == [10] * 10
    places = {row.tobytes(): place for place, row in enumerate(whole.train.inputs)}
    rows = [places[row.tobytes()] for row in view.train.inputs]
    assert rows == sorted(rows) and len(set(rows)) == 400
    known = view.train.labels >= 0
    assert np.array_equal(view.train.labels[known], whole.train.labels[rows][known])
    same = load(labels=100)
    assert np.array_equal(same.train.inputs[same.labelled], view.train.inputs[view.labelled])
    with pytest.raises(InputError, match=r"unlabelled: got 5000, expected at most the 978"):
        load(labels=100, unlabelled=5000)


def test_the_verdict_says_how_many_labels_there_were() -> None:
    note, of_views = SCENARIO.notes(load(labels=100), MLP())
    assert "100 of 1078 training examples" in note
    assert of_views.startswith("Compute does not count the time of views")


def own_unlabelled(tmp_path: Path) -> tuple[DataSpec, np.ndarray, np.ndarray]:
    """An archive with 90 labelled examples in three classes and 50 that have no label."""
    rng = np.random.default_rng(0)
    inputs, others = rng.normal(size=(90, 3)), rng.normal(size=(50, 3)) + 5.0
    path = tmp_path / "own.npz"
    np.savez(path, x=inputs, y=np.arange(90) % 3, x_unlabelled=others)
    return DataSpec(str(path)), inputs, others


def test_unlabelled_examples_of_the_data_are_trained_on_and_nothing_else(tmp_path: Path) -> None:
    spec, inputs, others = own_unlabelled(tmp_path)
    settings = SCENARIO.with_settings({})
    view = SCENARIO.load(spec, settings)
    assert counts(view) == [18, 18, 18] and len(view.train) == 104, "all labels that there are"
    log = Log()
    test = SCENARIO.open_test(spec, settings, log, view.fingerprint)
    stored = {
        name: np.sort((part * view.scale + view.mean)[:, 0]).round(3).tolist()
        for name, part in {
            "unlabelled": view.train.inputs[view.train.labels < 0],
            "others": np.concatenate(
                [view.train.inputs[view.labelled], view.validation.inputs, test.inputs]
            ),
        }.items()
    }
    assert stored["unlabelled"] == np.sort(others[:, 0]).round(3).tolist()
    assert stored["others"] == np.sort(inputs[:, 0]).round(3).tolist()
    assert min(view.validation.labels) >= 0 and min(test.labels) >= 0
    assert any("50 examples came without a label" in each for each in view.conditions)
    assert any("54 of 104 training examples had a label" in n for n in SCENARIO.notes(view, MLP()))
    assert len(SCENARIO.examples_of(spec, settings, sealed=False)) == 122


def test_fewer_labels_and_fewer_of_the_unlabelled_can_be_asked_for(tmp_path: Path) -> None:
    spec, _, _ = own_unlabelled(tmp_path)

    def load(**given: int) -> PartlyLabelled:
        return SCENARIO.load(spec, SCENARIO.with_settings(given))

    assert counts(load(labels=30)) == [10, 10, 10] and len(load(labels=30).train) == 104
    assert len(load(labels=30, unlabelled=20).train) == 50
    assert len(load(unlabelled=20).train) == 74
    with pytest.raises(InputError, match="labels: got 400, expected at most the 54"):
        load(labels=400)
    prints = [load(), load(labels=30), load(unlabelled=20)]
    assert len({each.fingerprint for each in prints}) == 3


def test_unlabelled_examples_count_into_the_unit_of_compute(tmp_path: Path) -> None:
    spec, inputs, _ = own_unlabelled(tmp_path)
    np.savez(tmp_path / "bare.npz", x=inputs, y=np.arange(90) % 3)
    units = []
    for source in (spec, DataSpec(str(tmp_path / "bare.npz"))):
        view = SCENARIO.load(source, SCENARIO.with_settings({"labels": 30}))
        data = SCENARIO.on_device(view, torch.device("cpu"))
        config = SCENARIO.space(view).default()
        units.append(SCENARIO.learner(config, data, 0, torch.device("cpu")).measure_unit())
    assert units[0] / units[1] == pytest.approx(104 / 54, rel=0.05)


def reachable_arrays(root: object) -> list[np.ndarray]:
    """All integer arrays and tensors that can be got at from an object."""
    seen: dict[int, object] = {}
    waiting, found = [root], []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type) or type(item).__name__ == "module":
            continue
        seen[id(item)] = item
        if isinstance(item, torch.Tensor) and item.dtype == torch.int64:
            found.append(item.detach().numpy())
        elif isinstance(item, np.ndarray):
            if item.dtype == np.int64:
                found.append(item)
            waiting.append(item.base)
        if not callable(item) or hasattr(item, "__self__"):
            waiting += gc.get_referents(item)
    return found


@pytest.mark.parametrize("algorithm", ["supervised", "fixmatch", "flexmatch", "mean_teacher"])
def test_hidden_labels_cannot_be_reached(make_learner, vectors, algorithm: str) -> None:
    view = PartlyLabelled.of(vectors, 60, 0)
    learner = make_learner("semi_supervised", algorithm, horizon=2.0, view=vectors)
    learner.advance(2.0)
    truth, hidden = vectors.train.labels, view.train.labels == -1
    for root in (view, learner):
        arrays = [each.flatten() for each in reachable_arrays(root)]
        assert any(np.array_equal(each, view.train.labels) for each in arrays), "nothing was found"
        alike = [each for each in arrays if len(each) == len(truth)]
        told = [each for each in alike if np.array_equal(each[hidden], truth[hidden])]
        assert not told
    assert {field.name for field in fields(view)} == {field.name for field in fields(vectors)}

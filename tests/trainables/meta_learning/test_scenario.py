"""The scenario's data: classes split and sealed, settings, metric, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import InputError, narrowed
from search_spaces.space import Fixed
from trainables.data import ClassSplit, DataSpec, open_test_classes
from trainables.data.omniglot import find_file
from trainables.data.vinyals import vinyals_split
from trainables.parts.models.mlp import MLP
from trainables.scenarios.meta_learning.views import FewShotView
from trainables.scenarios.scenario import load_scenario

SCENARIO = load_scenario("meta_learning")
CPU = torch.device("cpu")
OMNIGLOT = Path(__file__).parents[3].parent / "shared" / "data" / "omniglot" / "omniglot_28.npz"


class Log:
    def __init__(self) -> None:
        self.openings: list[str] = []

    def record_opening(self, fingerprint: str) -> int:
        self.openings.append(fingerprint)
        return len(self.openings)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """20 classes of 12 vectors; the first feature says which class it is."""
    labels = np.arange(240) % 20
    inputs = np.random.default_rng(0).normal(size=(240, 5))
    inputs[:, 0] = labels
    np.savez(tmp_path / "many.npz", x=inputs, y=labels)
    return str(tmp_path / "many.npz")


@pytest.fixture
def omniglot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSpec:
    """A small archive in Omniglot's form: 6 + 2 alphabets of 3 characters, 8 of each."""
    rng, arrays = np.random.default_rng(0), {}
    for part, alphabets in (("bg", 6), ("ev", 2)):
        labels = np.repeat(np.arange(3 * alphabets), 8)
        names = [f"{part}{a}/character{c:02d}" for a in range(alphabets) for c in range(1, 4)]
        arrays |= {
            f"{part}_x": rng.integers(0, 256, (len(labels), 5, 5), dtype=np.uint8),
            f"{part}_y": labels.astype(np.int16),
            f"{part}_classnames": np.array(names),
        }
    (tmp_path / "omniglot").mkdir()
    np.savez(tmp_path / "omniglot" / "omniglot_28.npz", **arrays)
    monkeypatch.setenv("AUTOML_CL_DATA", str(tmp_path))
    return DataSpec("omniglot")


def settings(**given: object):
    return SCENARIO.with_settings({"ways": 3, "queries": 4, "validation_episodes": 10, **given})


def points(**given: object):
    return SCENARIO.with_settings(given, "sinusoid")


def by_alphabet(**given: object):
    return settings(split="alphabets", **given)


def test_no_test_class_is_in_the_view_and_each_class_is_in_one_part(archive: str) -> None:
    spec, log = DataSpec(archive), Log()
    view = SCENARIO.load(spec, settings())
    test = SCENARIO.open_test(spec, settings(), log, view.fingerprint)
    assert log.openings == [view.fingerprint]

    def classes_in(inputs: np.ndarray) -> set[int]:
        raw = inputs.astype(np.float64) * view.scale + view.mean
        return {round(value) for value in raw[:, 0]}

    parts = [classes_in(x) for x in (view.train.inputs, view.validation.inputs, test.inputs)]
    assert [len(part) for part in parts] == [12, 4, 4]
    assert len(set.union(*parts)) == 20
    assert set(map(int, view.classes)) == parts[0]
    assert set(map(int, view.validation_classes)) == parts[1]
    assert SCENARIO.load(DataSpec(archive, seed=1), settings()).classes != view.classes


def test_no_part_of_the_view_is_a_window_on_more(archive: str) -> None:
    view = SCENARIO.load(DataSpec(archive), settings())
    for part in (view.train, view.validation):
        for array in (part.inputs, part.labels):
            assert array.base is None or array.base.nbytes == array.nbytes


@pytest.mark.parametrize("change", [{"seed": 1}, {"training_classes": 5}, {"shots": 2}])
def test_another_split_keeps_the_test_sealed(archive: str, change: dict[str, int]) -> None:
    spec, given, log = DataSpec(archive), settings(), Log()
    view = SCENARIO.load(spec, given)
    other = DataSpec(archive, seed=change.pop("seed", 0))
    with pytest.raises(InputError, match="the test stays sealed"):
        SCENARIO.open_test(other, settings(**change), log, view.fingerprint)
    assert log.openings == []


def test_items_are_the_same_fixed_episodes_for_everybody(archive: str) -> None:
    spec, given = DataSpec(archive), settings(test_episodes=20)
    view = SCENARIO.load(spec, given)
    data = SCENARIO.on_device(view, CPU)
    tests = [
        SCENARIO.items_on_device(SCENARIO.open_test(spec, given, Log(), view.fingerprint), CPU)
        for _ in range(2)
    ]
    config = SCENARIO.space(view).default()
    learners = [SCENARIO.learner(config, data, seed, CPU) for seed in (0, 1)]
    scores = [learner.item_scores(items) for learner in learners for items in tests]
    assert all(each.shape == (20,) and each.dtype == torch.float64 for each in scores)
    assert torch.equal(scores[0], scores[1]) and not torch.equal(scores[0], scores[2])
    assert set((scores[0] * 12).round(decimals=6).frac().tolist()) == {0.0}


def test_omniglots_alphabets_stay_together_and_its_evaluation_set_is_sealed(omniglot) -> None:
    view = SCENARIO.load(omniglot, by_alphabet())
    alphabets = [
        {name.split("/")[0] for name in part} for part in (view.classes, view.validation_classes)
    ]
    assert not alphabets[0] & alphabets[1]
    assert alphabets[0] | alphabets[1] == {f"bg{a}" for a in range(6)}
    assert len(view.classes) + len(view.validation_classes) == 18
    assert "alphabet" in view.split and "evaluation" in view.split
    test = SCENARIO.open_test(omniglot, by_alphabet(), Log(), view.fingerprint)
    assert len(test.inputs) == 2 * 3 * 8
    assert view.rotations == test.rotations == 4
    assert SCENARIO.load(omniglot, by_alphabet(rotations="never")).rotations == 1
    assert len(SCENARIO.load(omniglot, by_alphabet(training_classes=7)).classes) == 7
    assert SCENARIO.load(omniglot, settings(split="classes")).split.startswith("by class")


def test_a_split_whose_classes_are_not_there_is_refused(omniglot) -> None:
    with pytest.raises(InputError, match="split 'vinyals': its class 'Armenian/character01'"):
        SCENARIO.load(omniglot, settings(split="vinyals"))
    with pytest.raises(InputError, match=r"split of 'omniglot' 'vinyal'. Did you mean 'vinyals'"):
        SCENARIO.load(omniglot, settings(split="vinyal"))


def test_unless_it_is_asked_for_another_one_is_taken(omniglot) -> None:
    view = SCENARIO.load(omniglot, settings())
    assert view.split.startswith("by whole alphabets")
    assert view.classes == SCENARIO.load(omniglot, by_alphabet()).classes
    assert any("by whole alphabets" in note for note in SCENARIO.notes(view, MLP()))


def test_sinusoids_take_no_options_of_data() -> None:
    with pytest.raises(InputError, match="--label-column: data 'sinusoid' takes no options"):
        SCENARIO.load(DataSpec("sinusoid", options={"label_column": "y"}), points())


@pytest.mark.parametrize("split", ["vinyals", "groups"])
def test_data_without_such_a_split_refuses_it(archive: str, split: str) -> None:
    with pytest.raises(InputError, match=rf"unknown split of 'many.npz' '{split}'.*classes"):
        SCENARIO.load(DataSpec(archive), settings(split=split))


@pytest.fixture
def real_omniglot(monkeypatch: pytest.MonkeyPatch) -> DataSpec:
    if not OMNIGLOT.exists():
        pytest.skip("Omniglot is not here")
    monkeypatch.setenv("AUTOML_CL_DATA", str(OMNIGLOT.parents[1]))
    assert find_file() == OMNIGLOT
    return DataSpec("omniglot")


def test_the_real_omniglot_has_30_and_20_alphabets(real_omniglot: DataSpec) -> None:
    view = SCENARIO.load(real_omniglot, by_alphabet())
    assert len(view.classes) + len(view.validation_classes) == 964
    assert view.input_shape == (1, 28, 28)


def test_vinyals_split_of_the_real_omniglot(real_omniglot: DataSpec) -> None:
    with np.load(OMNIGLOT, allow_pickle=False) as archive:
        background, evaluation = (list(map(str, archive[f"{p}_classnames"])) for p in ("bg", "ev"))
    validated = {"Armenian", "Bengali", "Early_Aramaic", "Hebrew", "Mkhedruli_(Georgian)"}
    view = SCENARIO.load(real_omniglot, settings())
    assert (len(view.classes), len(view.validation_classes)) == (1028, 172)
    assert set(view.validation_classes) == {
        name for name in background if name.split("/")[0] in validated
    }
    tested = load_class_test(real_omniglot, view.fingerprint)
    assert list(tested.classes) == sorted(evaluation)[-423:]
    assert tested.classes[:5] == (
        *(f"Gurmukhi/character{number}" for number in (42, 43, 44, 45)),
        "Kannada/character01",
    )
    assert set(view.classes) == {*background, *evaluation} - {
        *view.validation_classes,
        *tested.classes,
    }
    assert len(view.train) == 20 * 1028 and len(tested.inputs) == 20 * 423
    notes = " ".join(SCENARIO.notes(view, MLP()))
    assert "vinyals" in notes and "1028/172/423" in notes and "42-45 are in the test" in notes


def load_class_test(spec: DataSpec, fingerprint: str):
    wanted = ClassSplit(3, 1 + 4)
    return open_test_classes(spec, wanted, Log(), fingerprint)


def test_a_published_split_does_not_depend_on_the_seed_and_takes_its_own_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = vinyals_split()
    background = sorted({*split.validation, *(f"Greek/character{n:02d}" for n in range(1, 9))})
    evaluation = sorted({*split.test, "Gurmukhi/character41"})
    (tmp_path / "omniglot").mkdir()
    arrays = {}
    for part, names in (("bg", background), ("ev", evaluation)):
        labels = np.repeat(np.arange(len(names)), 5)
        arrays |= {
            f"{part}_x": np.random.default_rng(len(names)).integers(0, 256, (len(labels), 2, 2)),
            f"{part}_y": labels,
            f"{part}_classnames": np.array(names),
        }
    np.savez(tmp_path / "omniglot" / "omniglot_28.npz", **arrays)
    monkeypatch.setenv("AUTOML_CL_DATA", str(tmp_path))
    views = [SCENARIO.load(DataSpec("omniglot", seed=seed), settings()) for seed in (0, 1)]
    for view in views:
        assert view.classes == (
            *(f"Greek/character{n:02d}" for n in range(1, 9)),
            "Gurmukhi/character41",
        )
        assert view.validation_classes == split.validation
    assert views[0].fingerprint != views[1].fingerprint
    assert np.array_equal(views[0].train.inputs, views[1].train.inputs)
    raw = views[0].train.inputs * views[0].scale + views[0].mean
    kept = [place for place, name in enumerate(background) if name.startswith("Greek")]
    expected = arrays["bg_x"][np.isin(arrays["bg_y"], kept)]
    np.testing.assert_allclose(raw[:40, 0], expected, atol=1e-3)


def test_omniglot_that_is_not_there_is_said_to_be_looked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AUTOML_CL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"omniglot_28\.npz not found in \$AUTOML_CL_DATA"):
        SCENARIO.load(DataSpec("omniglot"), settings())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ways": 8}, "20 classes are too few.*8-way"),
        ({"shots": 9}, "has 12 examples; support and queries together need 13"),
        ({"rotations": "always"}, "no square images"),
    ],
)
def test_data_that_cannot_make_the_tasks_is_refused(archive: str, given, words: str) -> None:
    with pytest.raises(InputError, match=words):
        SCENARIO.load(DataSpec(archive), settings(**given))


def test_digits_have_too_few_classes_for_five_ways() -> None:
    with pytest.raises(InputError, match="'digits': 10 classes are too few"):
        SCENARIO.load(DataSpec("digits"), SCENARIO.with_settings({}))
    view = SCENARIO.load(DataSpec("digits"), SCENARIO.with_settings({"ways": 2}))
    assert [len(view.classes), len(view.validation_classes)] == [6, 2]


@pytest.mark.parametrize("source", ["digits", "sinusoid"])
def test_label_noise_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="--noise"):
        spec = DataSpec(source, noise="0.4")
        SCENARIO.load(spec, SCENARIO.with_settings({}, source))


def test_sinusoids_are_judged_by_their_error_and_not_by_protonet() -> None:
    spec, given = DataSpec("sinusoid"), points(shots=5, test_episodes=10)
    view = SCENARIO.load(spec, given)
    kind, log = SCENARIO.for_view(view), Log()
    assert (kind.metric, kind.mode, kind.name) == ("mean_squared_error", "min", "meta_learning")
    assert (SCENARIO.metric, SCENARIO.mode) == ("accuracy", "max")
    space = kind.space(view)
    assert space.options("algorithm") == ["simple_shot", "lstm_learner", "maml"]
    learner = kind.learner(space.default(), kind.on_device(view, CPU), 0, CPU)
    items = kind.items_on_device(kind.open_test(spec, given, log, view.fingerprint), CPU)
    assert learner.item_scores(items).shape == (10,)
    assert log.openings == [view.fingerprint]
    learner.begin(0.5)
    assert learner.evaluate().keys() == {"mean_squared_error", "loss"}
    bare: Any = SimpleNamespace(input_shape=(1,), train=SimpleNamespace(columns={}))
    protonet = SCENARIO.space(bare).only("algorithm", "protonet")
    with pytest.raises(InputError, match="not for regression"):
        kind.learner(protonet.default(), kind.on_device(view, CPU), 0, CPU)


def test_sinusoids_of_the_test_are_not_those_of_the_validation() -> None:
    spec = DataSpec("sinusoid")
    view = SCENARIO.load(spec, points())
    validation = SCENARIO.on_device(view, CPU).validation
    test = SCENARIO.items_on_device(SCENARIO.open_test(spec, points(), Log(), ""), CPU)
    seen, sealed = (next(each.own_chunks()).query.inputs.flatten() for each in (validation, test))
    assert not set(seen.tolist()) & set(sealed.tolist())


def test_defaults_depend_on_the_data() -> None:
    assert (points().shots, points().queries, points().shape.ways) == (10, 10, 1)
    assert (SCENARIO.with_settings({}, "omniglot").shots, points(shots=5).shots) == (1, 5)


def test_a_slip_in_the_name_of_sinusoids_is_understood() -> None:
    with pytest.raises(InputError, match=r"'sinusoids'\. Did you mean 'sinusoid'"):
        SCENARIO.load(DataSpec("sinusoids"), settings())


@pytest.mark.parametrize("name", ["ways", "split", "rotations", "training_classes"])
def test_what_means_nothing_for_sinusoids_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"settings of meta_learning on sinusoid '{name}'"):
        points(**{name: 3})


def test_hyperparameters_that_mean_nothing_are_neither_searched_nor_taken(archive: str) -> None:
    views = [SCENARIO.load(DataSpec("sinusoid"), points())]
    views += [SCENARIO.load(DataSpec(archive), settings())]
    sinusoids, classes = (SCENARIO.space(view) for view in views)
    ridge = {"algorithm.simple_shot.ridge": 2.0}
    assert narrowed(sinusoids, ridge).default()["algorithm"]["ridge"] == 2.0
    for given in (ridge, {"algorithm.ridge": {"low": 2.0}}, {"algorithm.ridge.low": 2.0}):
        with pytest.raises(InputError, match=r"ridge: got .*, but classification does not use it"):
            narrowed(classes, given)
    options = classes.root.fields["algorithm"].options
    assert isinstance(options["simple_shot"].fields["ridge"], Fixed)
    assert classes.default()["algorithm"] == {"name": "simple_shot", "ridge": 1.0}


def test_ranges_and_defaults_are_those_of_the_tasks(archive: str) -> None:
    sinusoids = SCENARIO.space(SCENARIO.load(DataSpec("sinusoid"), points()))
    classes = SCENARIO.space(SCENARIO.load(DataSpec(archive), settings(ways=3)))
    rates = [
        each.only("algorithm", "maml").default()["algorithm"]["inner_lr"]
        for each in (sinusoids, classes)
    ]
    assert rates == [0.01, 0.4], "Finn et al.'s own, of sinusoids and of Omniglot"
    ranges = [
        each.root.fields["algorithm"].options["maml"].fields["inner_lr"].allowed
        for each in (sinusoids, classes)
    ]
    assert [(each.low, each.high) for each in ranges] == [(1e-3, 0.1), (0.01, 1.0)]
    ways = classes.root.fields["algorithm"].options["protonet"].fields["ways"]
    # From those of the tasks to the 12 classes that there are to train on.
    assert (ways.allowed.low, ways.allowed.high, ways.default) == (3, 12, 12)


def test_a_view_of_classes_is_a_data_view(archive: str) -> None:
    view = SCENARIO.load(DataSpec(archive), settings())
    assert isinstance(view, FewShotView)
    assert SCENARIO.for_view(view) is SCENARIO
    assert (view.num_classes, view.input_shape) == (12, (5,))


def test_the_unit_is_a_pass_of_the_plain_network_over_all_training_examples(omniglot) -> None:
    view = SCENARIO.load(omniglot, by_alphabet())
    space = narrowed(
        SCENARIO.space(view), {"model": {"name": "mlp", "mlp": {"width": 7, "depth": 1}}}
    )
    for algorithm in ("simple_shot", "maml", "protonet", "lstm_learner"):
        config = space.only("algorithm", algorithm).default()
        learner = SCENARIO.learner(config, SCENARIO.on_device(view, CPU), 0, CPU)
        learner.begin(1.0)
        outputs = 4 * len(view.classes)
        # Forward, each weight's gradient, and the gradient of the hidden layer.
        assert learner.unit == len(view.train) * 2 * (2 * 25 * 7 + 3 * 7 * outputs)

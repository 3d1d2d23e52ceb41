"""Columns that are neither label nor feature: noisy labels, difficulty, text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, carried_over, load_view, open_test
from trainables.data.tables.text import lengths, rarities, words_of

RNG = np.random.default_rng(0)
ROWS = 60
A = RNG.normal(size=ROWS).round(6)
TRUE = np.array(["cat", "dog", "emu"])[np.arange(ROWS) % 3]
PEOPLE = np.where(RNG.random(ROWS) < 0.4, "dog", TRUE)
HARD = RNG.random(ROWS).round(4)
WORDS = ["lost my card", "a card payment failed", "top-up isn't there"]
TEXTS = [f"{WORDS[i % 3]} number{i}" for i in range(ROWS)]
COLUMNS: dict[str, Any] = {"a": A, "hard": HARD, "people": PEOPLE, "kind": TRUE, "said": TEXTS}
OPTIONS = {"label_column": "kind", "drop_columns": "said", "difficulty_column": "hard"}
FORMATS = ["t.csv", "t.parquet", "t.arrow", "t.npz", "hf:"]


def write(folder: Path, name: str = "t.csv", **changed: Any) -> str:
    """A table with the columns above, as a file of that kind."""
    columns = {key: value for key, value in {**COLUMNS, **changed}.items() if value is not None}
    path = folder / name.removeprefix("hf:")
    if name.endswith(".npz"):
        arrays = {key: np.asarray(value) for key, value in columns.items() if key != "said"}
        np.savez(path, x=A[:, np.newaxis], **{k: v for k, v in arrays.items() if k != "a"})
        return str(path)
    table = pa.table({key: pa.array(value) for key, value in columns.items()})
    if name == "hf:":
        datasets = pytest.importorskip("datasets")
        datasets.Dataset(table).save_to_disk(str(folder / "saved"))
        return f"hf:{folder / 'saved'}"
    if name.endswith(".parquet"):
        pq.write_table(table, path)
    elif name.endswith(".arrow"):
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        together = zip(*columns.values(), strict=True)
        rows = [["" if cell is None else str(cell) for cell in row] for row in together]
        path.write_text("\n".join(",".join(row) for row in [list(columns), *rows]))
    return str(path)


def options_for(address: str) -> dict[str, Any]:
    wanted = dict(OPTIONS)
    if address.endswith(".npz"):
        del wanted["drop_columns"]
    return wanted


def rows_of(view: DataView) -> tuple[np.ndarray, np.ndarray]:
    """Which row each training and validation example is, by its value of column a."""
    parts = [
        np.abs(part.inputs[:, 0] * view.scale[0, 0] + view.mean[0, 0] - A[:, None]).argmin(axis=0)
        for part in (view.train, view.validation)
    ]
    return parts[0], parts[1]


@pytest.mark.parametrize("name", FORMATS)
def test_every_source_with_columns_reads_them(tmp_path: Path, log: Any, name: str) -> None:
    address = write(tmp_path, name)
    spec = DataSpec(address, "column:people", options=options_for(address))
    view = load_view(spec)
    assert view.input_shape == (1,), "no feature"
    train, validation = rows_of(view)
    names = np.array(view.classes)
    assert names[view.train.labels].tolist() == PEOPLE[train].tolist()
    assert names[view.validation.labels].tolist() == PEOPLE[validation].tolist()
    np.testing.assert_allclose(view.train.columns["difficulty"], HARD[train], rtol=1e-6)
    assert view.train.columns["difficulty"].dtype == np.float32 and not view.validation.columns
    test = open_test(spec, log, view.fingerprint)
    found = np.abs(test.inputs[:, 0] * view.scale[0, 0] + view.mean[0, 0] - A[:, None])
    assert names[test.labels].tolist() == TRUE[found.argmin(axis=0)].tolist(), "the true labels"
    wrong = np.mean(PEOPLE[train] != TRUE[train])
    assert view.noise_rate == pytest.approx(wrong)
    assert f"Label noise column:people: {wrong:.1%} of the training" in view.conditions[0]


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_chosen_gives_the_same_data_again(tmp_path: Path, name: str) -> None:
    address = write(tmp_path, name)
    spec = DataSpec(address, "column:people", options=options_for(address))
    view = load_view(spec)
    again = load_view(DataSpec(address, "column:people", options=view.options))
    assert again.fingerprint == view.fingerprint and again.options == view.options
    as_option = load_view(DataSpec(address, options=view.options))
    np.testing.assert_array_equal(as_option.train.labels, view.train.labels)


def test_other_labels_or_difficulties_are_other_data(tmp_path: Path) -> None:
    def fingerprint(**changed: Any) -> str:
        spec = DataSpec(write(tmp_path, **changed), "column:people", options=OPTIONS)
        return load_view(spec).fingerprint

    prints = [fingerprint(), fingerprint(people=TRUE), fingerprint(hard=HARD + 1)]
    assert len(set(prints)) == 3 and fingerprint() == prints[0]


@pytest.mark.parametrize(
    ("noise", "changed", "options", "words"),
    [
        ("column:persons", {}, {}, ["'persons'", "noisy_label_column", "Did you mean 'people'?"]),
        ("column:kind", {}, {}, ["noisy_label_column", "'kind' is the label column"]),
        ("column:hard", {}, {}, ["'hard' is also the column of", "difficulty_column"]),
        ("column:a", {}, {}, ["column 'a'", "whole numbers or strings"]),
        ("column:people", {"people": ["yak", *PEOPLE[1:]]}, {}, ["'people'", "'yak'", "cat, dog"]),
        ("column:people", {"people": [None, *PEOPLE[1:]]}, {}, ["'people'", "1 labels are miss"]),
        ("column:people", {}, {"feature_columns": "a,people"}, ["'people' is no feature"]),
        ("column:people", {}, {"drop_columns": "said,people"}, ["'people' is also among --drop"]),
        ("none", {}, {"difficulty_column": "hart"}, ["'hart'", "Did you mean 'hard'?"]),
        ("none", {}, {"difficulty_column": "said", "drop_columns": "a"}, ["'said'", "a number"]),
        ("none", {"hard": [None, *HARD[1:]]}, {}, ["'hard'", "1 of 60", "row 0"]),
        ("none", {"hard": [1e300, *HARD[1:]]}, {}, ["'hard'", "infinite", "row 0"]),
        ("none", {}, {"text_column": "a"}, ["column 'a'", "expected text", "double"]),
        ("none", {}, {"text_column": "say", "drop_columns": "a"}, ["Did you mean 'said'?"]),
        ("none", {}, {"text_column": "said"}, ["text_column: 'said' is also among --drop"]),
        ("none", {}, {"text_features": "9"}, ["text_features", "'9'", "from 16"]),
        ("none", {}, {"text_features": 64.5}, ["text_features", "64.5", "whole number"]),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, noise: str, changed: Any, options: Any, words: list[str]
) -> None:
    address = write(tmp_path, "t.parquet", **changed)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(address, noise, options={**OPTIONS, **options}))
    message = str(caught.value)
    assert "\n" not in message and [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("noise", "changed", "options", "words"),
    [
        ("column:persons", {}, {}, ["array of", "'persons'", "Did you mean 'people'?"]),
        ("column:y", {"y": TRUE, "kind": None}, {"label_column": ""}, ["'y'", "--label-column"]),
        ("none", {}, {"label_column": "knd"}, ["array of", "--label-column", "'knd'", "'kind'?"]),
        ("column:people", {"people": PEOPLE[:9]}, {}, ["'people'", "9 values for 60 examples"]),
        ("none", {"hard": HARD[:9]}, {}, ["'hard'", "9 values for 60 examples"]),
        ("none", {"hard": TRUE}, {}, ["'hard'", "one number", "<U3"]),
        ("none", {"hard": np.stack([HARD, HARD], 1)}, {}, ["'hard'", "[60, 2]"]),
        ("column:people", {"people": np.array(3)}, {}, ["'people'", "one label"]),
    ],
)
def test_mistakes_in_archives_are_named(
    tmp_path: Path, noise: str, changed: Any, options: Any, words: list[str]
) -> None:
    address = write(tmp_path, "t.npz", **changed)
    given = {**options_for(address), **options}
    given = {name: value for name, value in given.items() if value}
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(address, noise, options=given))
    message = str(caught.value)
    assert "\n" not in message and [word for word in words if word not in message] == []


def test_data_without_columns_has_no_column_of_noisy_labels() -> None:
    with pytest.raises(InputError, match="--noise 'column:people': data 'digits' has no columns"):
        load_view(DataSpec("digits", "column:people"))


def test_what_a_function_returns_beside_its_data(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path, "t.npz")
    (tmp_path / "extra_module.py").write_text(
        "import numpy as np\n"
        f"def load():\n    d = np.load({str(tmp_path / 't.npz')!r})\n"
        "    return {'x': d['x'], 'y': d['kind'], 'people': d['people'], 'hard': d['hard']}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = DataSpec("extra_module:load", "column:people", options={"difficulty_column": "hard"})
    view = load_view(spec)
    train, _ = rows_of(view)
    assert np.array(view.classes)[view.train.labels].tolist() == PEOPLE[train].tolist()
    np.testing.assert_allclose(view.train.columns["difficulty"], HARD[train], rtol=1e-6)
    with pytest.raises(InputError, match=r"unknown key in what .* 'hard'"):
        load_view(DataSpec("extra_module:load", "column:people"))
    with pytest.raises(InputError, match=r"'humans'.*Allowed: .*people"):
        load_view(
            DataSpec("extra_module:load", "column:humans", options={"difficulty_column": "people"})
        )


def test_noisy_labels_may_be_names_where_the_true_ones_are_numbers(
    tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "named_module.py").write_text(
        "import numpy as np\n"
        "def load():\n    x = np.random.default_rng(0).normal(size=(40, 2))\n"
        "    people = np.array(['ant', 'bee'] * 20)[::-1]\n"
        "    return {'x': x, 'y': [0, 1] * 20, 'classes': ['ant', 'bee'], 'people': people}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    view = load_view(DataSpec("named_module:load", "column:people"))
    assert view.classes == ("ant", "bee") and view.noise_rate == 1.0


def test_an_archive_with_a_test_and_labels_of_another_name(write_npz: Any, log: Any) -> None:
    inputs, true = RNG.normal(size=(60, 2)), np.arange(60) % 3
    address = write_npz(
        x=inputs,
        truth=true,
        labels=(true + 1) % 3,
        x_test=inputs[:9] + 1.0,
        truth_test=true[:9],
    )
    spec = DataSpec(address, "column:labels", options={"label_column": "truth"})
    view = load_view(spec)
    assert view.noise_rate == 1.0
    assert open_test(spec, log, view.fingerprint).labels.tolist() == true[:9].tolist()


def test_text_is_hashed_and_nothing_else_is_a_feature(tmp_path: Path) -> None:
    address = write(tmp_path)
    options = {"label_column": "kind", "text_column": "said", "text_features": "64"}
    view = load_view(DataSpec(address, options=options))
    assert view.input_shape == (64,) and view.notes == ()
    assert sorted(view.train.columns) == ["text_length", "word_rarity"]
    again = load_view(DataSpec(address, options=view.options))
    assert again.fingerprint == view.fingerprint and again.options == view.options
    beside = load_view(DataSpec(address, options={**options, "feature_columns": "a,hard"}))
    assert beside.input_shape == (66,)
    means = [view.train.inputs[view.train.labels == c].mean(axis=0) for c in range(3)]
    guessed = [np.argmax([row @ mean for mean in means]) for row in view.validation.inputs]
    assert np.mean(guessed == view.validation.labels) > 0.9


def test_text_is_not_standardised_and_what_stands_beside_it_is(tmp_path: Path) -> None:
    """Divided by their standard deviations, words that come once would drown all others."""
    spec = {"label_column": "kind", "text_column": "said", "text_features": 64}
    view = load_view(DataSpec(write(tmp_path), options={**spec, "feature_columns": "a"}))
    words, a = view.train.inputs[:, :64], view.train.inputs[:, 64]
    np.testing.assert_allclose(np.square(words).sum(axis=1), 16, rtol=1e-5)
    assert (view.mean[0, :64] == 0).all() and (view.scale[0, :64] == 1).all()
    assert view.mean[0, 64] != 0 and abs(a.mean()) < 1e-6 and a.std() == pytest.approx(1.0)
    assert view.kept is not None and view.kept.sum() == 64
    alone = load_view(DataSpec(write(tmp_path), options=spec))
    assert (alone.mean == 0).all() and (alone.scale == 1).all()
    test = open_test(DataSpec(write(tmp_path), options=spec), Log(), alone.fingerprint)
    np.testing.assert_allclose(np.square(test.inputs).sum(axis=1), 16, rtol=1e-5)


class Log:
    """Counts openings."""

    def record_opening(self, fingerprint: str) -> int:
        return 1


def test_more_text_than_memory_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 100, "SC_PAGE_SIZE": 4096}.__getitem__)
    with pytest.raises(InputError, match=r"60 texts of 4,096 features.*text_features=426 at most"):
        load_view(
            DataSpec(write(tmp_path), options={"label_column": "kind", "text_column": "said"})
        )


def test_words_are_counted_and_rare_ones_are_worth_more() -> None:
    assert words_of("My top-up isn't there,  is it?!") == [
        "my",
        "top-up",
        "isn't",
        "there",
        "is",
        "it",
    ]
    texts = ["the cat", "the the dog", ""]
    assert lengths(texts).tolist() == [2.0, 3.0, 0.0]
    # Platanios et al., NAACL 2019, eq. 3. Five words: the 3/5, cat 1/5, dog 1/5.
    # -ln 0.6 = 0.510826, -ln 0.2 = 1.609438; 2.120264 and 2 * 0.510826 + 1.609438 = 2.631089.
    np.testing.assert_allclose(rarities(texts), [2.120264, 2.631089, 0.0], rtol=1e-6)


def test_the_frequencies_of_words_are_those_of_the_training_part(tmp_path: Path) -> None:
    address = write(tmp_path)
    options = {"label_column": "kind", "text_column": "said", "feature_columns": "a"}
    view = load_view(DataSpec(address, options=options))
    # The column after those of the text tells which row an example is.
    a = view.train.inputs[:, -1] * view.scale[0, -1] + view.mean[0, -1]
    rows = np.abs(a - A[:, None]).argmin(axis=0)
    texts = [TEXTS[row] for row in rows]
    np.testing.assert_array_equal(view.train.columns["text_length"], lengths(texts))
    np.testing.assert_array_equal(view.train.columns["word_rarity"], rarities(texts))
    assert not np.allclose(view.train.columns["word_rarity"], rarities(TEXTS)[rows])


def test_other_texts_get_the_same_features(tmp_path: Path) -> None:
    options = {"label_column": "kind", "text_column": "said", "text_features": 64}
    first = DataSpec(write(tmp_path), options=options)
    view = load_view(first)
    found_on = DataSpec(first.source, options=view.options)
    (tmp_path / "b").mkdir()
    other = write(tmp_path / "b", "o.parquet", said=list(reversed(TEXTS)), hard=None, people=None)
    carried = carried_over(found_on, {}, other)
    assert (carried["text_column"], carried["text_features"]) == ("said", 64)
    read = load_view(DataSpec(other, options=carried))
    assert read.input_shape == view.input_shape and read.classes == view.classes

    def raw(found: DataView) -> np.ndarray:
        values = found.train.inputs * found.scale + found.mean
        return np.unique(values.round(4), axis=0)

    every = np.concatenate([raw(view), raw(read)])
    assert len(np.unique(every, axis=0)) < len(every), "the same text is the same row in both"


def test_noisy_labels_are_not_asked_of_other_data_but_difficulties_are(tmp_path: Path) -> None:
    view = load_view(DataSpec(write(tmp_path), "column:people", options=OPTIONS))
    before = DataSpec(str(tmp_path / "t.csv"), "column:people", options=view.options)
    carried = carried_over(before, {}, str(tmp_path / "other.csv"))
    assert "noisy_label_column" not in carried and carried["difficulty_column"] == "hard"
    # To name the difficulty anew leaves label and features as they were.
    renamed = carried_over(before, {"difficulty_column": "d"}, str(tmp_path / "other.csv"))
    assert renamed == {**carried, "difficulty_column": "d"}


def test_everything_together(tmp_path: Path) -> None:
    spec = DataSpec(
        write(tmp_path),
        "column:people",
        options={"label_column": "kind", "text_column": "said", "difficulty_column": "hard"},
        imbalance="step:3",
        clean=6,
        clean_validation=True,
    )
    view = load_view(spec)
    assert len(view.train) == 12 + 12 + 4
    columns = view.train.columns
    assert sorted(columns) == ["clean", "difficulty", "text_length", "word_rarity"]
    assert {len(column) for column in columns.values()} == {28}
    assert columns["clean"].sum() == 6 and len(view.conditions) == 3

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, carried_over, load_view, open_test

RNG = np.random.default_rng(0)
A = RNG.normal(size=40).round(6)
ROWS = [f"{a},{-a},{'dog' if i % 2 else 'cat'}" for i, a in enumerate(A)]
PLAIN = "\n".join(["first,second,species", *ROWS]) + "\n"

OF_THE_FILE = ("separator", "header")

Load = Callable[..., DataView]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a file and loads it."""

    def write_and_load(content: str | bytes, name: str = "pets.csv", **options: Any) -> DataView:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return load_view(DataSpec(str(tmp_path / name), options=options))

    return write_and_load


def test_columns_are_guessed_and_said(load: Load) -> None:
    view = load(PLAIN)
    assert view.classes == ("cat", "dog")
    assert view.input_shape == (2,)
    assert "label column: 'species' (guessed: the last column" in view.notes[0]
    assert "feature columns: first, second" in view.notes[1]
    by_name = load(PLAIN.replace("first,second,species", "first,second,Label"))
    assert "guessed: by its name" in by_name.notes[0]


def test_what_was_guessed_is_recorded_and_gives_the_same_data(load: Load, log: Any) -> None:
    text = PLAIN.replace("-", "").replace("first", "id")
    view = load(text)
    again = load(text, **view.options)
    assert view.options["label_column"] == "species"
    assert view.options["feature_columns"] == ["id", "second"]
    assert view.options["classes"] == ["cat", "dog"]
    assert again.fingerprint == view.fingerprint
    assert again.options == view.options
    assert again.notes == ()


def test_columns_that_are_named(load: Load) -> None:
    view = load(PLAIN, label_column="species", feature_columns="second")
    assert view.input_shape == (1,)
    assert view.notes == ()
    dropped = load(PLAIN, label_column="species", drop_columns=["first"])
    np.testing.assert_array_equal(dropped.train.inputs, view.train.inputs)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (PLAIN.replace(",", ";"), {}),
        (PLAIN.replace(",", "\t"), {}),
        (PLAIN.replace(",", "|"), {}),
        (PLAIN.replace(",", " "), {"separator": "space"}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (b"\xef\xbb\xbf" + PLAIN.encode(), {}),
        (PLAIN.encode("utf-16"), {}),
        (PLAIN.encode("utf-32"), {"encoding": "utf-32"}),
        (PLAIN.replace(",", ";").replace(".", ","), {"decimal": ","}),
        (PLAIN.replace("species", '"species"').replace("cat", '"cat"'), {}),
        ("\n".join(f"{n - 1 if n else ''},{r}" for n, r in enumerate(PLAIN.split("\n")[:-1])), {}),
    ],
)
def test_ways_of_writing_the_same_table(
    load: Load, content: str | bytes, options: dict[str, str]
) -> None:
    plain, other = load(PLAIN), load(content, **options)
    assert other.fingerprint == plain.fingerprint
    assert other.options["feature_columns"] == ["first", "second"]


def test_a_zipped_file_and_one_without_a_header(load: Load) -> None:
    plain = load(PLAIN)
    zipped = load(gzip.compress(PLAIN.encode()), "pets.csv.gz")
    headerless = load("\n".join(ROWS))
    assert zipped.fingerprint == headerless.fingerprint == plain.fingerprint
    assert headerless.options["label_column"] == "column_2"
    assert any("no header" in note for note in headerless.notes)


def test_few_words_are_one_hot_and_say_so(load: Load) -> None:
    colours = [("red", "green", "blue")[i % 3] for i in range(40)]
    view = load(
        "\n".join(
            [
                "a,colour,y",
                *(f"{a},{c},{i % 2}" for i, (a, c) in enumerate(zip(A, colours, strict=True))),
            ]
        )
    )
    assert view.input_shape == (4,)
    assert any("'colour': text, one-hot: blue, green, red" in note for note in view.notes)
    assert view.options["categories"] == {"colour": ["blue", "green", "red"]}
    # One of three in each row: standardising is undone by mean and scale.
    raw = view.train.inputs * view.scale + view.mean
    np.testing.assert_allclose(raw[:, 1:].sum(axis=1), 1.0, atol=1e-6)


def test_missing_numbers_become_the_training_mean(load: Load, log: Any, tmp_path: Path) -> None:
    lines = [f"{'' if i % 5 == 0 else a},{i % 2}" for i, a in enumerate(A)]
    view = load("\n".join(["a,y", *lines]), missing="mean")
    # The mean is what standardising takes away.
    shares = [
        np.isclose(part.inputs[:, 0], 0.0, atol=1e-6).sum()
        for part in (view.train, view.validation)
    ]
    test = open_test(
        DataSpec(str(tmp_path / "pets.csv"), options=view.options), log, view.fingerprint
    )
    shares.append(np.isclose(test.inputs[:, 0], 0.0, atol=1e-6).sum())
    assert sum(shares) == 8
    present = [a for i, a in enumerate(A) if i % 5]
    assert min(present) < view.mean[0, 0] < max(present)


def test_free_text_can_be_hashed(load: Load) -> None:
    words = ["money back refund", "lost card pin"]
    text = "\n".join(["text,category", *(f"{words[i % 2]} case{i},c{i % 2}" for i in range(60))])
    view = load(text, text="hash", text_features=1024)
    assert view.input_shape == (1024,)
    assert any("free text, hashed" in note for note in view.notes)
    means = [view.train.inputs[view.train.labels == c].mean(axis=0) for c in (0, 1)]
    guessed = [np.argmax([row @ mean for mean in means]) for row in view.validation.inputs]
    assert np.mean(guessed == view.validation.labels) > 0.9


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", {}, ["empty"]),
        ("a,label\n", {}, ["empty", "a, label"]),
        ("label\na\nb\n", {}, ["one column only", "separator"]),
        (PLAIN, {"separator": ";"}, ["separator ';'", "one column only"]),
        (PLAIN, {"separator": "::"}, ["separator", "'::'", "semicolon"]),
        (PLAIN, {"encoding": "klingon"}, ["encoding", "'klingon'"]),
        (PLAIN, {"header": "maybe"}, ["header", "'maybe'", "auto, no, yes"]),
        (PLAIN.encode("utf-16")[2:], {}, ["zero bytes"]),
        (PLAIN.replace("species", "größe").encode("latin-1"), {}, ["line 1", "encoding=latin-1"]),
        (PLAIN.replace("second", "first"), {}, ["several columns", "'first'"]),
        (PLAIN + "1,2,3,cat\n", {}, ["Expected 3 columns, got 4"]),
        (PLAIN + "1,2,\n", {}, ["'species' (guessed", "1 labels are missing", "row 40"]),
        (PLAIN + ",2,cat\n", {}, ["'first'", "1 of 41", "row 40", "missing=mean"]),
        (PLAIN + "1,2,cow\n", {}, ["class 'cow' has 1 examples"]),
        (PLAIN.replace("dog", "cat"), {}, ["every label is 'cat'"]),
        (PLAIN, {"label_column": "specis"}, ["'specis'", "Did you mean 'species'?", "first, se"]),
        (PLAIN, {"feature_columns": "a"}, ["no column 'a' for --feature-columns"]),
        (PLAIN, {"drop_columns": "frst"}, ["'frst'", "--drop-columns", "'first'?"]),
        (PLAIN, {"drop_columns": "first,second"}, ["at least one feature"]),
        (PLAIN, {"feature_columns": "first,first"}, ["'first' is named twice"]),
        (PLAIN, {"feature_columns": "species", "label_column": "species"}, ["is the label"]),
        (PLAIN, {"feature_columns": 3}, ["--feature-columns", "3"]),
        (PLAIN, {"missing": "zero"}, ["missing", "'zero'", "mean, refuse"]),
        (PLAIN, {"classes": ["cat", "cow"]}, ["class 'dog'", "cat, cow"]),
        (PLAIN.replace("dog", "cat"), {"classes": ["cat", "dog"]}, ["every label is 'cat'"]),
        (PLAIN, {"image_size": 8}, ["--image-size is nothing for data", "--label-column"]),
        (PLAIN, {"seperator": ";"}, ["'seperator'", "Did you mean 'separator'?"]),
        (PLAIN.replace(",", ";").replace(".", ","), {}, ["numbers with a comma?", "decimal=,"]),
        (
            "\n".join(["text,y", *(f"some words {i},{i % 2}" for i in range(40))]),
            {},
            ["'text'", "40 different values", "'some words 0'", "--drop-columns", "text=hash"],
        ),
        (
            "\n".join(["when,y", *(f"2020-01-{i % 28 + 1:02d},{i % 2}" for i in range(40))]),
            {},
            ["'when'", "dates or times", "--drop-columns"],
        ),
    ],
)
def test_what_is_wrong_is_named(
    load: Load, content: str | bytes, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        load(content, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_other_data_is_read_the_same_way(load: Load) -> None:
    view = load(PLAIN.replace(",", ";"), "before.csv", separator=";", missing="mean")
    before = DataSpec("before.csv", options=view.options)
    carried = carried_over(before, {}, "after.parquet")
    assert carried == {key: view.options[key] for key in view.options if key not in OF_THE_FILE}
    anew = carried_over(before, {"label_column": "first"}, "after.csv")
    assert anew == {"label_column": "first", "missing": "mean", "text": "refuse"}
    assert carried_over(before, {}, "digits") == {}
    assert carried_over(None, {"missing": "mean"}, "after.csv") == {"missing": "mean"}


def test_a_column_that_counts_the_rows_is_spoken_of(load: Load) -> None:
    text = "\n".join(["id,a,y", *(f"{i + 7},{a},{i % 2}" for i, a in enumerate(A))])
    assert any("'id' only counts the rows" in note for note in load(text).notes)
    assert not any("counts" in note for note in load(text, drop_columns="id").notes)

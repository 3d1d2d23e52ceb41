"""A guess about a file loses nothing without a word, and what the user says comes first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.data import DataSpec, DataView, load_view
from trainables.data.options import names
from trainables.data.tables.table_options import require_names
from trainables.data.tables.written import Written, is_number

RNG = np.random.default_rng(0)
A = RNG.normal(size=60).round(3)
Load = Callable[..., DataView]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes lines and loads them."""

    def write_and_load(lines: Sequence[str], **options: Any) -> DataView:
        (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return load_view(DataSpec(str(tmp_path / "t.csv"), options=options))

    return write_and_load


def table(cells: Sequence[str], header: str = "a,label", before: bool = False) -> list[str]:
    """A column of random numbers and one of the cells, repeated, as labels or before labels."""
    every = [cells[i % len(cells)] for i in range(60)]
    if before:
        return [
            "a,b,label",
            *(
                f"{a},{c},{'xy'[i // 7 % 2]}"
                for i, (a, c) in enumerate(zip(A, every, strict=True))
            ),
        ]
    return [header, *(f"{a},{c}" for a, c in zip(A, every, strict=True))]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["0", "1"], ("0", "1")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        ([" 1", "2"], ("1", "2")),
        (["001", "002", "010"], ("001", "002", "010")),
        (["01", "1", "2"], ("01", "1", "2")),
        (["1E2", "100"], ("100", "1E2")),
        (["+1", "1"], ("+1", "1")),
        (["1.0", "1"], ("1", "1.0")),
        (["-0", "0"], ("-0", "0")),
        (["18446744073709551617", "18446744073709551618"],) * 2,
        (["9007199254740993", "9007199254740992"], ("9007199254740992", "9007199254740993")),
        (["true", "True"], ("True", "true")),
        (['"NA"', "EU"], ("EU", "NA")),
        (['"null"', '"nan"', "x"], ("nan", "null", "x")),
        (["2020-01-01", "2020-01-02"], ("2020-01-01", "2020-01-02")),
        (["0x1", "1"], ("0x1", "1")),
        (["1_0", "10"], ("10", "1_0")),
    ],
)
def test_no_two_classes_are_taken_for_one(load: Load, cells: list[str], classes: Any) -> None:
    view = load(table(cells))
    assert view.classes == tuple(classes)
    again = load(table(cells), **view.options)
    assert again.fingerprint == view.fingerprint and again.classes == view.classes


@pytest.mark.parametrize(
    ("cells", "categories"),
    [
        (["01", "02", "10"], ["01", "02", "10"]),
        (["01", "1"], ["01", "1"]),
        (["1E2", "100", "3"], ["100", "1E2", "3"]),
        (["90071992547409931", "90071992547409932"],) * 2,
        (['"NA"', "EU"], ["EU", "NA"]),
        (["1", "2A"], ["1", "2A"]),
        (["yes", "no"], ["no", "yes"]),
        (['""', "x"], ["", "x"]),
    ],
)
def test_codes_are_categories(load: Load, cells: list[str], categories: list[str]) -> None:
    view = load(table(cells, before=True))
    assert view.options["categories"] == {"b": categories}
    assert any("column 'b': text, one-hot" in note for note in view.notes)
    assert load(table(cells, before=True), **view.options).fingerprint == view.fingerprint


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2"], [1, 2]),
        (["1e-5", "2.5E+1", ".5", "5.", "+3", "-0.25"], [1e-5, 2.5e1, 0.5, 5, 3, -0.25]),
        ([" 1.5", "2 "], [1.5, 2]),
        (['"1"', '"2"'], [1, 2]),
        (["0.5", "00.25"], [0.5, 0.25]),
        (["true", "False"], [1, 0]),
        (['"1,234.5"', '"1,000"', "7"], [1234.5, 1000, 7]),
    ],
)
def test_numbers_are_numbers(load: Load, cells: list[str], values: list[float]) -> None:
    view = load(table(cells, before=True))
    assert view.input_shape == (2,)
    found = view.train.inputs[:, 1] * view.scale[0, 1] + view.mean[0, 1]
    assert set(np.unique(found.round(3))) == set(np.float32(values).round(3))


@example("1_0")
@example("١٢")
@example("nan")
@given(
    st.from_regex(r"[-+]?[0-9.,eE]{1,8}", fullmatch=True)
    | st.text(max_size=5)
    | st.floats().map(str)
)
def test_a_number_is_what_everybody_reads_as_the_same(cell: str) -> None:
    import pyarrow

    if not is_number(cell) or "," in cell:
        return
    assert cell.isascii()
    column = pyarrow.chunked_array([[cell, "0.5"]], pyarrow.string())
    found = Written().numbers([column], ["here"])[0].to_pylist()[0]
    assert found == float(cell) or (math.isinf(found) and math.isinf(float(cell)))


def test_codes_that_are_many_are_refused_and_can_be_said_to_be_numbers(load: Load) -> None:
    cells = [f"{i:05d}" for i in range(60)]
    with pytest.raises(InputError) as caught:
        load(table(cells, before=True), text="hash")
    message = str(caught.value)
    assert "'00000' is written as a code is" in message and "text=hash" not in message
    assert "--data-option number_columns=b" in message
    view = load(table(cells, before=True), number_columns="b")
    assert view.input_shape == (2,) and view.options["number_columns"] == ["b"]
    assert load(table(cells, before=True), **view.options).fingerprint == view.fingerprint
    with pytest.raises(InputError, match=r"column 'b': expected numbers, got '3x' in row 1"):
        load(table(["1", "3x"], before=True), number_columns="b")


@pytest.mark.parametrize("mark", ["?", "-", "missing", "n.a."])
def test_a_mark_between_numbers_is_no_category(load: Load, mark: str) -> None:
    cells = [mark if i % 9 == 4 else str(a) for i, a in enumerate(A)]
    for options in ({}, {"text": "hash"}):
        with pytest.raises(InputError) as caught:
            load(table(cells, before=True), missing="mean", **options)
        assert f"all of it numbers but for '{mark}'" in str(caught.value)
        assert "--data-option missing_values=" in str(caught.value)
        assert "text=hash" not in str(caught.value)
    view = load(table(cells, before=True), missing="mean", missing_values=mark)
    assert view.input_shape == (2,) and not any("counts as missing" in note for note in view.notes)
    few = table(["1", "2", "3", mark], before=True)
    if mark.isalnum() or mark == "n.a.":
        assert load(few).input_shape == (5,)
    else:
        with pytest.raises(InputError, match="all of it numbers but for"):
            load(few)


def test_the_user_says_what_is_missing(load: Load) -> None:
    cells = ["NA", "EU", "AS"]
    with pytest.raises(
        InputError, match=r"20 labels are missing.*'NA' is a value.*missing_values="
    ):
        load(table(cells))
    assert load(table(cells), missing_values="").classes == ("AS", "EU", "NA")
    assert load(table(cells), missing_values="?,-").classes == ("AS", "EU", "NA")
    assert load(table(["?", "EU", "AS"])).classes == ("?", "AS", "EU")
    with pytest.raises(InputError, match="20 labels are missing"):
        load(table(["?", "EU", "AS"]), missing_values="?")
    view = load(table(cells, before=True), missing="mean")
    assert any("'NA' counts as missing, in 20 cells" in note for note in view.notes)
    assert load(table(cells, before=True), missing_values=["-", "?"]).input_shape == (4,)
    with pytest.raises(InputError, match="missing_values: got 3"):
        load(table(cells), missing_values=3)
    # A blank beside a mark is no part of it, as in files of UCI.
    blanks = [f"{a}, {c}" for a, c in zip(A, ["?", "x", "y"] * 20, strict=True)]
    with pytest.raises(InputError, match="20 labels are missing"):
        load(["a,label", *blanks], missing_values="?")


def test_a_quoted_mark_among_numbers_stands_for_nothing(load: Load) -> None:
    cells = ['"NA"' if i % 9 == 4 else '""' if i % 9 == 5 else f'"{a}"' for i, a in enumerate(A)]
    with pytest.raises(InputError, match=r"column 'b': 14 of 60 values are missing"):
        load(table(cells, before=True))
    assert load(table(cells, before=True), missing="mean").input_shape == (2,)


def semicolons(lines: Sequence[str]) -> list[str]:
    return [line.replace(",", ";").replace(".", ",") for line in lines]


def test_of_separators_that_fit_alike_the_one_wins_whose_cells_are_numbers(load: Load) -> None:
    cells = [f"{a:.1f},{b:.1f},{i % 2}" for i, (a, b) in enumerate(zip(A, A[::-1], strict=True))]
    plain = load(cells)
    german = load(semicolons(cells), decimal=",")
    assert german.fingerprint == plain.fingerprint
    with pytest.raises(InputError, match=r"numbers with a comma\? Then --data-option decimal=,$"):
        load(semicolons(cells))
    header = ["Height, cm;Weight, kg;label", *semicolons(cells)]
    assert load(header, decimal=",").options["feature_columns"] == ["Height, cm", "Weight, kg"]
    lists = [f"{i % 2}|x|y,{a},{i % 2}" for i, a in enumerate(A)]
    assert load(lists).input_shape == (3,)


def test_thousands_and_a_decimal_comma(load: Load) -> None:
    lines = [
        f"{'AB'[i % 2]};{i},{i * 7919 % 1000:03d}.5".replace(",", "_")
        .replace(".", ",")
        .replace("_", ".")
        for i in range(1, 60)
    ]
    view = load(lines, decimal=",", label_column="column_0")
    found = view.train.inputs[:, 0] * view.scale[0, 0] + view.mean[0, 0]
    assert 1000 < found.min() and found.max() < 60000 and view.classes == ("A", "B")
    for options in ({}, {"decimal": ","}):
        with pytest.raises(
            InputError, match=r"59 different numbers.*classification is what there is"
        ):
            load(lines, **options)


def test_a_comma_in_quotes_keeps_its_separator(load: Load) -> None:
    cells = [f'"{a}"'.replace(".", ",") for a in A]
    with pytest.raises(InputError) as caught:
        load(table(cells, before=True))
    assert "--data-option decimal=, --data-option separator=comma" in str(caught.value)
    lines = [
        line.replace(f"{a},", f'"{str(a).replace(".", ",")}",', 1)
        for line, a in zip(table(cells, before=True)[1:], A, strict=True)
    ]
    view = load(["a,b,label", *lines], decimal=",", separator="comma")
    assert view.input_shape == (2,)


def test_few_numbers_with_a_comma_get_the_hint_too(load: Load) -> None:
    lines = ["amount;label", *(f"{i % 6},50;{'xy'[i % 2]}" for i in range(60))]
    with pytest.raises(InputError, match=r"6 different values.*decimal=,"):
        load(lines)
    assert load(lines, decimal=",").input_shape == (1,)


@pytest.mark.parametrize(
    "cells",
    [
        [f"2020-01-{i % 28 + 1:02d}" for i in range(60)],
        [f"{i % 28 + 1:02d}.01.2020" for i in range(60)],
        ["1/2/2020", "3/4/2021"],
        [f"2020-01-01T10:{i:02d}:00" for i in range(60)],
        ["10:30", "11:45", "9:05 pm"],
        ["2024-01", "2024-02"],
        ["Jan 2024", "February 2024"],
        ["1 May 2024", "2-Jun-24", "Sept 3 2024"],
    ],
)
@pytest.mark.parametrize("options", [{}, {"text": "hash"}])
def test_dates_are_refused(load: Load, cells: list[str], options: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"column 'b'.*dates or times.*--drop-columns"):
        load(table(cells, before=True), **options)


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("year,1990,1991", ["year", "1990"]),
        ("a,b,c", ["a", "b"]),
        ("0.1,0.2,1", ["column_0", "column_1"]),
        ("?,0.2,1", ["column_0", "column_1"]),
    ],
)
def test_a_first_line_is_a_header_where_a_word_stands_above_numbers(
    load: Load, first: str, names: list[str]
) -> None:
    lines = [first, *(f"{a},{-a},{i % 2}" for i, a in enumerate(A))]
    view = load(lines, missing_values="?", missing="mean")
    assert view.options["feature_columns"] == names


def test_words_that_are_values_further_down_are_no_header(load: Load) -> None:
    lines = [f"{'px'[i // 3 % 2]},{'sty'[i % 3]},{'ef'[i % 2]}" for i in range(60)]
    view = load(lines)
    assert view.options["label_column"] == "column_2"
    assert len(view.train) + len(view.validation) == 48, "no line is lost"
    assert any("no header" in note for note in view.notes)
    assert load(lines, header="yes").options["label_column"] == "e"
    assert load(lines, **view.options).fingerprint == view.fingerprint


def numbered(name: str, order: np.ndarray) -> list[str]:
    return [
        f"{name},a,label",
        *(f"{i},{a},{'xy'[k % 2]}" for k, (i, a) in enumerate(zip(order, A, strict=True))),
    ]


@pytest.mark.parametrize("name", ["", '""', "Unnamed: 0"])
@pytest.mark.parametrize("order", [np.arange(60), RNG.permutation(60), RNG.permutation(900)[:60]])
def test_a_nameless_row_index_is_left_out(load: Load, name: str, order: np.ndarray) -> None:
    view = load(numbered(name, order))
    assert view.options["feature_columns"] == ["a"]
    assert any("row index" in note and "left out" in note for note in view.notes)
    assert load(numbered(name, order), **view.options).fingerprint == view.fingerprint


def test_a_nameless_column_of_something_else_gets_a_name(load: Load) -> None:
    repeated = np.arange(60) // 2
    view = load(numbered("", repeated))
    assert view.options["feature_columns"] == ["column_0", "a"]
    assert any("column 1 has no name and is called 'column_0'" in note for note in view.notes)
    dropped = load(numbered("", repeated), drop_columns="column_0")
    assert dropped.options["feature_columns"] == ["a"]
    kept = load(numbered("Unnamed: 0", np.arange(60)), feature_columns="Unnamed: 0,a")
    assert kept.input_shape == (2,), "it was asked for"
    lines = [f"{line}," for line in table(["x", "y"])]
    trailing = load(lines)
    assert trailing.options["label_column"] == "label"
    assert any("without a name and without a value" in note for note in trailing.notes)


@pytest.mark.parametrize("name", ["id", "ID", "index", "customer_id", "rowNumber", "passengerId"])
def test_an_identifier_is_spoken_of(load: Load, name: str) -> None:
    spoken = [
        note
        for note in load(numbered(name, RNG.permutation(900)[:60])).notes
        if f"'{name}'" in note
    ]
    assert any("names the rows" in note for note in spoken)
    assert any(f"--drop-columns '{name}'" in note for note in spoken)
    shuffled = load(numbered(name, RNG.permutation(60))).notes
    assert any(f"column '{name}'" in note and "leaves it out" in note for note in shuffled)
    assert not any(
        "leaves it out" in note for note in load(numbered("size", RNG.permutation(900)[:60])).notes
    )


def test_known_types_hold_for_other_data(load: Load) -> None:
    first = [
        "dep,flag,n,w,label",
        *(
            f"{['01', '02', '2A'][i % 3]},{['True', 'False', 'unknown'][i % 3]},{i % 9},"
            f"{['a b', 'c d'][i % 2]} {i},{['001', '002', 'A01'][i % 3]}"
            for i in range(60)
        ),
    ]
    other = [
        "dep,flag,n,w,label",
        *(
            f"{['01', '02'][i % 2]},{['True', 'False'][i % 2]},0{i % 9},7,{['001', '002'][i % 2]}"
            for i in range(60)
        ),
    ]
    known = load(first, text="hash", text_features=16)
    read = load(other, **known.options)
    assert read.input_shape == known.input_shape and read.classes == known.classes
    assert known.options["hashed_columns"] == ["w"]
    wrong = [line.replace(",04,", ",four,") for line in other]
    with pytest.raises(InputError, match=r"column 'n': expected numbers, got 'four' in row 4"):
        load(wrong, **known.options)


def test_each_of_many_names_takes_no_longer() -> None:
    many = [f"g{i}" for i in range(60_000)]
    start = time.process_time()
    assert names("--feature-columns", many) == tuple(many)
    require_names(many, many, "here")
    with pytest.raises(InputError, match=r"'g7' is named twice"):
        names("--feature-columns", [*many, "g7"])
    assert time.process_time() - start < 5


def test_a_wide_table_is_read_with_its_options(load: Load) -> None:
    cells = np.char.mod("%.3f", RNG.normal(size=(20, 3000)))
    lines = [",".join([*(f"g{i}" for i in range(3000)), "label"])]
    lines += [",".join([*row, str(i % 2)]) for i, row in enumerate(cells)]
    start = time.process_time()
    view = load(lines)
    assert load(lines, **view.options).fingerprint == view.fingerprint
    assert view.input_shape == (3000,) and time.process_time() - start < 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("naïve", ["latin-1"]),
        ("yes\u2026", ["cp1252"]),
    ],
)
def test_the_encoding_that_is_advised_reads_the_text(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "t.csv"
    lines = [
        "a,b,label",
        *(f"{a},{[text, 'no'][i % 2]},{'xy'[i // 2 % 2]}" for i, a in enumerate(A)),
    ]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(str(path)))
    advised = str(caught.value).rpartition("encoding=")[2].rstrip(".")
    assert advised == words[0]
    view = load_view(DataSpec(str(path), options={"encoding": advised}))
    assert view.options["categories"]["b"] == sorted([text, "no"])
    said = load_view(DataSpec(str(path), options={"encoding": "latin-1"})).notes
    assert any("control characters" in note and "cp1252" in note for note in said) == (
        advised == "cp1252"
    )


def test_no_encoding_is_advised_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("\n".join(["a,b", *(f"{a},{'はい'}" for a in A)]).encode("shift_jis"))
    with pytest.raises(InputError, match="neither latin-1 nor cp1252"):
        load_view(DataSpec(str(path)))


@pytest.mark.parametrize("name", ["hex", "zlib", "undefined", "rot13", "unicode_escape"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text("a,label\n\\ud800,1\n" * 10)
    with pytest.raises(InputError):
        load_view(DataSpec(str(tmp_path / "t.csv"), options={"encoding": name}))


def test_more_marks_than_the_reader_bears_are_refused(load: Load) -> None:
    with pytest.raises(InputError, match=r"missing_values: 60,000 texts.*too many"):
        load(table(["x", "y"]), missing_values=[f"mark {i}" for i in range(60_000)])
    many = [f"{'m' * 15}{i:04d}" for i in range(105)]
    assert load(table(["x", "y"]), missing_values=many).classes == ("x", "y")


@pytest.mark.parametrize(
    ("first", "columns"),
    [
        ("0,1,2,3", ["0", "1", "2"]),
        (",0,1,2", ["0", "1"]),
        ("2019,2020,2021,class", ["2019", "2020", "2021"]),
    ],
)
def test_names_that_only_count_are_a_header(load: Load, first: str, columns: list[str]) -> None:
    rows = [f"{i},{A[i]},{A[-i]},{'ab'[i % 2]}" for i in range(60)]
    view = load([first, *rows])
    assert view.options["header"] == "yes"
    assert view.options["feature_columns"] == columns
    assert len(view.train) + len(view.validation) == 48
    assert any("the first line, though it has numbers" in each for each in view.notes)
    assert load([first, *rows], **view.options).fingerprint == view.fingerprint
    with pytest.raises(InputError):
        load([first, *rows], header="no")


def test_values_that_happen_to_count_are_no_header(load: Load) -> None:
    rows = [f"{i % 3},{(i + 1) % 3},{i % 5}" for i in range(60)]
    view = load(["0,1,2", *rows])
    assert view.options["header"] == "no"
    rows = [f"{i},{i + 1},{i + 2}" for i in range(60)]
    with pytest.raises(InputError, match="Regression"):
        load(["7,8,9", *rows])


def test_a_first_line_without_a_name_for_row_names(load: Load) -> None:
    rows = [f'"{i + 1}",{A[i]},"{"ab"[i % 2]}"' for i in range(60)]
    view = load(['"x","y"', *rows])  # as write.table of R has it
    assert view.options["feature_columns"] == ["x"] and view.options["label_column"] == "y"
    assert any("a cell less than all others" in each for each in view.notes)
    assert load(['"x","y"', *rows], **view.options).fingerprint == view.fingerprint
    named = load(['"","x","y"', *rows])
    assert named.fingerprint == view.fingerprint


@pytest.mark.parametrize("end", [",", ",,"])
def test_a_separator_at_the_end_moves_no_name(load: Load, end: str) -> None:
    with pytest.raises(InputError, match="Expected 2 columns"):
        load(["x,y", *(f"{A[i]},{i % 2}{end}" for i in range(60))])


@pytest.mark.parametrize("sign", ["%", "$"])
def test_numbers_with_a_sign_are_no_prose(load: Load, sign: str) -> None:
    with pytest.raises(InputError, match=r"numbers with '[%$]'") as caught:
        load(["a,label", *(f"{i}{sign},{i % 2}" for i in range(60))])
    assert "hash" not in str(caught.value)


def test_several_numbers_in_a_cell_are_no_number_with_a_sign(load: Load) -> None:
    with pytest.raises(InputError, match="is no feature") as caught:
        load(["a,label", *(f"{i}/7,{i % 2}" for i in range(60))])
    assert "numbers with" not in str(caught.value)


@pytest.mark.parametrize("mark", ["?", "--", "unlabeled", "Unknown"])
def test_a_class_that_may_be_no_label_is_spoken_of(load: Load, mark: str) -> None:
    view = load(["a,label", *(f"{A[i]},{('x', 'y', mark)[i % 3]}" for i in range(60))])
    assert mark in view.classes
    assert any(f"may stand for no label: {mark}" in each for each in view.notes)
    view = load(["a,label", *(f"{A[i]},{('x', '😀', '+1')[i % 3]}" for i in range(60))])
    assert not any("may stand for no label" in each for each in view.notes)
    view = load(["a,label", *(f"{A[i]},{'+-'[i % 2]}" for i in range(60))])
    assert not any("may stand for no label" in each for each in view.notes)


@pytest.mark.parametrize("mark", [".", "-", "--"])
def test_a_hint_ends_with_its_option(load: Load, mark: str) -> None:
    cells = [mark if i % 7 == 0 else str(A[i]) for i in range(60)]
    lines = ["a,label", *(f"{cell},{i % 2}" for i, cell in enumerate(cells))]
    with pytest.raises(InputError) as caught:
        load(lines)
    name, _, value = str(caught.value).rpartition("--data-option ")[2].partition("=")
    assert load(lines, **{name: value, "missing": "mean"}).train.inputs.shape[1] == 1


@pytest.mark.parametrize("pair", [("yes", "Yes"), ("a", "a "), ("a b", "a  b"), ("é", "e\u0301")])
def test_classes_that_look_alike_are_spoken_of(load: Load, pair: tuple[str, str]) -> None:
    view = load(["a,label", *(f"{A[i]},{(*pair, 'other')[i % 3]}" for i in range(60))])
    assert len(view.classes) == 3
    said = [each for each in view.notes if "classes of their own" in each]
    assert len(said) == 1 and "other" not in said[0]

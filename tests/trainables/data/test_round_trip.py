"""What a source finds out about data it accepts when it is told so, whatever the data is."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from search_spaces import InputError, parse_yaml, to_yaml
from trainables.data import DataSpec, DataView, load_view

ROWS = 48
NAMES = st.one_of(
    st.sampled_from(
        ["", "", "a", "id", "Unnamed: 0", "label", "NA", "a,b", 'a"b', "x;y", " a ", "1"]
    ),
    st.sampled_from(
        ["a\nb", "ä\u2028", "\x85", "yes", "null", "1e3", "column_0", "-", "{a}", "é"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            ["01", "1", "1.0", "NA", "null", "?", "True", "false", "yes", "1E2", "100"]
        ),
        st.sampled_from(
            ["1,5", "a;b", 'q"q', "x\ny", "yes\x85", "no\u2028", " a", "a ", "é", "-", "0"]
        ),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=4),
    ).filter(lambda text: text.strip()),
    min_size=2,
    max_size=5,
    unique=True,
)


@st.composite
def columns(draw: st.DrawFn, kind: str) -> list[str]:
    """The cells of one column."""
    random = np.random.default_rng(draw(st.integers(0, 99)))
    if kind == "words":
        words = draw(WORDS)
        return [words[i % len(words)] for i in random.permutation(ROWS)]
    if kind == "index":
        return [str(number) for number in random.permutation(ROWS)]
    if kind == "codes":
        return [f"{number:03d}" for number in random.integers(1, 9, ROWS)]
    numbers = random.normal(size=ROWS).round(3)
    cells = [str(number) for number in numbers]
    if kind == "gaps":
        mark = draw(st.sampled_from(["", "NA", "?", "-"]))
        return [mark if i % 7 == 0 else cell for i, cell in enumerate(cells)]
    return cells


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Names and columns; the last is words."""
    kinds = draw(
        st.lists(
            st.sampled_from(["words", "index", "codes", "gaps", "numbers"]), min_size=1, max_size=4
        )
    )
    cells = [draw(columns(kind)) for kind in [*kinds, "words"]]
    return [draw(NAMES) for _ in cells], cells


def again(view: DataView, source: str) -> DataView:
    options = parse_yaml(to_yaml(dict(view.options)), "options")
    assert options == view.options
    return load_view(DataSpec(source, options=options))


def loaded(source: str, options: dict[str, Any]) -> DataView | None:
    """A view, if the table can be read at all."""
    try:
        return load_view(DataSpec(source, options=options))
    except InputError:  # and nothing else
        return None


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    missing=st.sampled_from([None, "?,-", "", "NA"]),
    told=st.booleans(),
)
def test_a_csv_table_is_read_again_as_it_was(
    tmp_path: Path,
    table: tuple[list[str], list[list[str]]],
    separator: str,
    quoting: Any,
    missing: str | None,
    told: bool,
) -> None:
    names, cells = table
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, quoting=quoting)
    writer.writerow(names)
    writer.writerows(zip(*cells, strict=True))
    path = tmp_path / "t.csv"
    path.write_bytes(file.getvalue().encode())
    options: dict[str, Any] = {"missing": "mean"}
    options |= {} if missing is None else {"missing_values": missing}
    options |= {"separator": separator, "header": "yes"} if told else {}
    view = loaded(str(path), options)
    if view is None:
        return
    second = again(view, str(path))
    assert second.fingerprint == view.fingerprint and second.classes == view.classes
    assert second.options == view.options
    if told and view.options["label_column"] == names[-1] and names[-1]:
        assert set(view.classes) == set(cells[-1]), "no class is merged with another, or changed"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables(), empty=st.booleans())
def test_a_parquet_table_is_read_again_as_it_was(
    tmp_path: Path, table: tuple[list[str], list[list[str]]], empty: bool
) -> None:
    names, cells = table
    if empty:
        cells[0] = ["" if i % 3 == 0 else "word" for i in range(ROWS)]
    assume(len(set(names)) == len(names))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(dict(zip(names, cells, strict=True))), path)
    view = loaded(str(path), {"missing": "mean"})
    if view is None:
        return
    second = again(view, str(path))
    assert second.fingerprint == view.fingerprint and second.options == view.options


@pytest.mark.parametrize("name", ["", "a,b", "a\nb", '"', "\u2028", "\x85", "null", "1e3", " a "])
def test_every_name_of_a_column_is_read_again(tmp_path: Path, name: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(["b", name, "label"])
    writer.writerows([i / 7, ["u", "v"][i // 3 % 2], i % 2] for i in range(ROWS))
    (tmp_path / "t.csv").write_bytes(file.getvalue().encode())
    view = load_view(DataSpec(str(tmp_path / "t.csv")))
    assert view.input_shape == (3,)
    assert again(view, str(tmp_path / "t.csv")).fingerprint == view.fingerprint

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view, open_test

Y = np.arange(40) % 2
A = np.random.default_rng(0).normal(size=40)
WriteTable = Callable[[dict[str, Any]], str]


@pytest.fixture
def write_table(tmp_path: Path) -> WriteTable:
    def write(columns: dict[str, Any]) -> str:
        path = tmp_path / "table.parquet"
        pq.write_table(pa.table(columns), path)
        return str(path)

    return write


@pytest.mark.parametrize(
    "label", ["label", "Labels", "target", "class", "y", "category", "anything at the end"]
)
def test_the_label_column_is_found(write_table: WriteTable, label: str) -> None:
    columns = {"a": A, "b": np.arange(40), label: np.where(Y, "cat", "dog")}
    if label != "anything at the end":
        columns = dict(reversed(columns.items()))
    view = load_view(DataSpec(write_table(columns)))
    assert view.classes == ("cat", "dog")
    assert view.input_shape == (2,)
    assert view.name == "table.parquet"


def test_coordinates_called_x_and_y_are_features_beside_a_label(write_table: WriteTable) -> None:
    view = load_view(DataSpec(write_table({"label": Y, "x": A, "y": -A})))
    assert view.input_shape == (2,)
    np.testing.assert_allclose(view.train.inputs[:, 0], -view.train.inputs[:, 1], atol=1e-6)


def test_a_round_trip_keeps_every_example(write_table: WriteTable, log) -> None:
    spec = DataSpec(write_table({"a": np.arange(40), "b": A, "label": Y}))
    view = load_view(spec)
    parts = [view.train, view.validation, open_test(spec, log, view.fingerprint)]
    together = np.concatenate([part.inputs for part in parts]).astype(np.float64)
    order = np.argsort(together[:, 0])
    labels = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(labels[order], Y)
    assert np.corrcoef(together[order, 1], A)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(range(40), pa.int8()),
        pa.array(range(40), pa.uint64()),
        pa.array([2**60 + 2**20 * i for i in range(40)], pa.int64()),
        pa.array(range(40), pa.float32()),
        pa.array([i % 2 == 0 for i in range(40)]),
        pa.array([Decimal(i) for i in range(40)]),
    ],
)
def test_every_kind_of_number_is_a_feature(write_table: WriteTable, column: pa.Array) -> None:
    assert load_view(DataSpec(write_table({"a": column, "label": Y}))).input_shape == (1,)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([str(i) for i in Y]).dictionary_encode(),
        pa.array([str(i) for i in Y], pa.large_string()),
        pa.array([str(i) for i in Y], pa.string_view()),
        pa.array(Y, pa.uint8()),
        pa.array(Y, pa.float64()),
    ],
)
def test_every_kind_of_label(write_table: WriteTable, column: pa.Array) -> None:
    assert load_view(DataSpec(write_table({"a": A, "label": column}))).classes == ("0", "1")


ROWS = np.random.default_rng(1).normal(size=(40, 3))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.float64()), pa.list_(pa.float64(), 3)]
)
def test_a_column_of_lists_is_as_good_as_columns(write_table: WriteTable, kind: Any) -> None:
    lists = load_view(DataSpec(write_table({"v": pa.array(ROWS.tolist(), kind), "label": Y})))
    plain = load_view(DataSpec(write_table({**dict(zip("abc", ROWS.T, strict=True)), "label": Y})))
    np.testing.assert_array_equal(lists.train.inputs, plain.train.inputs)


def test_a_column_of_tensors_is_images(write_table: WriteTable) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, size=(40, 8, 9, 3), dtype=np.uint8)
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    assert load_view(DataSpec(write_table({"image": column, "label": Y}))).input_shape == (3, 8, 9)


def test_an_index_that_pandas_stored_is_not_a_feature(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": A, "label": Y}).sample(frac=1, random_state=0)
    frame.to_parquet(tmp_path / "frame.parquet")
    assert "__index_level_0__" in pq.read_schema(tmp_path / "frame.parquet").names
    view = load_view(DataSpec(str(tmp_path / "frame.parquet")))
    assert view.input_shape == (1,)


def without(values: np.ndarray, row: int) -> list[Any]:
    return [None if place == row else value for place, value in enumerate(values.tolist())]


SHORT = [*ROWS.tolist()[:6], [1.0], *ROWS.tolist()[7:]]
NAMES = [f"x{i}" for i in range(40)]
TENSOR = pa.fixed_shape_tensor(pa.float64(), [3])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": A, "name": NAMES, "label": Y}, ["column 'name'", "'x0'", "text=hash"]),
        ({"a": A, "v": ROWS.tolist(), "label": Y}, ["column 'v'", "list", "one single column"]),
        (
            {"a": without(A, 5), "label": Y},
            ["column 'a'", "1 of 40 values", "row 5", "missing=mean"],
        ),
        ({"v": SHORT, "label": Y}, ["column 'v'", "3 in row 0 and 1 in row 6"]),
        ({"v": without(ROWS, 4), "label": Y}, ["column 'v'", "row 4"]),
        (
            {"v": [without(row, 1) for row in ROWS], "label": Y},
            ["column 'v'", "40 numbers are missing"],
        ),
        ({"v": [["a"]] * 40, "label": Y}, ["column 'v'", "lists must hold numbers"]),
        ({"v": [[[1.0]]] * 40, "label": Y}, ["column 'v'", "lists must hold numbers"]),
        ({"v": [[]] * 40, "label": Y}, ["column 'v'", "lists must hold numbers"]),
        ({"a": A, "label": without(Y, 3)}, ["column 'label'", "1 labels are missing", "row 3"]),
        (
            {"a": A, "label": pa.array(["cat", None] * 20).dictionary_encode()},
            ["column 'label'", "20 labels are missing", "row 1"],
        ),
        ({"a": A, "b": A}, ["column 'b'", "whole numbers or strings"]),
        ({"a": A, "label": Y.astype("datetime64[s]")}, ["column 'label'", "timestamp"]),
        ({"label": Y}, ["at least one feature", "found: label"]),
        ({}, ["at least one feature", "found: none"]),
        ({"a": A[:0], "label": Y[:0]}, ["empty"]),
        ({"v": pa.array([], pa.list_(pa.int64())), "label": Y[:0]}, ["(v, label)", "empty"]),
        ({"v": pa.array([], TENSOR), "label": Y[:0]}, ["(v, label)", "empty"]),
    ],
)
def test_bad_tables_are_named(
    write_table: WriteTable, columns: dict[str, Any], words: list[str]
) -> None:
    path = write_table(columns)
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(path))
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in [path, *words] if word not in message] == []


def test_numbers_missing_inside_a_tensor_are_refused(write_table: WriteTable) -> None:
    storage = pa.array([without(row, 1) for row in ROWS], pa.list_(pa.float64(), 3))
    column = pa.ExtensionArray.from_storage(TENSOR, storage)
    with pytest.raises(InputError, match=r"column 'v'.*40 numbers are missing"):
        load_view(DataSpec(write_table({"v": column, "label": Y})))


def test_damaged_files_are_named(tmp_path: Path, write_table: WriteTable) -> None:
    whole = Path(write_table({"a": A, "label": Y})).read_bytes()
    for name, content in {"empty": b"", "text": b"a,b\n1,2\n", "cut": whole[:-40]}.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_view(DataSpec(str(path)))
        assert f"'{path}': cannot be read as a Parquet table" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(A), pa.array(A), pa.array(Y)], ["a", "a", "label"])
    path = tmp_path / "twice.parquet"
    pq.write_table(table, path)
    with pytest.raises(InputError, match="several columns are called 'a'"):
        load_view(DataSpec(str(path)))

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather, ipc

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view

A = np.random.default_rng(0).normal(size=40)
TABLE = pa.table({"a": A, "b": -A, "label": ["cat", "dog"] * 20})


def test_file_stream_and_feather_hold_what_parquet_holds(tmp_path: Path) -> None:
    for name, start in (("file.arrow", ipc.new_file), ("stream.arrow", ipc.new_stream)):
        with start(tmp_path / name, TABLE.schema) as writer:
            writer.write_table(TABLE)
    feather.write_feather(TABLE, tmp_path / "table.feather")
    pq.write_table(TABLE, tmp_path / "table.parquet")
    names = ("file.arrow", "stream.arrow", "table.feather", "table.parquet")
    views = [load_view(DataSpec(str(tmp_path / name))) for name in names]
    assert {view.fingerprint for view in views} == {views[0].fingerprint}
    assert views[0].classes == ("cat", "dog")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    feather.write_feather(TABLE, tmp_path / "whole.feather")
    whole = (tmp_path / "whole.feather").read_bytes()
    for name, content in {"empty": b"", "text": b"a,b\n1,2\n", "cut": whole[:-200]}.items():
        path = tmp_path / f"{name}.arrow"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_view(DataSpec(str(path)))
        assert f"'{path}': cannot be read as an Arrow table" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [[0, 10, 20], [0.5, 1.5, 2.5], [True, False]])
def test_numbers_that_are_declared_as_categories_are(tmp_path: Path, values: list[float]) -> None:
    cells = [values[i * 7 % len(values)] for i in range(40)]
    column = pa.array(cells).dictionary_encode()
    feather.write_feather(TABLE.append_column("c", column), tmp_path / "t.feather")
    path = str(tmp_path / "t.feather")
    view = load_view(DataSpec(path, options={"label_column": "label"}))
    assert view.train.inputs.shape[1] == 2 + len(values)
    assert load_view(DataSpec(path, options=view.options)).fingerprint == view.fingerprint
    options = {"label_column": "label", "number_columns": "c"}
    view = load_view(DataSpec(path, options=options))
    assert view.train.inputs.shape[1] == 3
    assert load_view(DataSpec(path, options=view.options)).fingerprint == view.fingerprint


@pytest.mark.parametrize(("digits", "places"), [(10, 0), (38, 0), (10, 2)])
def test_decimals_may_be_labels(tmp_path: Path, digits: int, places: int) -> None:
    labels = pa.array([Decimal(i % 3) for i in range(60)], pa.decimal128(digits, places))
    a = np.random.default_rng(0).normal(size=60)
    pq.write_table(pa.table({"a": a, "label": labels}), tmp_path / "t.parquet")
    view = load_view(DataSpec(str(tmp_path / "t.parquet")))
    assert view.classes == (("0.00", "1.00", "2.00") if places else ("0", "1", "2"))

"""Tables that are huge, damaged or no tables: refused in one line, and soon."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc

from search_spaces.errors import InputError
from trainables.data import DataSpec, load_view
from trainables.data.tables import unpacked as unpacked


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 * 2**30)


def bomb(path: Path) -> None:
    with gzip.open(path, "wb", 9) as file:
        for _ in range(270):
            file.write(b"1,2,x\n" * 170_000)


def zeros(rows: int) -> pa.Table:
    column = pa.array(np.zeros(rows, dtype=np.int8))
    return pa.table({"a": column, "label": column})


def arrow_bomb(path: Path) -> None:
    options = ipc.IpcWriteOptions(compression="zstd")
    table = zeros(20_000_000)
    with ipc.new_file(path, table.schema, options=options) as file:
        file.write_table(table)


def cells(name: str, columns: int) -> bytes:
    return (",".join(f"{name}{i}" for i in range(columns)) + "\n").encode()


MAKE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "many columns": ("t.csv", lambda p: write(p, cells("c", 200_000) * 3), "200,000 columns"),
    "one line": ("t.csv", lambda p: write(p, b"a" * 9_000_000), "first line is longer"),
    "one line of cells": ("t.csv", lambda p: write(p, b"1," * 9_000_000), "first line is longer"),
    "an open quote": ("t.csv", lambda p: write(p, b'a,"' + b"x" * 200_000), "first line cannot"),
    "zeros": ("t.csv", sparse, "zero bytes"),
    "packed zeros": ("t.csv.gz", lambda p: write(p, gzip.compress(bytes(10**7))), "zero bytes"),
    "utf-16": ("t.csv", lambda p: write(p, "a,label\n1,x\n".encode("utf-16-le") * 9), "utf-16-le"),
    "a bomb": ("t.csv.gz", bomb, "MiB, as hardly a table does"),
    "a cut": (
        "t.csv.gz",
        lambda p: write(p, gzip.compress(os.urandom(999))[:500]),
        "cannot be read",
    ),
    "no gzip": ("t.csv.gz", lambda p: write(p, b"a,label\n1,x\n"), "Not a gzipped file"),
    "gzip": ("t.csv", lambda p: write(p, gzip.compress(b"a,label\n")), "should end in .gz"),
    "a spreadsheet": ("t.csv", lambda p: write(p, b"PK\x03\x04 and so on"), "spreadsheet"),
    "a pipe": ("t.csv", lambda p: os.mkfifo(p), "pipe"),
    "a device": ("t.csv", lambda p: p.symlink_to("/dev/zero"), "device"),
    "a folder": ("t.csv", lambda p: p.mkdir(), "no such file"),
    "a long label": (
        "t.csv",
        lambda p: write(p, b"a,label\n1,x\n2," + b"z" * 10**7),
        "10,000,000",
    ),
    "ragged": ("t.csv", lambda p: write(p, b"a,label\n1,2\n1,2,3\n"), "Expected 2 columns, got 3"),
    "blanks": ("t.csv", lambda p: write(p, b"\n" * 10**6), "empty"),
    "parquet bomb": (
        "t.parquet",
        lambda p: pq.write_table(zeros(20_000_000), p),
        "40,000,000 cells",
    ),
    "arrow bomb": ("t.arrow", arrow_bomb, "40,000,000 cells"),
    "arrow columns": (
        "t.arrow",
        lambda p: ipc.new_file(
            p, pa.schema([(f"c{i}", pa.int8()) for i in range(100_001)])
        ).close(),
        "100,001 columns",
    ),
}


@pytest.mark.parametrize("kind", MAKE)
def test_it_is_refused_in_one_line_and_soon(tmp_path: Path, kind: str) -> None:
    name, make, said = MAKE[kind]
    make(tmp_path / name)
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        load_view(DataSpec(str(tmp_path / name)))
    assert time.process_time() - start < 20
    message = str(caught.value)
    assert said in message and "\n" not in message and len(message) < 600


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_flipped_bit_is_an_error_or_other_data(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"a": np.arange(60.0), "b": ["u", "v", "w"] * 20, "label": np.arange(60) % 2})
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, path)
    else:
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            load_view(DataSpec(str(path)))
        except InputError as error:
            assert len(str(error)) < 1000


@pytest.mark.parametrize("about", [b"[]", b"{", b'{"index_columns": 3}', b"[" * 100_000, b'"x"'])
def test_what_pandas_may_have_written_may_be_anything(tmp_path: Path, about: bytes) -> None:
    table = pa.table({"a": np.arange(60.0), "label": np.arange(60) % 2})
    table = table.replace_schema_metadata({b"pandas": about, b"huggingface": about})
    pq.write_table(table, tmp_path / "t.parquet")
    assert load_view(DataSpec(str(tmp_path / "t.parquet"))).input_shape == (1,)


def test_a_table_that_packs_well_is_read(tmp_path: Path) -> None:
    lines = "a,label\n" + "".join(f"{i % 5},{i % 2}\n" for i in range(50_000))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(lines.encode()))
    packed = (tmp_path / "t.csv.gz").stat().st_size
    assert len(lines) > unpacked._MOST_PACKED * packed, "as well as a bomb"
    assert load_view(DataSpec(str(tmp_path / "t.csv.gz"))).input_shape == (1,)

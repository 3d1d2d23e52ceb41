"""Writing and reading: each trial once, whatever is killed, damaged or written at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_cl.engine import driver, execution
from automl_cl.history.reading import read_history
from automl_cl.history.record import Record
from automl_cl.history.schema import VERSION_KEY, arrow_schema
from automl_cl.run.events import Event, plain
from automl_cl.run.trial_table import replayed
from automl_cl.spec.preparation import Prepared
from search_spaces import InputError

Remember = Callable[..., Path | None]


def read(folder: Path) -> list[Record]:
    """All of a history that has nothing wrong with it."""
    warnings: list[str] = []
    found = read_history(folder, warnings.append)
    assert warnings == []
    return found


def test_every_finished_trial_but_the_verdicts(
    remember: Remember, history: Path, events: list[Event], prepared: Prepared
) -> None:
    path = remember()
    assert path is not None
    assert pq.read_schema(path).equals(arrow_schema(), check_metadata=True)
    kept = [trial for trial in replayed(events).trials if trial.stage != "verdict"]
    records = read(history)
    assert [each.number for each in records] == [trial.number for trial in kept]
    assert {each.stage for each in records} == {"search", "confirm"}
    for record, trial in zip(records, kept, strict=True):
        assert (record.algorithm, record.value, record.seed) == (
            trial.arm,
            trial.value,
            trial.seed,
        )
        assert (record.config, record.point) == (trial.config, trial.point)
        assert [rung[:2] for rung in record.rungs] == [(r.level, r.value) for r in trial.rungs]
        assert record.compute == trial.compute > 0
        assert (record.origin, record.source) == (trial.origin, trial.source)
    one = records[0]
    assert (one.scenario, one.metric, one.mode) == ("curriculum", "accuracy", "max")
    assert one.fingerprint == prepared.view.fingerprint
    assert one.cap == 2.0
    assert len(one.sample) == len(set(one.sample)) == 96  # the test is the other 24
    assert one.versions == {"torch": "2.13.0"}
    assert {k: one.features[k] for k in ("examples", "classes", "dimensions", "noise_rate")} == {
        "examples": 72,
        "classes": 3,
        "dimensions": 4,
        "noise_rate": 0.2,
    }
    assert one.features["modality"] == "vectors"
    assert 0 <= one.features["imbalance"] < 0.1


def test_a_record_comes_back_from_its_row(remember: Remember, history: Path) -> None:
    path = remember()
    assert path is not None
    rows = pq.read_table(path).to_pylist()
    assert [Record.of_row(row).row() for row in rows] == rows


def test_arms_whose_spaces_are_alike_have_the_same_hash(remember: Remember, history: Path) -> None:
    remember()
    hashes = {each.algorithm: each.space for each in read(history)}
    assert len(hashes) == len(set(hashes.values())) == 3


def test_a_run_that_goes_on_adds_what_is_new(
    remember: Remember, history: Path, events: list[Event]
) -> None:
    ends = [i for i, e in enumerate(events) if e.kind == "rung" and e.decision == "done"]
    for until in (ends[2] + 1, ends[4] + 1, ends[4] + 1, None, None):
        remember(until)
    assert len(list(history.iterdir())) == 3
    assert remember(search=1) is not None
    again = read(history)
    numbers = [each.number for each in again]
    half = len(numbers) // 2
    assert numbers[:half] == numbers[half:] == sorted(set(numbers[:half]))


@pytest.fixture
def count(events: list[Event]) -> int:
    """How many trials of the run belong into a history."""
    return sum(trial.stage != "verdict" for trial in replayed(events).trials)


class Killed(BaseException):
    """The driver is no more."""


@pytest.mark.parametrize("moment", ["before the rename", "after the rename"])
def test_killed_while_writing_and_resumed_it_holds_each_trial_once(
    remember: Remember, history: Path, monkeypatch: pytest.MonkeyPatch, moment: str, count: int
) -> None:
    rename = Path.replace

    def die(path: Path, to: Path) -> Path:
        if moment == "after the rename":
            rename(path, to)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(Killed):
            remember()
    left = list(history.glob(".*.tmp"))
    assert len(left) == (moment == "before the rename")
    for path in left:
        os.utime(path, (0, 0))
    assert (remember() is None) == (moment == "after the rename")
    assert len(read(history)) == count
    remember(search=1)
    assert not list(history.glob(".*.tmp"))


WRITER = """
import sys
from pathlib import Path
from automl_cl.history.writing import add_to_history
from dataclasses import replace
from automl_cl.run.journal import read_events
from automl_cl.spec.preparation import prepare
from automl_cl.run.folder import RunFolder
from automl_cl.spec.search_spec import spec_of

events = read_events(Path(sys.argv[1]) / "journal.jsonl")
prepared = prepare(spec_of(events, RunFolder(Path(sys.argv[1]))))
for search in map(int, sys.argv[3:]):
    first = replace(events[0], time=search)
    add_to_history(Path(sys.argv[2]), prepared, [first, *events[1:]], {})
"""


def test_two_processes_add_at_once(finished_run: Path, history: Path, count: int) -> None:
    # The last three are runs of which there are two copies.
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(finished_run), str(history), *map(str, mine)]
        )
        for mine in ([0, 1, 2, 3, 8, 9, 10], [4, 5, 6, 7, 8, 9, 10])
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert len(read(history)) == 11 * count
    assert sorted(path.suffix for path in history.iterdir()) == [".parquet"] * 11


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """A bit in the middle of the data is another; the footer says nothing of it."""
    return content[:2000] + bytes([content[2000] ^ 1]) + content[2001:]


@pytest.mark.parametrize(
    "damage",
    [cut, flipped, lambda content: b"", lambda content: b"PAR1", lambda content: b"\0" * 99],
)
def test_a_damaged_file_is_left_out_in_one_line(
    remember: Remember, history: Path, damage: Callable[[bytes], bytes], count: int
) -> None:
    bad, good = remember(), remember(search=1)
    assert bad is not None and good is not None
    bad.write_bytes(damage(bad.read_bytes()))
    warnings: list[str] = []
    assert len(read_history(history, warnings.append)) == count
    assert len(warnings) == 1
    assert str(bad) in warnings[0] and "damaged or half written" in warnings[0]
    assert "\n" not in warnings[0]
    # Its own run, taken up again, mends it.
    assert remember() == bad
    assert len(read(history)) == 2 * count


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({VERSION_KEY: b"2"}, "newer software (schema 2; this reads schema 1)"),
        ({VERSION_KEY: b"0"}, "older software (schema 0; this reads schema 1)"),
        ({VERSION_KEY: b"two"}, "no history"),
        ({}, "no history"),
    ],
)
def test_a_file_of_another_kind_is_left_out_in_one_line(
    remember: Remember, history: Path, metadata: dict[bytes, bytes], words: str, count: int
) -> None:
    other = remember()
    remember(search=1)
    assert other is not None
    pq.write_table(pq.read_table(other).replace_schema_metadata(metadata), other)
    warnings: list[str] = []
    assert len(read_history(history, warnings.append)) == count
    assert len(warnings) == 1 and str(other) in warnings[0] and words in warnings[0]


def test_a_file_with_a_row_that_says_nothing_is_left_out(
    remember: Remember, history: Path
) -> None:
    path = remember()
    assert path is not None
    rows = pq.read_table(path)
    broken = pa.array(["{"] * len(rows))
    pq.write_table(rows.set_column(rows.schema.get_field_index("config"), "config", broken), path)
    warnings: list[str] = []
    assert read_history(history, warnings.append) == []
    assert len(warnings) == 1 and str(path) in warnings[0]


def test_no_history_to_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, word in (
        ("absent", "no such folder"),
        ("file", "a file"),
        (".", "no history in it"),
    ):
        with pytest.raises(InputError, match=word):
            read_history(tmp_path / name, print)


def floats(value: Any) -> set[float]:
    """Every fraction anywhere in a plain value."""
    if isinstance(value, dict):
        return floats(list(value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(floats, value))
    return {value} if isinstance(value, float) and value != int(value) else set()


def test_no_test_value_is_in_it(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search on test scores that nothing else comes to, so that one would be known again."""

    def scored(prepared: Prepared, slots: int, trained: Any, test: Any) -> Any:
        return np.random.default_rng(0).random((len(trained), len(test.labels)))

    lines = (run_folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"event": "open_test"' in line)
    (run_folder / "journal.jsonl").write_bytes(b"".join(lines[:at]))
    monkeypatch.setattr(driver, "connect", lambda *args, **kwargs: nullcontext())
    monkeypatch.setattr(driver, "concurrency", lambda trial: 1)
    monkeypatch.setattr(driver, "watched_head", lambda *args: nullcontext())
    monkeypatch.setattr(driver, "train", lambda *args: None)
    monkeypatch.setattr(execution, "_scored", scored)
    driver.resume(run_folder)
    verdict = json.loads((run_folder / "verdict.json").read_text())
    tested = {value for role in ("baseline", "challenger") for value in verdict[role]["values"]}
    assert len(tested) == 6
    (path,) = (run_folder.parent / "history").glob("*.parquet")
    rows = pq.read_table(path).to_pylist()
    told = floats(rows) | {
        f for row in rows for n in ("config", "point") for f in floats(json.loads(row[n]))
    }
    assert len(told) > 50
    known_before = floats([plain(event) for event in events_of(run_folder)[:at]])
    assert tested <= floats(verdict) - known_before
    assert told.isdisjoint(floats(verdict) - known_before)
    seeds = {t.seed for t in replayed(events_of(run_folder)).of_stage("verdict")}
    assert seeds.isdisjoint(row["seed"] for row in rows)


def events_of(run: Path) -> list[Event]:
    from automl_cl.run.journal import read_events

    return read_events(run / "journal.jsonl")

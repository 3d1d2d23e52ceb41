from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_cl.run.events import Ask, OpenTest, Search
from automl_cl.run.journal import Journal, read_events
from search_spaces.errors import InputError

from .happened import happened

ASK, START, END = happened("ask", number=1), happened("start"), happened("end")
REPOSITORY = Path(__file__).parents[2]
HOLDER = """
import sys, time
from automl_cl.run.events import Start
from automl_cl.run.journal import Journal
journal = Journal.open(sys.argv[1])
journal.append(Start(pid=1))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed journal of three events."""
    path = tmp_path / "journal.jsonl"
    with Journal.create(path) as journal:
        journal.append(happened("search", spec={"trials": 5, "algorithm": "superloss"}))
        journal.append(happened("ask", number=0, origin="übung"))
        journal.append(END)
    return path


@contextmanager
def holding_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the journal open."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "ready\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """The kernel takes only part of a write that would make a file larger, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failing(*arguments: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def readers() -> list[Callable[[Path], Any]]:
    return [Journal.open, read_events]


def test_events_come_back_as_they_went_in(path: Path) -> None:
    config = {"curve": (0.5, np.float64(0.25)), "stop": True, "note": "a\nb\0"}
    with Journal.open(path) as journal:
        last = journal.append(replace(ASK, number=1, config=config))
        in_memory = journal.events
    assert read_events(path) == in_memory
    assert [event.kind for event in in_memory] == ["search", "ask", "end", "ask"]
    assert [event.seq for event in in_memory] == [0, 1, 2, 3]
    first, second, *_ = in_memory
    assert isinstance(first, Search) and isinstance(second, Ask)
    assert first.spec == {"trials": 5, "algorithm": "superloss"}
    assert second.origin == "übung"
    assert in_memory[3] == last
    assert last.config == {"curve": [0.5, 0.25], "stop": True, "note": "a\nb\0"}
    assert all(abs(event.time - path.stat().st_mtime) < 60 for event in in_memory)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates too: a file name that is not UTF-8 becomes one.
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # each example waits for the disk
@given(value=json_values)
def test_every_json_value_round_trips(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    path = tmp_path_factory.mktemp("run") / "journal.jsonl"
    with Journal.create(path) as journal:
        written = journal.append(happened("search", spec={"trials": 1, "any": value}))
    assert isinstance(written, Search)
    assert written.spec["any"] == value
    assert read_events(path) == [written]


def test_each_line_is_one_strict_json_object_with_its_checksum_last(path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    lines = path.read_text("ascii").splitlines()
    assert len(lines) == 3
    for line in lines:
        names = list(json.loads(line, parse_constant=refuse))
        assert names[:3] == ["seq", "time", "event"] and names[-1] == "sum"


def test_an_event_is_synced_to_disk_before_append_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    with Journal.open(path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda descriptor: synced.append(path.read_bytes()))
            journal.append(END)
        assert synced == [path.read_bytes()]


def test_a_torn_last_line_is_cut_off_wherever_it_tore(path: Path) -> None:
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    events = read_events(path)
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert read_events(path) == events[:2]
        assert path.read_bytes() == whole[:end], "reading must not write"
        with Journal.open(path) as journal:
            assert journal.events == events[:2]
            assert path.read_bytes() == whole[:start]
            assert journal.append(END).seq == 2
        assert [event.kind for event in read_events(path)] == ["search", "ask", "end"]


@pytest.mark.parametrize("read", readers())
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_flipped_byte_is_found_and_nothing_is_changed(
    path: Path, read: Callable[[Path], Any], number: int
) -> None:
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    start = len(b"".join(lines[: number - 1]))
    # The very last newline is left alone: without it the line is torn, not damaged.
    for position in range(start, min(start + len(lines[number - 1]), len(whole) - 1)):
        for bit in (0x01, 0x20, 0x80):
            damaged = bytearray(whole)
            damaged[position] ^= bit
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=rf"line {number} of .*journal\.jsonl .*nothing"):
                read(path)
            assert path.read_bytes() == damaged


@pytest.mark.parametrize("read", readers())
def test_damage_before_a_torn_line_leaves_the_torn_line_too(
    path: Path, read: Callable[[Path], Any]
) -> None:
    content = path.read_bytes().replace(b"superloss", b"superless") + b'{"seq": 3, "ti'
    path.write_bytes(content)
    with pytest.raises(InputError, match="line 1 of"):
        read(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read", readers())
@pytest.mark.parametrize(("kept", "line"), [([0, 2], 2), ([1, 2], 1), ([0, 0, 1], 2)])
def test_lines_missing_or_repeated_are_found(
    path: Path, read: Callable[[Path], Any], kept: list[int], line: int
) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    content = b"".join(lines[index] for index in kept)
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"line {line} of .* its checksum does not match"):
        read(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read", readers())
@pytest.mark.parametrize("content", [b"", b"\n", b'{"seq": 0, "ti', b"lr: 0.1\n"])
def test_a_file_that_is_no_journal_is_refused_unchanged(
    tmp_path: Path, read: Callable[[Path], Any], content: bytes
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"journal\.jsonl"):
        read(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("read", readers())
def test_a_missing_file_is_refused_and_leaves_nothing_behind(
    tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    with pytest.raises(InputError, match=r"no journal at .*nowhere\.jsonl"):
        read(tmp_path / "nowhere.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_create_does_not_touch_an_existing_journal(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError, match="already exists"):
        Journal.create(path)
    assert path.read_bytes() == before
    Journal.open(path).close()


def test_the_lock_keeps_others_out_until_its_holder_is_killed(path: Path) -> None:
    with holding_process(path) as holder:
        with pytest.raises(InputError, match=rf"in use by process {holder.pid} "):
            Journal.open(path)
        assert read_events(path)[-1].kind == "start", "a running journal can be read"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with Journal.open(path) as journal:
            assert journal.append(START).seq == 4
            with pytest.raises(InputError, match=rf"in use by process {os.getpid()} "):
                Journal.open(path)
    Journal.open(path).close()


def test_a_refused_journal_gives_the_lock_back(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"superloss", b"superless"))
    with pytest.raises(InputError, match="damaged"):
        Journal.open(path)
    path.write_bytes(whole)
    Journal.open(path).close()


@pytest.mark.parametrize("room", [0, 1, 40])
def test_a_partial_write_is_undone_and_the_next_append_succeeds(path: Path, room: int) -> None:
    before = path.read_bytes()
    with Journal.open(path) as journal:
        with files_at_most(len(before) + room), pytest.raises(OSError, match="File too large"):
            journal.append(replace(END, reason="x" * 50))
        assert path.read_bytes() == before
        assert len(journal.events) == 3
        journal.append(START)
        assert read_events(path) == journal.events
        assert [event.seq for event in journal.events] == [0, 1, 2, 3]


def test_an_event_that_could_not_be_synced_did_not_happen(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()
    with Journal.open(path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises(OSError, match="No space left"):
                journal.append(START)
        assert path.read_bytes() == before
        assert journal.append(START).seq == 3
    assert len(read_events(path)) == 4


def test_a_journal_that_cannot_undo_a_failed_write_takes_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = read_events(path)
    with Journal.open(path) as journal:
        room = files_at_most(path.stat().st_size + 10)
        with monkeypatch.context() as patch, room, pytest.raises(OSError, match="No space left"):
            patch.setattr(os, "ftruncate", failing)
            journal.append(START)
        with pytest.raises(RuntimeError, match="cannot append"):
            journal.append(START)
    with Journal.open(path) as journal:
        assert journal.events == events


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (float("nan"), r"config\.lr is nan"),
        (np.float64("inf"), r"config\.lr is inf"),
        ({"loss": [0.5, float("-inf")]}, r"config\.lr\.loss\[1\] is -inf"),
        ({"loss": {3: 0.5}}, r"config\.lr\.loss has the key 3"),
    ],
)
def test_what_would_not_come_back_is_refused_with_its_place(
    path: Path, value: object, place: str
) -> None:
    before = path.read_bytes()
    with Journal.open(path) as journal, pytest.raises(ValueError, match=rf"'ask': {place}"):
        journal.append(replace(ASK, config={"lr": value}))
    assert path.read_bytes() == before


def test_values_without_a_json_form_are_refused_with_their_place(path: Path) -> None:
    with Journal.open(path) as journal:
        with pytest.raises(TypeError, match=r"config\.n is a int64"):
            journal.append(replace(ASK, config={"n": np.int64(3)}))
        assert len(journal.events) == 3


def test_a_field_of_another_type_is_refused_before_it_is_written(path: Path) -> None:
    before = path.read_bytes()
    with Journal.open(path) as journal:
        with pytest.raises(ValueError, match=r"'end'.*status: expected one of stopped, failed"):
            journal.append(replace(END, status="done"))
        assert len(journal.events) == 3
    assert path.read_bytes() == before


def test_place_and_time_are_the_journals_to_give(path: Path) -> None:
    with Journal.open(path) as journal:
        written = journal.append(replace(START, seq=7, time=7.0))
    assert written.seq == 3
    assert written.time > 1e9


def test_openings_are_counted_for_each_split_also_after_a_restart(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(happened("plan"))
        assert [journal.record_opening(split)[0] for split in "ab"] == [1, 1]
        journal.append(happened("plan", opening=2))
        assert journal.record_opening("a")[0] == 2
    with Journal.open(path) as journal:
        journal.append(happened("plan", opening=3))
        assert [journal.record_opening(split)[0] for split in "abc"] == [3, 2, 1]
    opened = [event for event in read_events(path) if isinstance(event, OpenTest)]
    assert [(event.fingerprint, event.opening) for event in opened] == [
        ("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2), ("c", 1),
    ]  # fmt: skip


def test_a_plan_that_is_judged_again_is_not_opened_again(path: Path) -> None:
    with Journal.open(path) as journal:
        journal.append(happened("plan"))
        assert [journal.record_opening("a")[0] for _ in range(2)] == [1, 1]
    with Journal.open(path) as journal:
        assert journal.record_opening("a") == (1, None)
        journal.append(happened("plan", opening=2, budget=9))
        assert [journal.record_opening("a")[0] for _ in range(2)] == [2, 2]
    opened = [event for event in read_events(path) if isinstance(event, OpenTest)]
    assert [event.opening for event in opened] == [1, 2]


def test_copies_share_the_journal_or_can_only_read(path: Path) -> None:
    with Journal.open(path) as journal:
        searcher = {"journal": journal}
        assert copy.deepcopy(searcher)["journal"] is journal
        pickled = pickle.loads(pickle.dumps(searcher))["journal"]
        assert pickled.events == journal.events
        with pytest.raises(RuntimeError, match="cannot append"):
            pickled.append(START)
        pickled.close()
        with pytest.raises(InputError, match="in use"):
            Journal.open(path)
        assert journal.append(START).seq == 3


def test_a_closed_journal_takes_no_more(path: Path) -> None:
    journal = Journal.open(path)
    journal.close()
    journal.close()
    with pytest.raises(RuntimeError, match="cannot append"):
        journal.append(START)
    assert len(read_events(path)) == 3

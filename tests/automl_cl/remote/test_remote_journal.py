"""The journal on an object store: immutable segments, and one driver at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from automl_cl.run import remote_lock
from automl_cl.run.events import Event, Start, to_json
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.journal_seal import Chain
from automl_cl.run.remote_lock import RemoteLock
from search_spaces import InputError
from trainables.foundation.storage import RemotePath, StorageError

from ..happened import happened

IN_USE = "in use by process"


def pid_of(event: Event) -> int | None:
    return event.pid if isinstance(event, Start) else None


def written(journal: RemotePath, count: int) -> None:
    with Journal.create(journal) as opened:
        opened.append(happened("search"))
        for number in range(1, count):
            opened.append(happened("start", pid=number))


def segments(journal: RemotePath) -> dict[str, bytes]:
    found = [each.path.split("/", 1)[1] for each in journal.entries(recursive=True)]
    files = [RemotePath(journal.scheme, journal.host, path) for path in found if ".jsonl" in path]
    return {str(each): each.read_bytes() for each in files}


def test_what_was_appended_is_read_in_order_and_never_written_over(bucket: RemotePath) -> None:
    journal = bucket / "journal"
    written(journal, 12)
    before = segments(journal)
    assert len(before) == 12
    with Journal.open(journal) as opened:
        opened.append(happened("start", pid=99))
        assert [pid_of(event) for event in read_events(journal)] == [None, *range(1, 12), 99]
    after = segments(journal)
    assert len(after) == 13 and before.items() <= after.items()
    with pytest.raises(RuntimeError, match="open it anew"):
        opened.append(happened("start"))


def test_a_journal_is_made_once(bucket: RemotePath) -> None:
    written(bucket / "journal", 1)
    with pytest.raises(InputError, match="already exists"):
        Journal.create(bucket / "journal")
    with pytest.raises(InputError, match="there is no journal"):
        read_events(bucket / "other")


def test_damage_and_gaps_are_told_and_nothing_is_changed(bucket: RemotePath) -> None:
    journal = bucket / "journal"
    written(journal, 3)
    whole = segments(journal)
    (place,) = (journal / "00000001").entries()
    segment = journal / "00000001" / place.base_name
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b'"pid": 1', b'"pid": 7'))
    with pytest.raises(InputError, match=r"line 2 of s3://.* is damaged"):
        Journal.open(journal)
    segment.write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"line 2 of .* is damaged"):
        read_events(journal)
    segment.unlink()
    with pytest.raises(InputError, match=r"line 2 of .* its checksum does not match"):
        Journal.open(journal)
    segment.write_bytes(content)
    assert segments(journal) == whole
    assert len(read_events(journal)) == 3


def test_a_second_driver_is_refused_while_the_first_is_alive(bucket: RemotePath) -> None:
    journal = bucket / "journal"
    with Journal.create(journal) as first:
        first.append(happened("search"))
        with pytest.raises(InputError, match=f"{IN_USE} .*try again in") as refused:
            Journal.open(journal)
        assert "\n" not in str(refused.value)
        first.append(happened("start"))  # the one that was refused has left no trace
    Journal.open(journal).close()


def test_a_driver_of_this_machine_that_is_dead_holds_nothing(bucket: RemotePath) -> None:
    script = (
        "import os, sys; from automl_cl.run.events import Search; "
        "from automl_cl.run.journal import Journal; Journal.create(sys.argv[1]).append("
        "Search(spec={'trials': 1}, space='', data='', versions={})); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(bucket / "journal")], timeout=120)
    with Journal.open(bucket / "journal") as journal:
        journal.append(happened("start"))


def on_another_machine(lock: RemotePath) -> RemotePath:
    """Makes the one holder of a lock a process elsewhere."""
    (entry,) = (each for each in lock.entries() if each.is_file)
    holder = lock / entry.base_name
    holder.write_bytes(json.dumps(json.loads(holder.read_bytes()) | {"boot": "other"}).encode())
    return holder


def test_a_driver_elsewhere_is_taken_for_dead_only_when_it_is_stale(
    bucket: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RemoteLock(bucket, "run")
    on_another_machine(bucket)
    with pytest.raises(InputError, match=IN_USE):
        RemoteLock(bucket, "run")
    first.require()
    with monkeypatch.context() as patch:
        patch.setattr(remote_lock, "STALE_SECONDS", 0.0)
        second = RemoteLock(bucket, "run")
    monkeypatch.setattr(first, "_beaten", 0.0)
    with pytest.raises(StorageError, match="taken this run over"):
        first.require()
    second.close()


def test_two_drivers_in_spite_of_the_lock_lose_nothing(
    bucket: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = bucket / "journal"
    first = Journal.create(journal)
    first.append(happened("search"))
    monkeypatch.setattr(remote_lock, "STALE_SECONDS", -1.0)
    on_another_machine(bucket / "journal.lock")
    monkeypatch.setattr(RemoteLock, "require", lambda lock: None)
    second = Journal.open(journal)
    second.append(happened("start", pid=2))
    with pytest.raises(StorageError, match="another driver writes"):
        first.append(happened("start", pid=1))
    with pytest.raises(RuntimeError, match="open it anew"):
        first.append(happened("start", pid=1))
    second.append(happened("start", pid=3))
    second.close()
    assert [pid_of(event) for event in read_events(journal)] == [None, 2, 3]


def test_a_local_path_and_its_uri_are_the_same_place(tmp_path: Path) -> None:
    with Journal.create(f"file://{tmp_path}/journal.jsonl") as journal:
        journal.append(happened("search"))
    assert len(read_events(tmp_path / "journal.jsonl")) == 1


def test_a_journal_that_was_deleted_takes_nothing_more(bucket: RemotePath) -> None:
    journal = bucket / "journal"
    with Journal.create(journal) as opened:
        opened.append(happened("search"))
        (entry,) = (each for each in journal.entries(recursive=True) if each.is_file)
        (journal / "00000000" / entry.base_name).unlink()
        with pytest.raises(FileNotFoundError):
            opened.append(happened("start"))
    assert segments(journal) == {}


@pytest.mark.parametrize("older", [True, False])
def test_of_two_segments_of_a_number_that_is_read_which_the_next_is_chained_to(
    bucket: RemotePath, older: bool
) -> None:
    """Its driver was killed before it could take its own back."""
    journal = bucket / str(older) / "journal"
    written(journal, 3)
    before = read_events(journal)
    (segment,) = (each for each in (journal / "00000001").entries())
    left_over, kept = journal / "00000001" / "00000000.jsonl", journal / "00000001"
    chain = Chain()
    first = next(iter(segments(journal).values())).removesuffix(b"\n")
    opened = chain.opened(first)
    assert opened is not None
    body = to_json(replace(happened("start", pid=77), seq=1))
    line, _ = opened[1].sealed(body)
    if older:
        content = (kept / segment.base_name).read_bytes()
        (kept / segment.base_name).unlink()
        left_over.write_bytes(line + b"\n")
        (kept / segment.base_name).write_bytes(content)
    else:
        left_over.write_bytes(line + b"\n")
    assert read_events(journal) == before
    with Journal.open(journal) as again:
        again.append(happened("start", pid=9))
    assert [pid_of(event) for event in read_events(journal)] == [None, 1, 2, 9]

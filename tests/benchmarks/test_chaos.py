"""What the chaos benchmark would find, and what it leaves alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from automl_cl.results.trials_file import write_trials
from automl_cl.run.events import Ask, End, Rung, Status
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.trial_table import replayed
from automl_cl.spec.search_spec import SearchSpec
from benchmarks.chaos import Kind, differences, spec_of, violations
from benchmarks.in_process_search import one_thread, search

SPEC = SearchSpec("curriculum", "digits", trials=4, max_epochs=1.0, seeds=3,
                  space={"algorithm": ["superloss"], "training.batch_size": 128})  # fmt: skip


def put_files(folder: Path) -> None:
    """What a driver writes at the end, as far as it is looked at."""
    table = replayed(read_events(folder / "journal.jsonl"))
    write_trials(folder / "trials.parquet", table, set())
    (folder / "tuned.yaml").touch()
    (folder / "verdict.json").write_text(json.dumps(table.verdicts[-1].verdict))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder, threads = tmp_path_factory.mktemp("chaos") / "calm", torch.get_num_threads()
    one_thread()
    search(SPEC, folder)
    put_files(folder)
    yield folder
    torch.set_num_threads(threads)


@pytest.fixture
def run(calm: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(calm, tmp_path / "run"))


def test_a_run_that_is_as_it_must_be_violates_nothing(run: Path, calm: Path) -> None:
    journal = (run / "journal.jsonl").read_bytes()
    assert violations(run, [journal[: len(journal) // 2]]) == []
    assert differences(run, calm) == []


def test_whatever_is_wrong_is_found(run: Path, calm: Path) -> None:
    before = (run / "journal.jsonl").read_bytes()
    table = replayed(read_events(run / "journal.jsonl"))
    number = len(table.trials)
    again = next(e for e in read_events(run / "journal.jsonl") if isinstance(e, Ask))
    with Journal.open(run / "journal.jsonl") as journal:
        journal.append(replace(again, number=number))
        journal.append(End(number=number, status=Status.FAILED, reason="boom", compute=1.0,
                           weights=None))  # fmt: skip
    (run / "tuned.yaml").unlink()
    found = " | ".join(violations(run, [before + b"more\n"]))
    for words in ("is gone", f"trial {number} has failed: boom", "do not agree",
                  "no tuned config"):  # fmt: skip
        assert words in found
    put_files(run)
    assert differences(run, calm) == ["the trial table is another than undisturbed"]


def test_a_rung_that_was_passed_twice_is_found(run: Path) -> None:
    rung = next(e for e in read_events(run / "journal.jsonl") if isinstance(e, Rung))
    with Journal.open(run / "journal.jsonl") as journal:
        journal.append(rung)
    (found,) = violations(run, [])
    assert "event 'rung'" in found


def test_a_run_that_is_not_over_is_found(run: Path) -> None:
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    assert "the search is not complete" in violations(run, [])


def test_searches_of_a_seed_are_the_same_but_for_where_they_run() -> None:
    one, other = spec_of(Kind(1, 1, 9), 3), spec_of(Kind(2, 1, 9), 3)
    assert one == other
    assert spec_of(Kind(1, 2, 9), 3).workers_per_trial == 2

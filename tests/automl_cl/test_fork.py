"""Forks of a run that was trained without Ray."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from automl_cl.engine.fork import Fork
from automl_cl.engine.session import Session
from automl_cl.results.dashboard import export_studies
from automl_cl.results.report import report_run
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.preparation import prepare
from automl_cl.spec.search_spec import spec_of
from search_spaces import InputError


def table_of_run(run: Path) -> TrialTable:
    return replayed(read_events(run / "journal.jsonl"))


def taken(run: Path, **given: Any) -> list[dict[str, Any]]:
    fork = Fork.of(run, given)
    found: list[dict[str, Any]] = fork.taken_over(prepare(fork.spec))["trials"]
    return found


def test_a_fork_knows_what_its_parent_found_and_goes_on_from_there(
    finished_run: Path, forked_run: Path
) -> None:
    old, new = table_of_run(finished_run), table_of_run(forked_run)
    known = [trial for trial in new.of_stage("search") if trial.forked is not None]
    assert [trial.number for trial in known] == list(range(len(known)))
    assert new.taken_over == len(known) > 0
    for trial in known:
        parent = old.trials[trial.forked or 0]
        same = ("config", "value", "compute", "memory", "seed")
        assert [getattr(trial, each) for each in same] == [getattr(parent, each) for each in same]
    assert len(new.of_stage("search")) == len(known) + 3, "the budget is for trials of its own"
    seeds = [{trial.seed for trial in t.trials if trial.forked is None} for t in (old, new)]
    assert not seeds[0] & seeds[1], "with the same seeds it would draw the same again"
    rows = pq.read_table(forked_run / "trials.parquet").to_pylist()
    assert [row["forked"] for row in rows] == [trial.forked for trial in new.trials]


def test_the_openings_of_the_test_go_on_being_counted(forked_run: Path) -> None:
    verdict = json.loads((forked_run / "verdict.json").read_text())
    assert (verdict["openings"], verdict["exploratory"]) == (2, True)
    assert verdict["level"] == pytest.approx(0.05 / 4)
    events = read_events(forked_run / "journal.jsonl")
    assert [e.opening for e in events if e.kind == "open_test"] == [2]
    fork = Fork.of(forked_run, {})
    assert fork.taken_over(prepare(fork.spec))["openings"] == 2


def test_it_needs_its_parent_no_more(forked_run: Path, tmp_path: Path) -> None:
    folder = RunFolder.existing(Path(shutil.copytree(forked_run, tmp_path / "run")))
    with Journal.open(folder.journal) as journal:
        prepared = prepare(spec_of(journal.events, folder))
        session = Session(prepared.spec, folder, journal, prepared.scenario, prepared.space)
        assert session.complete
        assert session.ask() is None
        parent, count = session.table.parent, session.table.taken_over
    assert parent is not None
    report = report_run(folder.path, None, force=False).read_text()
    assert f"A fork: {count} search trials" in report
    assert f"automl-cl fork {parent['run']} --trials 3 --scheduler none" in report
    assert export_studies(folder.path).exists()


def test_only_what_lies_in_the_new_space_is_taken_over(finished_run: Path) -> None:
    old = table_of_run(finished_run).of_stage("search")
    narrow = {"algorithm": ["superloss"], "optimizer": "adamw", "training.batch_size": 8}
    found = taken(finished_run, space=narrow)
    assert {trial["arm"] for trial in found} == {"superloss", "plain"}
    assert len(found) == sum(t.arm in ("superloss", "plain") for t in old if t.status != "failed")
    # What was a default there need not be one here.
    origins = {(t["arm"], t["origin"]) for t in taken(finished_run, space=narrow)}
    assert all(origin in ("default", "fork") for _, origin in origins)


def test_what_goes_beyond_a_limit_of_the_new_search_is_infeasible_there(
    finished_run: Path,
) -> None:
    memory = sorted(t.memory or 0 for t in table_of_run(finished_run).of_stage("search"))
    assert memory[0] > 0
    limit = memory[len(memory) // 2]
    found = taken(finished_run, max_memory=limit)
    assert {t["status"] == "infeasible" for t in found} == {t["memory"] > limit for t in found}
    for trial in found:
        if trial["memory"] > limit:
            assert f"{trial['memory']:,} bytes, at most {limit:,}" in trial["reason"]


def test_another_seed_leaves_the_split_as_it_was(finished_run: Path) -> None:
    fork = Fork.of(finished_run, {"seed": 77})
    assert (fork.spec.seed, fork.spec.split_seed) == (77, 0)
    assert prepare(fork.spec).view.fingerprint == fork.fingerprint
    assert Fork.of(finished_run, {"seed": 0}).spec.split_seed is None


def test_nothing_to_take_over(begun_run: Path) -> None:
    with pytest.raises(InputError, match="nothing to fork"):
        taken(begun_run)

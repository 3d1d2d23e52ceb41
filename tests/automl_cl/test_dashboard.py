from __future__ import annotations

import builtins
import json
import shutil
import socket
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from automl_cl.results.dashboard import open_storage, serve
from automl_cl.results.tensorboard_log import flat
from automl_cl.run.events import Ask, Decision, Rung
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.trial import SEARCH
from automl_cl.run.trial_table import TrialTable, replayed

from .happened import happened

Command = Callable[..., Any]
Refused = Callable[..., None]
STATES = {"done": "COMPLETE", "stopped": "PRUNED", "failed": "FAIL", "diverged": "FAIL"}


def studies_in(path: Path) -> dict[str, optuna.Study]:
    storage = open_storage(path)
    names = [each.study_name for each in optuna.get_all_study_summaries(storage)]
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


def table_of_run(path: Path) -> TrialTable:
    return replayed(read_events(path / "journal.jsonl"))


def cut(journal: Path, last: int) -> None:
    """Ends a journal with the event of that number."""
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: last + 1]))


def states_in(path: Path) -> dict[int, str]:
    """The state of each trial in a storage."""
    trials = [trial for study in studies_in(path).values() for trial in study.trials]
    return {trial.user_attrs["trial"]: trial.state.name for trial in trials}


def require_equal(path: Path, run: Path) -> None:
    """Every search trial is in the storage, once, as the table has it."""
    told = {
        trial.user_attrs["trial"]: (study, trial)
        for study in studies_in(path).values()
        for trial in study.trials
    }
    assert sum(len(study.trials) for study in studies_in(path).values()) == len(told)
    searched = table_of_run(run).of_stage(SEARCH)
    assert told.keys() == {trial.number for trial in searched}
    for trial in searched:
        study, found = told[trial.number]
        assert study.user_attrs["algorithm"] == trial.arm
        assert found.state.name == STATES.get(trial.status, "RUNNING")
        if found.state is TrialState.PRUNED:
            assert found.value == (trial.rungs[-1].value if trial.rungs else None)
        assert found.params == pytest.approx(trial.point)
        assert list(found.intermediate_values.values()) == [rung.value for rung in trial.rungs]
        config = {k[7:]: v for k, v in found.user_attrs.items() if k.startswith("config.")}
        assert config == flat(trial.config)
        assert found.user_attrs.get("reason") == trial.reason
        if found.state is TrialState.COMPLETE:
            assert found.value == trial.value
        if found.state is TrialState.FAIL:
            assert found.values is None


@pytest.mark.parametrize("name", ["optuna.jsonl", "studies.db"])
def test_a_storage_holds_what_the_journal_says(
    run_folder: Path, command: Command, tmp_path: Path, name: str
) -> None:
    to = tmp_path / name
    assert command("dashboard", run_folder, "--to", to, "--export-only").code == 0
    require_equal(to, run_folder)
    studies = studies_in(to)
    assert sorted(studies) == ["run/anti_curriculum", "run/plain", "run/superloss"]
    assert all(study.direction.name == "MAXIMIZE" for study in studies.values())
    assert all(study.metric_names == ["accuracy"] for study in studies.values())
    assert studies["run/plain"].user_attrs["baseline"] is True


@pytest.mark.parametrize("name", ["optuna.jsonl", "studies.db"])
def test_exporting_again_adds_only_what_is_new(
    run_folder: Path, command: Command, tmp_path: Path, name: str
) -> None:
    to, journal = tmp_path / name, run_folder / "journal.jsonl"
    whole = journal.read_bytes().splitlines(keepends=True)
    events = read_events(journal)
    rungs = [e.seq for e in events if isinstance(e, Rung) and e.decision == "continue"]
    for end in (rungs[2] + 1, rungs[-1] + 1, len(whole), len(whole)):
        journal.write_bytes(b"".join(whole[:end]))
        assert command("dashboard", run_folder, "--to", to, "--export-only").code == 0
        require_equal(to, run_folder)
    moved = run_folder.rename(tmp_path / "moved")
    assert command("dashboard", moved, "--to", to, "--export-only").code == 0
    require_equal(to, moved)


def test_stopped_and_failed_trials_keep_their_states(
    run_folder: Path, command: Command, tmp_path: Path
) -> None:
    journal = run_folder / "journal.jsonl"
    events = read_events(journal)
    ends = [e for e in events if isinstance(e, Ask) and e.stage == SEARCH]
    cut(journal, ends[-1].seq)
    with Journal.open(journal) as opened:
        rung = next(e for e in events if isinstance(e, Rung) and e.decision == "continue")
        number = ends[-1].number
        opened.append(replace(rung, number=number, decision=Decision.STOPPED))
        opened.append(replace(ends[-1], number=number + 1))
        opened.append(happened("end", number=number + 1, status="diverged", compute=0.5))
    assert command("dashboard", run_folder, "--export-only").code == 0
    require_equal(run_folder / "optuna.jsonl", run_folder)
    states = states_in(run_folder / "optuna.jsonl").values()
    assert {"PRUNED", "FAIL", "COMPLETE"} <= set(states)


@pytest.mark.parametrize("name", ["optuna.jsonl", "studies.db"])
def test_a_paused_trial_is_running_until_it_is_stopped_or_has_gone_on(
    run_folder: Path, command: Command, tmp_path: Path, name: str
) -> None:
    to, journal = tmp_path / name, run_folder / "journal.jsonl"
    events = read_events(journal)
    rungs = [e for e in events if isinstance(e, Rung) and e.decision == "continue"]
    first, second = rungs[0], next(e for e in rungs if e.number != rungs[0].number)
    cut(journal, first.seq - 1)
    with Journal.open(journal) as opened:
        opened.append(replace(first, decision=Decision.PAUSED))
        for event in events[first.seq + 1 : second.seq]:
            if getattr(event, "number", None) != first.number:
                opened.append(event)
        opened.append(replace(second, decision=Decision.PAUSED))
    paused = {first.number, second.number}

    def exported() -> set[str]:
        assert command("dashboard", run_folder, "--to", to, "--export-only").code == 0
        require_equal(to, run_folder)
        return {state for number, state in states_in(to).items() if number in paused}

    assert exported() == {"RUNNING"}
    with Journal.open(journal) as opened:
        opened.append(happened("promote", number=first.number))
        done = {"rung": 1, "level": 2.0, "decision": Decision.DONE, "value": 0.5}
        opened.append(replace(first, **done))
        opened.append(happened("end", number=second.number, status="stopped", compute=1.0))
    assert exported() == {"COMPLETE", "PRUNED"}


def test_two_runs_share_a_storage_unless_they_share_a_name(
    run_folder: Path, begun_run: Path, command: Command, refused: Refused, tmp_path: Path
) -> None:
    to = tmp_path / "shared.jsonl"
    for run in (run_folder, begun_run):
        assert command("dashboard", run, "--to", to, "--export-only").code == 0
    assert len(studies_in(to)) == 6
    same = tmp_path / "other" / begun_run.name
    shutil.copytree(begun_run, same)
    journal = same / "journal.jsonl"
    first = read_events(journal)[0]
    journal.unlink()
    with Journal.create(journal) as opened:  # begun at another time
        for event in [first, *read_events(begun_run / "journal.jsonl")[1:]]:
            opened.append(event)
    words = ["--to", "holds a study 'begun/plain' of another run"]
    refused("dashboard", same, "--to", to, "--export-only", words=words)


def test_nothing_is_added_to_a_file_of_somebody_else(
    run_folder: Path, refused: Refused, tmp_path: Path
) -> None:
    notes, database = tmp_path / "notes.jsonl", tmp_path / "notes.db"
    notes.write_text('{"mine": 1}\n')
    database.write_text("mine")
    with sqlite3.connect(tmp_path / "tables.db") as tables:
        tables.execute("create table mine (x)")
    for file in (notes, database, tmp_path / "tables.db", tmp_path):
        words = ["--to", "is there already and no Optuna storage"]
        refused("dashboard", run_folder, "--to", file, "--export-only", words=words)
    absent = tmp_path / "absent" / "x.db"
    words = ["--to: there is no folder"]
    refused("dashboard", run_folder, "--to", absent, "--export-only", words=words)


def test_without_the_extra_it_says_how_to_get_it(
    run_folder: Path, command: Command, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = builtins.__import__

    def refuse(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "optuna_dashboard":
            raise ImportError(name)
        return whole(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    words = [
        "optuna-dashboard is not installed",
        "pip install -e '.[dashboard]' in the checkout",
        "--export-only",
    ]
    refused("dashboard", run_folder, words=words)
    assert command("dashboard", run_folder, "--export-only").code == 0


def test_a_taken_port_is_told_before_anything_is_written(
    run_folder: Path, refused: Refused
) -> None:
    pytest.importorskip("optuna_dashboard")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = [f"--port: cannot listen on 127.0.0.1:{port}", "in use"]
        refused("dashboard", run_folder, "--port", port, words=words)
    refused("dashboard", run_folder, "--host", "nowhere.invalid", words=["cannot listen"])
    refused("dashboard", run_folder, "--port", 0, words=["--port"], usage=True)


def test_the_dashboard_shows_the_studies(run_folder: Path, command: Command) -> None:
    pytest.importorskip("optuna_dashboard")
    assert command("dashboard", run_folder, "--export-only").code == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (run_folder / "optuna.jsonl", "127.0.0.1", port)
    threading.Thread(target=serve, args=arguments, daemon=True).start()
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies") as answer:
                found = json.load(answer)
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)
    names = {each["study_name"] for each in found["study_summaries"]}
    assert names == {"run/anti_curriculum", "run/plain", "run/superloss"}

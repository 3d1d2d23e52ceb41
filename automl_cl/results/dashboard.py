"""A run's trials as Optuna studies, for optuna-dashboard and whatever else reads Optuna storages.

One study an arm, holding its search trials. The journal stays the truth: an export can be thrown
away, and exporting again adds what is new.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl_cl.results.tensorboard_log import flat
from automl_cl.run.events import Event, OfTrial, Problem, beginning
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.run.problem_event import distributions_of, require_problem
from automl_cl.run.trial import SEARCH, Trial
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.search_spec import spec_of
from search_spaces import InputError
from trainables.foundation.storage import Place

SQLITE = (".db", ".sqlite", ".sqlite3")
STATES = {
    "done": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "diverged": TrialState.FAIL,
    "infeasible": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "paused": TrialState.RUNNING,
}

Times = Mapping[int, tuple[float, float]]


def export_studies(run: str | Place, to: Path | None = None) -> Path:
    """Writes a run's search trials to an Optuna storage, or brings an earlier export up to date.

    Args:
        run: the run folder, of a finished search or not.
        to: SQLite if it ends in .db, .sqlite or .sqlite3, else Optuna's journal; None for
            `optuna.jsonl` in the run folder. Studies of others in it are left alone.

    Returns:
        The storage's file.

    Raises:
        InputError: if it is no run folder, its journal says too little, or the file is no Optuna
            storage.
    """
    folder = RunFolder.existing(run)
    events = read_events(folder.journal)
    spec_of(events, folder)
    table = replayed(events)
    problem = require_problem(table, folder)
    path = folder.studies if to is None else to
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage, times = open_storage(path), _times(events)
    known = _studies_of_run(storage, path, folder, beginning(events), list(problem.arms))
    for arm in problem.arms:
        study = known.get(arm) or _new_study(storage, folder, beginning(events), problem, arm)
        _bring_up_to_date(study, table, distributions_of(problem, arm), times)
    folder.publish()
    return path


def serve(path: Path, host: str, port: int) -> None:
    """Shows a storage in optuna-dashboard until Ctrl-C."""
    from optuna_dashboard import run_server

    run_server(open_storage(path), host=host, port=port)


def require_dashboard(host: str, port: int) -> None:
    """Refuses what would fail only after the export.

    Raises:
        InputError: if optuna-dashboard is not installed, or there is no listening at that address.
    """
    try:
        import optuna_dashboard  # noqa: F401
    except ImportError as error:
        raise InputError(
            "optuna-dashboard is not installed: pip install -e '.[dashboard]' in the checkout, "
            "or say --export-only."
        ) from error
    try:
        with closing(socket.socket()) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"--port: cannot listen on {host}:{port}: {reason}.") from error


def open_storage(path: Path) -> BaseStorage:
    """The Optuna storage in a file, made if there is none.

    Raises:
        InputError: if the file is something else, or there is no folder for it.
    """
    if not path.parent.is_dir():
        raise InputError(f"--to: there is no folder {path.parent}.")
    if os.path.lexists(path):
        _require_storage(path)
    if path.suffix in SQLITE:
        return RDBStorage(f"sqlite:///{path}")
    return JournalStorage(JournalFileBackend(str(path)))


def _require_storage(path: Path) -> None:
    """Nothing is added to a file that Optuna has not made."""
    holds_studies = _is_database if path.suffix in SQLITE else _is_journal
    if path.is_symlink() or not path.is_file() or not holds_studies(path):
        raise InputError(f"--to: {path} is there already and no Optuna storage; name another.")


def _is_database(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("select 1 from sqlite_master where name = 'studies'")
            return found.fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def _is_journal(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(1_000_000)
    try:
        return "op_code" in json.loads(first)
    except (ValueError, TypeError):
        return False


def _studies_of_run(
    storage: BaseStorage, path: Path, folder: RunFolder, first: Event, arms: Sequence[str]
) -> dict[str, optuna.Study]:
    """The studies of an earlier export, by arm.

    A run is known by when it began, since folders are moved and renamed.
    """
    found, taken = {}, set()
    for summary in optuna.get_all_study_summaries(storage):
        about = summary.user_attrs
        if about.get("begun") == first.time and about.get("algorithm") in arms:
            study = optuna.load_study(study_name=summary.study_name, storage=storage)
            found[about["algorithm"]] = study
        else:
            taken.add(summary.study_name)
    for arm in arms:
        if arm not in found and _name(folder, arm) in taken:
            raise InputError(
                f"--to: {path} holds a study '{_name(folder, arm)}' of another run; "
                "name another file."
            )
    return found


def _new_study(
    storage: BaseStorage, folder: RunFolder, first: Event, problem: Problem, arm: str
) -> optuna.Study:
    directions = optuna.study.StudyDirection
    direction = directions.MAXIMIZE if problem.mode == "max" else directions.MINIMIZE
    name = _name(folder, arm)
    study = optuna.create_study(study_name=name, storage=storage, direction=direction)
    study.set_user_attr("begun", first.time)
    study.set_user_attr("algorithm", arm)
    study.set_user_attr("baseline", arm == problem.baseline)
    study.set_user_attr("run", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([problem.metric])
    return study


def _name(folder: RunFolder, arm: str) -> str:
    return f"{folder.place.name}/{arm}"


def _bring_up_to_date(
    study: optuna.Study,
    table: TrialTable,
    distributions: Mapping[str, BaseDistribution],
    times: Times,
) -> None:
    """Adds the trials that are new and ends those that have ended since."""
    known = {each.user_attrs["trial"]: each for each in study.get_trials(deepcopy=False)}
    for trial in table.of_stage(SEARCH):
        if trial.arm != study.user_attrs["algorithm"]:
            continue
        told = _told(trial, distributions, times[trial.number])
        before = known.get(trial.number)
        if before is None:
            study.add_trial(told)
        elif not before.state.is_finished():
            _update(study._storage, before, told)


def _told(
    trial: Trial, distributions: Mapping[str, BaseDistribution], times: tuple[float, float]
) -> FrozenTrial:
    state, reports = STATES[trial.status], _reports(trial)
    has_value = reports and state in (TrialState.COMPLETE, TrialState.PRUNED)
    told = create_trial(
        state=state,
        value=list(reports.values())[-1] if has_value else None,
        params=trial.point,
        distributions=dict(distributions),
        intermediate_values=reports,
        user_attrs=_attributes(trial),
    )
    told.datetime_start = datetime.fromtimestamp(times[0])
    if state.is_finished():
        told.datetime_complete = datetime.fromtimestamp(times[1])
    return told


def _reports(trial: Trial) -> dict[int, float]:
    """Values by whole epochs of compute, which is what Optuna takes for a step."""
    return {step: rung.value for step, rung in zip(trial.steps, trial.rungs, strict=True)}


def _attributes(trial: Trial) -> dict[str, Any]:
    about = {
        "trial": trial.number,
        "origin": trial.origin,
        "seed": trial.seed,
        "compute": trial.compute,
        "seconds": trial.seconds,
    }
    if trial.reason is not None:
        about["reason"] = trial.reason
    return about | {f"config.{name}": value for name, value in flat(trial.config).items()}


def _update(storage: BaseStorage, before: FrozenTrial, told: FrozenTrial) -> None:
    """Tells an unfinished trial what has become of it."""
    identity = before._trial_id
    for step, value in told.intermediate_values.items():
        if step not in before.intermediate_values:
            storage.set_trial_intermediate_value(identity, step, value)
    for key, value in told.user_attrs.items():
        if before.user_attrs.get(key) != value:
            storage.set_trial_user_attr(identity, key, value)
    if told.state.is_finished():
        storage.set_trial_state_values(identity, told.state, told.values)


def _times(events: Sequence[Event]) -> Times:
    """The times of each trial's first and last event; a fork's trials start with the fork."""
    first = beginning(events)
    taken_over = [] if first.fork is None else first.fork["trials"]
    found = {trial["number"]: (first.time, first.time) for trial in taken_over}
    for event in events:
        if isinstance(event, OfTrial):
            begun, _ = found.get(event.number, (event.time, 0.0))
            found[event.number] = (begun, event.time)
    return found

"""The driver: a session carried out on a Ray cluster, up to the verdict and its files."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from automl_cl.execution import conclude, train, trial_resources
from automl_cl.journal import Event, Journal
from automl_cl.preparation import Prepared, prepare
from automl_cl.run_folder import RunFolder, write_whole
from automl_cl.session import Session
from automl_cl.spec import SearchSpec
from automl_cl.tensorboard_log import Board
from automl_cl.trials import TrialTable
from automl_cl.trials_file import write_trials
from automl_cl.tuned import Tuned
from automl_cl.verdict import Verdict
from cluster import concurrency, connect
from search_spaces import InputError
from trainables.scenario import Scenario

SHIPPED = ("search_spaces", "trainables")
VERSIONED = ("automl-cl", "torch", "ray", "optuna", "numpy")

Observer = Callable[[Event], None]
Watch = Callable[[TrialTable, Scenario], Observer]


@dataclass(frozen=True)
class SearchResult:
    """What a search came to.

    Attributes:
        folder: the run folder.
        scenario: what was searched.
        table: all trials.
        verdict: what `verdict.json` holds; None if the run was interrupted before.
    """

    folder: RunFolder
    scenario: Scenario
    table: TrialTable
    verdict: Verdict | None


def start(
    spec: SearchSpec,
    output: Path | None = None,
    address: str | None = None,
    watch: Watch | None = None,
    verbose: bool = False,
    say: Callable[[str], None] = print,
) -> SearchResult:
    """Runs a search from its beginning.

    Args:
        spec: the search.
        output: the run folder to make; None for a new one under `runs/`.
        address: of a Ray cluster; None for Ray on this machine.
        watch: called with trial table and scenario; what it returns is called with each event.
        verbose: lets Ray's own messages through.
        say: told what was guessed about the data, a line at a time, before anything is trained.

    Raises:
        InputError: if the spec names what is not there, or the folder is not empty.
        ClusterError: if the cluster cannot be reached, or a trial does not fit it.
    """
    RunFolder.require_free(output)
    prepared, occupied = prepare(spec), trial_resources(spec)
    spec = prepared.spec
    for note in prepared.view.notes:
        say(note)
    with ExitStack() as stack:
        stack.enter_context(_connection(spec, address, verbose))
        slots = concurrency(occupied)
        folder = RunFolder.create(output, f"{spec.scenario}-{_short_name(prepared.view.name)}")
        spec.write(folder.spec)
        journal = stack.enter_context(Journal.create(folder.journal))
        journal.append(
            "search",
            spec=spec.to_dict(),
            space=prepared.space.fingerprint(),
            data=prepared.view.fingerprint,
            versions=versions(),
        )
        return _run(prepared, folder, journal, slots, watch)


def resume(
    path: Path,
    trials: int | None = None,
    address: str | None = None,
    watch: Watch | None = None,
    verbose: bool = False,
) -> SearchResult:
    """Takes a run up again where its journal ends, or extends one that has ended.

    Args:
        path: the run folder.
        trials: how many search trials there are to be in all; None for as many as were wanted.
        address: as for `start`.
        watch: as for `start`.
        verbose: as for `start`.

    Raises:
        InputError: if it is no run folder, its journal is damaged, its data or space has changed,
            or `trials` is fewer than there have been.
    """
    folder = RunFolder.existing(path)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(folder.journal))
        spec = spec_of(journal.events, folder)
        prepared, occupied = prepare(spec), trial_resources(spec)
        _same_as_before(journal.events[0], prepared)
        _check_extension(spec, journal.events, trials)
        stack.enter_context(_connection(spec, address, verbose))
        slots = concurrency(occupied)
        if trials is not None:
            journal.append("extend", trials=trials)
        return _run(prepared, folder, journal, slots, watch)


def _short_name(name: str) -> str:
    """A data set's name without its suffix, as part of a folder's name."""
    return re.sub(r"[^\w.-]+", "-", Path(name).stem)


def spec_of(events: list[Event], folder: RunFolder) -> SearchSpec:
    """The spec that a journal begins with.

    Raises:
        InputError: if it begins with anything else.
    """
    if events[0]["event"] != "search" or "spec" not in events[0]:
        raise InputError(f"{folder.journal} does not begin with a search.")
    return SearchSpec.from_dict(events[0]["spec"], str(folder.journal))


def replayed(events: list[Event]) -> TrialTable:
    """The trial table of a journal's events."""
    table = TrialTable()
    for event in events:
        table.apply(event)
    return table


def versions() -> dict[str, str]:
    """The versions that decide what a seed gives."""
    found = {name: version(name) for name in VERSIONED}
    return {"python": platform.python_version(), **found}


def _connection(
    spec: SearchSpec, address: str | None, verbose: bool
) -> AbstractContextManager[None]:
    # Ray Train finds a dead group's resources only through the dashboard.
    grouped = spec.workers_per_trial > 1
    return connect(address, packages=SHIPPED, verbose=verbose, dashboard=grouped)


def _same_as_before(first: Event, prepared: Prepared) -> None:
    if first["data"] != prepared.view.fingerprint:
        raise InputError(
            f"the data '{prepared.spec.data}' is not what it was when the search began: "
            f"fingerprint {prepared.view.fingerprint}, then {first['data']}."
        )
    if first["space"] != prepared.space.fingerprint():
        raise InputError(
            "the search space is not what it was when the search began (an algorithm, optimizer "
            "or range has changed since): start a new search."
        )


def _check_extension(spec: SearchSpec, events: list[Event], trials: int | None) -> None:
    if trials is None:
        return
    table = replayed(events)
    if trials < table.budget:
        raise InputError(f"--trials: got {trials}, expected at least the {table.budget} so far.")
    replace(spec, trials=trials)  # refuses what no search may have


def _run(
    prepared: Prepared,
    folder: RunFolder,
    journal: Journal,
    slots: int,
    watch: Watch | None,
) -> SearchResult:
    session = Session(prepared.spec, folder, journal, prepared.scenario, prepared.space)
    board = Board(folder.tensorboard, session.table)
    session.observers.append(board.observe)
    if watch is not None:
        session.observers.append(watch(session.table, prepared.scenario))
    try:
        train(session, prepared, slots)
        if session.complete:
            conclude(session, prepared, slots)
    finally:
        write_trials(folder.trials, session.table)
        board.write_missing()
    if not session.complete:
        return SearchResult(folder, prepared.scenario, session.table, None)
    plan = session.table.plan
    judged = None if plan is None else session.table.verdict_of(plan)
    assert judged is not None
    verdict: Verdict = judged["verdict"]
    write_whole(folder.verdict, json.dumps(verdict, indent=2) + "\n")
    Tuned.of_search(prepared, session.table, verdict, versions()).write(folder.tuned)
    return SearchResult(folder, prepared.scenario, session.table, verdict)

"""The driver: a session carried out on a Ray cluster, up to the verdict and its files."""

from __future__ import annotations

import json
import platform
import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import Any, NoReturn

from automl_cl import __version__
from automl_cl.engine.aftermath import Loss, replace_process
from automl_cl.engine.execution import conclude, train, trial_resources
from automl_cl.engine.fork import Fork
from automl_cl.engine.interruption import Interruption
from automl_cl.engine.run_files import RunFiles
from automl_cl.engine.session import Session
from automl_cl.history.warm_start import WarmStart, warm_start
from automl_cl.history.writing import history_folder, require_history_folder
from automl_cl.results.tensorboard_log import Board
from automl_cl.results.tuned import Tuned
from automl_cl.run import events
from automl_cl.run.events import Event
from automl_cl.run.folder import RunFolder, write_whole
from automl_cl.run.journal import Journal
from automl_cl.run.journal_medium import Overtaken
from automl_cl.run.problem_event import problem_of
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec, refuse_edited, spec_of
from automl_cl.spec.trust import code_of_run, trust_flag
from automl_cl.strategy.stages import VerdictImpossible, shortfall
from automl_cl.terminal import say, say_error
from automl_cl.verdict.judge import Verdict
from cluster import (
    Capacity,
    ClusterError,
    Gone,
    concurrency,
    connect,
    said_while_waiting,
    watched_head,
)
from search_spaces import InputError
from trainables.foundation.storage import Place, is_uri, place
from trainables.foundation.temporary import clear_left_over
from trainables.foundation.user_code import guarded, refuse_code
from trainables.scenarios.scenario import Scenario

SHIPPED = ("search_spaces", "trainables")
PUBLISH_SECONDS = 60.0
CLUSTER_LOST = 3
"""The exit code where Ray is gone: its head, or the raylet here."""
VERSIONED = ("torch", "ray", "optuna", "numpy")

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
        lacking: what there was too little of, if a verdict was asked for before its time.
        objectives: what the Pareto front is about besides the metric, if the search named any.
        trust: the flag without which nothing goes on with it, where it has code of its own.
        fault: what kept a file about the run from being written, if something did; to be raised
            once the verdict is told.
    """

    folder: RunFolder
    scenario: Scenario
    table: TrialTable
    verdict: Verdict | None
    lacking: str | None = None
    objectives: Sequence[str] = ()
    trust: str = ""
    fault: Exception | None = None


@dataclass(frozen=True)
class Extension:
    """By what a search is made longer; None leaves a budget as it is.

    Attributes:
        trials: search trials in all.
        total_compute: compute of the search in all, in epochs of the plain baseline.
        time_limit: seconds of searching, counted anew after a verdict.
    """

    trials: int | None = None
    total_compute: float | None = None
    time_limit: float | None = None

    def fields(self) -> dict[str, float]:
        """What is given, as the journal's `extend` event holds it."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def check(self, spec: SearchSpec, table: TrialTable) -> None:
        """Refuses what would make the search shorter, or no search may have."""
        if self.trials is not None and self.trials < table.budget:
            raise InputError(
                f"--trials: got {self.trials}, expected at least the {table.budget} so far."
            )
        before = table.total_compute or 0.0
        if self.total_compute is not None and self.total_compute < before:
            raise InputError(
                f"--total-compute: got {self.total_compute:g}, expected at least the {before:g} "
                "so far."
            )
        replace(spec, **self.fields())  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Cluster:
    """Where a search runs: how many trials fit there at first, and the address it was given."""

    slots: int
    address: str | None


def start(
    spec: SearchSpec,
    output: str | Place | None = None,
    address: str | None = None,
    watch: Watch | None = None,
    verbose: bool = False,
    verdict_now: bool = False,
    announce: Callable[[str], None] = say_error,
    say: Callable[[str], None] = say,
    fork: Fork | None = None,
) -> SearchResult:
    """Runs a search from its beginning.

    Args:
        spec: the search.
        output: the run folder to make, a path or a URI; None for a new one under `runs/`.
        address: of a Ray cluster; None for Ray on this machine.
        watch: called with trial table and scenario; what it returns is called with each event.
        verbose: lets Ray's own messages through.
        verdict_now: an interruption ends the search, and what there is goes on to the verdict.
        announce: told what an interruption leads to.
        say: told what was guessed about the data, a line at a time, before anything is trained.
        fork: whose spec it is, if another search's trials are taken over.

    Raises:
        KeyboardInterrupt: if it is interrupted before there is anything to resume.
        InputError: if the spec names what is not there, the folder is not empty, or the history
            cannot be written to or read.
        ClusterError: if the cluster cannot be reached, or a trial does not fit it.
    """
    clear_left_over()
    RunFolder.require_free(output)
    spec = _with_whole_paths(spec)
    with Interruption(announce) as interruption, ExitStack() as stack:
        prepared, occupied = prepare(spec), trial_resources(spec)
        spec = prepared.spec
        for note in (*(() if fork is None else fork.notes), *prepared.view.notes, *prepared.notes):
            say(note)
        taken = None if fork is None else fork.taken_over(prepared)
        require_history_folder(history_folder(prepared, RunFolder.given(output)))
        warm = _advice(prepared)
        for condition in prepared.view.conditions:
            if condition not in prepared.view.notes:
                say(condition)
        with interruption.put_off():
            stack.enter_context(connect(address, packages=SHIPPED, verbose=verbose))
        slots = concurrency(occupied)
        folder = RunFolder.create(output, f"{spec.scenario}-{_short_name(prepared.view.name)}")
        # First of all, so that what a kill leaves here is known for ours, see `RunFolder`.
        journal = stack.enter_context(Journal.create(folder.journal))
        spec.write(folder.spec)
        folder.publish()
        journal.append(first_event(prepared, taken))
        _note(warm, journal)
        session = _session(prepared, folder, journal, verdict_now)
        _tell_left_out(session, say)
        with _saying_how_to_go_on(folder, spec):
            return _run(session, prepared, _Cluster(slots, address), watch, interruption)


def resume(
    run: str | Place,
    trials: int | None = None,
    address: str | None = None,
    watch: Watch | None = None,
    verbose: bool = False,
    verdict_now: bool = False,
    announce: Callable[[str], None] = say_error,
    total_compute: float | None = None,
    time_limit: float | None = None,
    trust_code: bool = False,
) -> SearchResult:
    """Takes a run up again where its journal ends, or extends one that has ended.

    Args:
        run: the run folder, a path or a URI.
        trials: how many search trials there are to be in all; None for as many as were wanted.
        address: as for `start`.
        watch: as for `start`.
        verbose: as for `start`.
        verdict_now: ends the search, if it is not over, and goes on to the verdict.
        announce: as for `start`.
        total_compute: compute of the search in all; None for as much as was wanted.
        time_limit: seconds of searching, counted anew after a verdict; None for as before.
        trust_code: lets the code run that the run folder names.

    Raises:
        KeyboardInterrupt: if it is interrupted before it has begun again.
        InputError: if it is no run folder, its journal is damaged, its search.yaml has been
            edited, its data or space has changed, an extension is none, there is too little for a
            verdict now, or it names code that is not trusted.
    """
    clear_left_over()
    folder, extension = RunFolder.existing(run), Extension(trials, total_compute, time_limit)
    with Interruption(announce) as interruption, ExitStack() as stack:
        journal = stack.enter_context(Journal.open(folder.journal))
        refuse_edited(journal.events, folder)
        spec = spec_of(journal.events, folder)
        if not trust_code:
            refuse_code(code_of_run(spec, journal.events), str(folder))
        stack.enter_context(guarded(str(folder), trust_code))
        prepared, occupied = prepare(spec), trial_resources(spec)
        _same_as_before(events.beginning(journal.events), prepared)
        table = replayed(journal.events)
        extension.check(spec, table)
        if verdict_now:
            _check_verdict_now(prepared, table, extension, folder)
        require_history_folder(history_folder(prepared, folder.place))
        # Noted before the first trial, since the history goes on to change.
        warm = None if table.warm_start or table.trials else _advice(prepared)
        with interruption.put_off():
            stack.enter_context(connect(address, packages=SHIPPED, verbose=verbose))
        slots = concurrency(occupied)
        if extension.fields():
            journal.append(events.Extend(**extension.fields()))  # type: ignore[arg-type]
        _note(warm, journal)
        session = _session(prepared, folder, journal, verdict_now)
        if verdict_now and session.closable:
            session.close_search()
        _tell_left_out(session, say)
        with _saying_how_to_go_on(folder, spec):
            return _run(session, prepared, _Cluster(slots, address), watch, interruption)


def _tell_left_out(session: Session, say: Callable[[str], None]) -> None:
    """Says which algorithms the budget does not suffice for."""
    missed, count = session.left_out(), len(session.arms)
    if missed and session.closable:
        say(
            f"{count - len(missed)} of {count} algorithms are tried, as the search has "
            f"{session.table.budget} trials; left out by a draw of the seed: {', '.join(missed)}. "
            f"All are tried with --trials {count} or more; --space names those to try."
        )


def _short_name(name: str) -> str:
    """A data set's name without its suffix, as part of a folder's name."""
    return re.sub(r"[^\w.-]+", "-", Path(name).stem)


def _with_whole_paths(spec: SearchSpec) -> SearchSpec:
    """The spec with folders that are the same ones wherever the run is resumed from."""
    given = {name: getattr(spec, name) for name in ("warm_start", "history")}
    whole: dict[str, Any] = {
        name: path if is_uri(path) else str(Path(path).expanduser().absolute())
        for name, path in given.items()
        if path
    }
    return replace(spec, **whole)


def _advice(prepared: Prepared) -> WarmStart | None:
    """What the history that the spec names advises to try."""
    folder = prepared.spec.warm_start
    return None if folder is None else warm_start(place(folder), prepared, say_error)


def _note(warm: WarmStart | None, journal: Journal) -> None:
    if warm is not None:
        journal.append(events.WarmStart(**vars(warm)))
        say_error(warm.words)


def versions() -> dict[str, str]:
    """The versions that decide what a seed gives."""
    found = {name: version(name) for name in VERSIONED}
    # Ours is not installed where only the code was shipped.
    return {"python": platform.python_version(), "automl-cl": __version__, **found}


def first_event(prepared: Prepared, taken: dict[str, Any] | None = None) -> events.Search:
    """The event that a search's journal begins with; `taken` is what a fork takes over."""
    return events.Search(
        spec=prepared.spec.to_dict(),
        space=prepared.space.fingerprint(),
        data=prepared.view.fingerprint,
        versions=versions(),
        run=token_hex(8),
        fork=taken,
    )


def _same_as_before(first: events.Search, prepared: Prepared) -> None:
    if first.data != prepared.view.fingerprint:
        raise InputError(
            f"the data '{prepared.spec.data}' is not what it was when the search began: "
            f"fingerprint {prepared.view.fingerprint}, then {first.data}."
        )
    if first.space != prepared.space.fingerprint():
        raise InputError(
            "the search space is not what it was when the search began (an algorithm, optimizer "
            "or range has changed since): start a new search."
        )


def _check_verdict_now(
    prepared: Prepared, table: TrialTable, extension: Extension, folder: RunFolder
) -> None:
    for name in extension.fields():
        flag = "--" + name.replace("_", "-")
        raise InputError(f"--verdict-now ends the search and {flag} extends it: give one of them.")
    lacking = shortfall(table, prepared.scenario.baseline)
    if lacking is not None:
        raise InputError(
            f"--verdict-now: {lacking}, which is too little for a verdict; go on searching with: "
            f"automl-cl resume {shlex.quote(str(folder))}{trust_flag(prepared.spec)}"
        )


def _session(
    prepared: Prepared, folder: RunFolder, journal: Journal, verdict_now: bool
) -> Session:
    session = Session(
        prepared.spec,
        folder,
        journal,
        prepared.scenario,
        prepared.space,
        prepared.least_horizon,
    )
    session.verdict_now = verdict_now
    return session


def _run(
    session: Session,
    prepared: Prepared,
    cluster: _Cluster,
    watch: Watch | None,
    interruption: Interruption,
) -> SearchResult:
    if session.table.problem is None:
        about = prepared.scenario, prepared.view, prepared.space, prepared.model
        session.write(problem_of(*about))
    folder, board = session.folder, Board(session.folder.tensorboard, session.table)
    session.observers += [board.observe, _publisher(folder)]
    if watch is not None:
        session.observers.append(watch(session.table, prepared.scenario))
    files = RunFiles(session, prepared, board, versions())
    try:
        result = _carry_out(session, prepared, cluster, interruption)
    except Overtaken:
        raise  # what else is in the folder is the other driver's
    except BaseException as error:
        with interruption.answered_by(lambda: None, lambda: "stopping"):
            files.write_what_can_be()
        if isinstance(error, VerdictImpossible):
            raise files.told_with_them(error) from error
        raise
    with interruption.answered_by(lambda: None, lambda: "stopping"):
        fault = files.write()
    if fault is None:
        return result
    return replace(result, fault=_with_the_way_on(fault, session.folder, prepared.spec))


@contextmanager
def _saying_how_to_go_on(folder: RunFolder, spec: SearchSpec) -> Iterator[None]:
    try:
        yield
    except (ClusterError, OSError) as error:
        told = _with_the_way_on(error, folder, spec)
        if told is error:
            raise
        raise told from error


def _with_the_way_on(error: Exception, folder: RunFolder, spec: SearchSpec) -> Exception:
    """The error with how to go on once its cause is mended, where that can be done."""
    how = f"(then go on with: automl-cl resume {shlex.quote(str(folder))}{trust_flag(spec)})"
    if isinstance(error, ClusterError):
        return type(error)(f"{error} {how}")
    gone = isinstance(error, FileNotFoundError)  # the folder is
    if not isinstance(error, OSError) or error.strerror is None or gone:
        return error
    return type(error)(error.errno, f"{error.strerror} {how}", error.filename or str(folder))


def _publisher(folder: RunFolder) -> Observer:
    """Brings the logs at a URI up to date from time to time."""
    published = time.monotonic()

    def observe(event: Event) -> None:
        nonlocal published
        if time.monotonic() - published > PUBLISH_SECONDS:
            folder.publish()
            published = time.monotonic()

    return observe


def _lost(folder: RunFolder, address: str | None, trust: str, gone: Gone) -> NoReturn:
    """Ends the process: much of Ray hangs without its head, and Ray would end it with less."""
    there = "" if address is None else f" --address {address}"
    when = "" if address is None else "when Ray is up again "
    go_on = f"{when}go on with: automl-cl resume {shlex.quote(str(folder))}{there}{trust}"
    replace_process(Loss(str(folder), gone.words, go_on, CLUSTER_LOST, gone.logs, gone.raylet))


def _carry_out(
    session: Session,
    prepared: Prepared,
    cluster: _Cluster,
    interruption: Interruption,
) -> SearchResult:
    folder, trust = session.folder, trust_flag(prepared.spec)
    with watched_head(cluster.address, partial(_lost, folder, cluster.address, trust)):
        _search_and_judge(session, prepared, cluster, interruption)
    plan = session.table.plan
    judged = None if plan is None else session.table.verdict_of(plan)
    result = SearchResult(
        folder,
        prepared.scenario,
        session.table,
        None,
        session.lacking,
        prepared.spec.objectives,
        trust_flag(prepared.spec),
    )
    if not session.complete or judged is None:
        return result
    verdict: Verdict = judged.verdict
    write_whole(folder.verdict, json.dumps(verdict, indent=2) + "\n")
    Tuned.of_search(prepared, session.table, verdict, versions()).write(folder.tuned)
    return replace(result, verdict=verdict, lacking=None)


def _search_and_judge(
    session: Session, prepared: Prepared, cluster: _Cluster, interruption: Interruption
) -> None:
    """Trains and judges, and does so again where weights were lost before they were judged."""
    occupied, say = trial_resources(prepared.spec), interruption.announce
    session.announce = say
    while True:
        with interruption.answered_by(session.interrupt, session.on_interruption):
            if not session.complete:
                with said_while_waiting(occupied, say):
                    train(session, prepared, Capacity(occupied, cluster.slots, say))
        if not session.complete:
            return
        try:
            conclude(session, prepared, cluster.slots)
        except KeyboardInterrupt:
            return  # the same plan is judged again
        if session.complete:
            return

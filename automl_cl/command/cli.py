"""The command line: parse, call, print. Whatever is slow to import is imported in a command."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from automl_cl.command import options
from automl_cl.command.command_line import Command, Misuse, misused
from automl_cl.command.setting_flags import of_fork, of_reading, of_search, with_settings
from automl_cl.spec.settings import Request, settings_of
from automl_cl.terminal import (
    fail,
    say,
    say_block,
    say_error,
    say_json,
    say_log,
    say_paragraph,
    say_pieces,
    say_table,
    say_traceback,
)

if TYPE_CHECKING:
    from automl_cl.command.progress import Progress
    from automl_cl.engine.driver import SearchResult

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback()
def automl_cl(version: options.Version = False) -> None:
    """Find the best way to teach a model: algorithm, pacing, optimizer, schedule together."""


@app.command(cls=Command)
@with_settings(Request, after="from_file", which=of_search, with_defaults=True)
def search(
    context: typer.Context,
    from_file: options.FromFile = None,
    verbose: options.Verbose = False,
    **settings: Any,
) -> None:
    """Search, confirm, judge on the sealed test, and write [bold]tuned.yaml[/]."""
    with _when_interrupted("stopped before the search began; nothing was written"):
        from automl_cl.engine.driver import start
        from automl_cl.spec.asked import asked_search
        from trainables.foundation.user_code import guarded

        asked = asked_search(context.params, _given(context))
        spec = asked.spec
        guard = guarded(asked.origin, asked.trusted, asked.named)
        with guard, _progress(spec.scenario) as progress:
            result = start(spec, **_where(settings), **_how(progress, verbose))
    _report(result)


@app.command(
    cls=Command, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def submit(
    context: typer.Context,
    file: options.SearchFile,
    address: options.JobsAddress,
    output: options.OutputThere = None,
    ship: options.Ship = None,
    wait: options.Wait = True,
) -> None:
    """Run a [bold]search.yaml[/] as a job of a Ray cluster; all options of `search` may follow."""
    command = typer.main.get_command(app).commands["search"]  # type: ignore[attr-defined]
    asked = command.make_context("search", ["--from", str(file), *context.args], context.parent)
    with _when_interrupted("stopped; nothing was submitted"):
        from pathlib import Path

        from automl_cl.command.submission import package, shipped_with
        from automl_cl.spec.asked import asked_search
        from cluster.jobs import follow, require_jobs, submit_job

        spec = asked_search(asked.params, _given(asked)).spec
        job = package(spec, Path.cwd(), ship or [], output)
        client = require_jobs(address)
        with shipped_with(job) as folder:
            number = submit_job(client, folder, job.command)
    say(f"submitted: {number}")
    say(f"run folder on the cluster: {job.output}")
    after = f"ray job logs --follow --address {address} {number}"
    if not wait:
        say(f"follow it with: {after}")
        return
    with _when_interrupted(f"no longer following; the job goes on, see: {after}"):
        raise typer.Exit(follow(client, number, say_log))


@app.command(cls=Command)
def resume(
    run: options.Run,
    trials: options.TrialsInAll = None,
    total_compute: options.TotalComputeInAll = None,
    time_limit: options.TimeLimitAnew = None,
    address: options.Address = None,
    verdict_now: options.VerdictNow = False,
    trust_code: options.TrustCode = False,
    verbose: options.Verbose = False,
) -> None:
    """Go on where a run ended, was stopped or was killed; or extend it."""
    again = f"automl-cl resume {shlex.quote(run)}{' --trust-code' if trust_code else ''}"
    with _when_interrupted(f"stopped at the start; go on with: {again}"):
        from automl_cl.engine import driver
        from automl_cl.run.folder import RunFolder
        from automl_cl.run.journal import read_events
        from automl_cl.spec.forms import Duration
        from automl_cl.spec.search_spec import spec_of

        seconds = (
            None if time_limit is None else Duration(ends=True).read(time_limit, "--time-limit")
        )
        folder = RunFolder.existing(run)
        spec = spec_of(read_events(folder.journal), folder)
        with _progress(spec.scenario) as progress:
            watch, announce = progress.watch, progress.announce
            result = driver.resume(
                run,
                trials,
                address,
                watch,
                verbose,
                verdict_now,
                announce,
                total_compute,
                seconds,
                trust_code,
            )
    _report(result)


@app.command(cls=Command)
@with_settings(Request, after="run", which=of_fork)
def fork(
    context: typer.Context,
    run: options.AnyRun,
    verbose: options.Verbose = False,
    **settings: Any,
) -> None:
    """Begin a new search with what another one has found; options not given are as there."""
    with _when_interrupted("stopped before the search began; nothing was written"):
        from automl_cl.engine.driver import start
        from automl_cl.engine.fork import Fork
        from trainables.foundation.user_code import guarded

        trusted = bool(settings["trust_code"])
        given = {name: value for name, value in settings.items() if name in _given(context)}
        new = Fork.of(run, settings_of(given), trusted)
        with guarded(run, trusted), _progress(new.spec.scenario) as progress:
            result = start(new.spec, fork=new, **_where(settings), **_how(progress, verbose))
    _report(result)


@app.command("history", cls=Command)
def history_(
    folder: options.AnyHistory,
    as_json: options.AsJson = False,
) -> None:
    """Show what a history holds: searches, tasks, and the best of each algorithm on them."""
    from automl_cl.history.overview import overview
    from automl_cl.history.reading import read_history
    from trainables.foundation.storage import place

    skipped: list[str] = []
    records = read_history(place(folder), skipped.append)
    for line in skipped:
        say_error(f"Warning: {line}")
    if not records:
        fail(f"Error: history {folder}: none of its files could be read as history.", 2)
    found = overview(records)
    if as_json:
        say_json({**found.plain(), "left_out": skipped})
        return
    say(f"{found.words()} in {folder}")
    for headers, rows in found.tables():
        say()
        say_table(headers, rows, _of_numbers(rows))


@app.command(cls=Command)
def export(
    run: options.Run,
    to: options.To,
    weights: options.Weights = False,
    trust_code: options.TrustCode = False,
) -> None:
    """Write a run's tuned config to a file of its own."""
    from automl_cl.results.export import export_run

    for written in export_run(run, to, weights, trust_code):
        say(str(written))


@app.command(cls=Command)
def report(
    run: options.AnyRun,
    to: options.ReportFile = None,
    force: options.Force = False,
) -> None:
    """Write [bold]report.html[/]: the whole search on one page that needs no network."""
    from automl_cl.results.report import report_run

    say(str(report_run(run, to, force)))


@app.command(cls=Command)
def dashboard(
    run: options.AnyRun,
    to: options.OptunaStorage = None,
    export_only: options.ExportOnly = False,
    host: options.Host = "127.0.0.1",
    port: options.Port = 8080,
) -> None:
    """Show the trials in optuna-dashboard, one study an algorithm."""
    from automl_cl.results.dashboard import export_studies, require_dashboard, serve
    from trainables.foundation.storage import is_uri, place

    if not export_only:
        require_dashboard(host, port)
    storage = export_studies(run, to)
    remote = to is None and is_uri(run)
    say(f"written: {place(run) / storage.name if remote else storage}")
    if not export_only:
        say(f"dashboard: http://{host}:{port} (Ctrl-C ends it)")
        serve(storage, host, port)


@app.command(cls=Command)
@with_settings(Request, after="data", which=of_reading)
def train(
    tuned: options.TunedFile,
    data: options.OtherData = None,
    seed: options.TrainingSeed = 0,
    device: options.Device = "cpu",
    output: options.TrainingOutput = None,
    trust_code: options.TrustCode = False,
    **reading: Any,
) -> None:
    """Train a tuned config from scratch, without Ray, and write its weights."""
    from automl_cl.results.export import train_tuned

    given = settings_of(reading)["data_options"]
    folder, metrics = train_tuned(tuned, data, seed, device, output, given, say, trust_code)
    say("validation: " + ", ".join(f"{k} {v:.4f}" for k, v in metrics.items()))
    say(f"written: {folder}")


@app.command(cls=Command)
@with_settings(Request, after="output", which=of_reading)
def pretrain(
    data: options.DataBefore,
    model: options.ModelToPretrain,
    output: options.WeightsFile,
    epochs: options.Epochs = 10,
    seed: options.PretrainingSeed = 0,
    sizes: options.Sizes = None,
    device: options.Device = "cpu",
    **reading: Any,
) -> None:
    """Train a backbone on other data, plainly and without Ray, for searches to start from."""
    from automl_cl.results.export import pretrain_backbone
    from automl_cl.spec.forms import Pairs

    given = settings_of(reading)["data_options"]
    backbone = pretrain_backbone(
        data, model, output, epochs, seed, device, Pairs().read(sizes or [], "--set"), given, say
    )
    say(f"validation accuracy on {backbone.data}: {backbone.accuracy:.4f}")
    say(f"written: {output}")


@app.command("list", cls=Command)
def list_(
    kind: options.Kind,
    scenario: options.OfScenario = None,
    markdown: options.AsMarkdown = False,
) -> None:
    """List what there is to choose from."""
    from automl_cl.command.catalogue import entries, markdown_table

    found, columns = entries(kind, scenario), ("name", "scenario", "what")
    if markdown:
        for each in markdown_table(found).splitlines():
            say(each)
        return
    say_table(columns, [[entry[column] for column in columns] for entry in found])


@app.command(cls=Command)
def describe(
    name: options.Part,
) -> None:
    """Say what one of them is, with its hyperparameters, defaults and ranges."""
    from automl_cl.command.catalogue import OF_SEARCHES, UNTUNED, described

    for found in described(name):
        say_pieces((name, "bold"), (f" ({found.kind})", ""))
        say()
        for paragraph in found.text.split("\n\n"):
            say_paragraph(paragraph)
            say()
        chosen_once = found.kind in {base.kind for base in OF_SEARCHES}
        untuned = found.kind in UNTUNED
        what = "option" if untuned else "setting" if chosen_once else "hyperparameter"
        columns = (what, "default", "what" if untuned else "allowed")
        fields = ("name", "default", "allowed")
        if found.hyperparameters:
            say_table(columns, [[each[f] for f in fields] for each in found.hyperparameters])
        elif not untuned:
            say(f"It has no {what}s.")


@app.command(cls=Command)
def doctor(
    runs: options.Storage = None,
    address: options.OtherAddress = None,
    ray: options.Ray = True,
    as_json: options.AsJson = False,
) -> None:
    """Check installation, versions, hardware, Ray and storage, and say what to do."""
    from dataclasses import asdict

    from automl_cl.command.doctor import diagnose, summary
    from automl_cl.run.folder import RUNS
    from trainables.foundation.storage import place

    findings = []
    for finding in diagnose(place(runs or RUNS), address or None, ray):
        findings.append(finding)
        if not as_json:
            style = {"ok": "green", "warning": "yellow", "problem": "red"}[finding.state]
            words = f"{finding.about:<16} {finding.what}"
            say_pieces((f"{finding.state:<9}", style), (words, ""))
        if finding.remedy and not as_json:
            say(f"{'':<26}→ {finding.remedy}")
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        say()
        say(summary(findings))
    raise typer.Exit(1 if any(finding.state == "problem" for finding in findings) else 0)


def _where(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What `start` is told of one run."""
    return {
        "output": settings["output"],
        "address": settings["address"],
        "verdict_now": bool(settings["verdict_now"]),
    }


def _how(progress: Progress, verbose: bool) -> dict[str, Any]:
    """How `start` says what goes on."""
    return {"watch": progress.watch, "announce": progress.announce, "verbose": verbose}


def _of_numbers(rows: list[list[str]]) -> list[int]:
    """The columns that hold numbers."""
    cells = [[cell[:1].isdigit() and "-" not in cell for cell in row] for row in rows]
    return [column for column, found in enumerate(zip(*cells, strict=True)) if all(found)]


def _given(context: typer.Context) -> set[str]:
    """The names of what the user gave, as against defaults."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name != "DEFAULT"}


def _progress(scenario: str) -> Progress:
    from automl_cl.command.progress import Progress
    from automl_cl.terminal import Screen
    from trainables.scenarios.scenario import load_scenario

    return Progress(Screen(), load_scenario(scenario))


def _report(result: SearchResult) -> None:
    """Prints the leaderboard, the verdict and where the results are."""
    from automl_cl.command.progress import arms_table, failures, front_table
    from automl_cl.verdict.judge import words

    folder = result.folder
    say()
    say_block(arms_table(result.table, result.scenario))
    if result.objectives:
        say()
        say_block(front_table(result.table, result.scenario, result.objectives))
    for words_of_failures in failures(result.table, folder.shown(folder.failures)):
        say()
        say(words_of_failures)
    say()
    say(f"report: {folder.shown(folder.report)}")
    say()
    if result.verdict is None:
        _raise_fault(result)
        why = "" if result.lacking is None else f" ({result.lacking})"
        fail(
            f"stopped before the verdict{why}; go on with: automl-cl resume "
            f"{shlex.quote(str(folder))}{result.trust}",
            130,
        )
    for line in words(result.verdict):
        say(line)
    tuned = folder.shown(folder.tuned)
    say()
    say(f"tuned config: {tuned}")
    say(f"use it with:  automl-cl train {shlex.quote(str(tuned))}{result.trust}")
    _raise_fault(result)


def _raise_fault(result: SearchResult) -> None:
    """Ends with what kept a file from being written, now that all else is told."""
    if result.fault is not None:
        raise result.fault


@contextmanager
def _when_interrupted(message: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        fail(message, 130)


def main() -> None:
    """The `automl-cl` command. What the user can mend ends with one line, not a traceback."""
    try:
        sys.exit(app(standalone_mode=False))
    except Misuse as error:
        misused(error)
    except (typer.Abort, KeyboardInterrupt):
        fail("stopped", 130)
    except Exception as error:
        _ended_by(error)


def _ended_by(error: Exception) -> NoReturn:
    """Ends with the line of an error that the user can mend, or the traceback of our own fault."""
    # Imported only now: no `--help` is to wait for them.
    from cluster import ClusterError
    from search_spaces.errors import InputError

    if isinstance(error, InputError | ClusterError):
        fail(f"Error: {error}", 2)
    if isinstance(error, OSError) and error.filename is not None:
        fail(f"Error: {error.filename}: {error.strerror}.", 2)
    if isinstance(error, RuntimeError):
        from automl_cl.strategy.stages import VerdictImpossible

        if isinstance(error, VerdictImpossible):
            fail(f"Error: {error}.", 1)
    _fault(error)


def _fault(error: Exception) -> NoReturn:
    """Ends with the traceback of what is our own fault."""
    say_traceback(error)
    sys.exit(1)

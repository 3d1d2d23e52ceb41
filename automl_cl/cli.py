"""The command line: parse, call, print. Whatever is slow to import is imported in a command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from automl_cl import __version__
from automl_cl.data_flags import (
    DATA_HELP,
    MODEL_HELP,
    DataOption,
    DropColumns,
    FeatureColumns,
    ImageSize,
    LabelColumn,
    data_options,
)

if TYPE_CHECKING:
    from rich.console import Console

    from automl_cl.driver import SearchResult
    from automl_cl.progress import Progress

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

COLUMNS = ("hyperparameter", "default", "allowed")
Tuning = "Search"
Running = "Where it runs"

Trials = Annotated[int, typer.Option(help="Trials of the search.", rich_help_panel=Tuning)]
Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster to use; without it Ray starts here.", rich_help_panel=Running),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"automl-cl {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Ray's own messages.")]


@app.callback()
def options(version: Version = False) -> None:
    """Find the best way to teach a model: algorithm, pacing, optimizer, schedule together."""


@app.command()
def search(
    scenario: Annotated[str, typer.Argument(help="Kind of problem, see `list scenarios`.")],
    data: Annotated[str, typer.Option(help=DATA_HELP)],
    label_column: LabelColumn = None,
    feature_columns: FeatureColumns = None,
    drop_columns: DropColumns = None,
    image_size: ImageSize = None,
    data_option: DataOption = None,
    noise: Annotated[
        str,
        typer.Option(help="Label noise to put in: 0.4, symmetric:0.4 or asymmetric:0.4."),
    ] = "none",
    model: Annotated[
        str | None, typer.Option(help=f"{MODEL_HELP} Chosen by the data if not given.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="YAML file that narrows the search space, or the preset quick.",
            rich_help_panel=Tuning,
        ),
    ] = None,
    labels: Annotated[
        int | None, typer.Option(help="Labels that a semi-supervised search may use.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE: another setting of the scenario's own; repeat it."
        ),
    ] = None,
    trials: Trials = 100,
    max_epochs: Annotated[
        float,
        typer.Option(
            help="Compute cap of a trial, in epochs of the plain baseline.", rich_help_panel=Tuning
        ),
    ] = 30.0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            help="Seconds of searching; start, confirmation and verdict not counted.",
            rich_help_panel=Tuning,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Fresh seeds of the verdict.", rich_help_panel=Tuning)
    ] = 10,
    seed: Annotated[
        int,
        typer.Option(help="Decides split, noise and proposals.", rich_help_panel=Tuning),
    ] = 0,
    fidelity: Annotated[
        str,
        typer.Option(
            help="Below the last rung: prefix (one run, resumed) or compressed (shorter runs).",
            rich_help_panel=Tuning,
        ),
    ] = "prefix",
    cpus_per_trial: Annotated[
        float, typer.Option(help="CPUs of a trial.", rich_help_panel=Running)
    ] = 1.0,
    gpus_per_trial: Annotated[
        float,
        typer.Option(help="GPUs of a trial; 0.25 lets four share one.", rich_help_panel=Running),
    ] = 0.0,
    workers_per_trial: Annotated[
        int,
        typer.Option(
            help="Ray Train workers of a trial, its CPUs and GPUs shared.", rich_help_panel=Running
        ),
    ] = 1,
    address: Address = None,
    output: Annotated[
        Path | None, typer.Option(help="Run folder to make; runs/TIME-… if not given.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Search, confirm, judge on the sealed test, and write [bold]tuned.yaml[/]."""
    from automl_cl.driver import start
    from automl_cl.preparation import located
    from automl_cl.spec import SearchSpec
    from search_spaces import read_narrowing

    spec = SearchSpec(
        scenario=scenario,
        data=located(data),
        data_options=data_options(
            label_column, feature_columns, drop_columns, image_size, data_option
        ),
        noise=noise,
        model=model,
        space={} if space is None else dict(read_narrowing(space)),
        settings=_settings(labels, settings or []),
        trials=trials,
        max_epochs=max_epochs,
        time_limit=time_limit,
        seeds=seeds,
        seed=seed,
        fidelity=fidelity,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        workers_per_trial=workers_per_trial,
    )
    console = _console()
    with _progress(console, spec.scenario, time_limit) as progress:
        result = start(spec, output, address, progress.watch, verbose)
    _report(console, result)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    trials: Annotated[
        int | None,
        typer.Option(help="Search trials in all; more than there were extends the search."),
    ] = None,
    address: Address = None,
    verbose: Verbose = False,
) -> None:
    """Go on where a run ended, was stopped or was killed; or extend it."""
    from automl_cl import driver
    from automl_cl.journal import read_events
    from automl_cl.run_folder import RunFolder

    folder = RunFolder.existing(run)
    spec = driver.spec_of(read_events(folder.journal), folder)
    console = _console()
    with _progress(console, spec.scenario, spec.time_limit) as progress:
        result = driver.resume(run, trials, address, progress.watch, verbose)
    _report(console, result)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    to: Annotated[Path, typer.Option(help="File to write.")],
    weights: Annotated[
        bool, typer.Option("--weights", help="Write the weights beside it, as .safetensors.")
    ] = False,
) -> None:
    """Write a run's tuned config to a file of its own."""
    from automl_cl.export import export_run

    for written in export_run(run, to, weights):
        typer.echo(written)


@app.command()
def train(
    tuned: Annotated[Path, typer.Argument(help="A tuned.yaml.")],
    data: Annotated[
        str | None, typer.Option(help="Other data; without it, what it was found on.")
    ] = None,
    label_column: LabelColumn = None,
    feature_columns: FeatureColumns = None,
    drop_columns: DropColumns = None,
    image_size: ImageSize = None,
    data_option: DataOption = None,
    seed: Annotated[int, typer.Option(help="Decides initialisation, order, augmentation.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    output: Annotated[
        Path | None, typer.Option(help="Folder to make; runs/TIME-… if not given.")
    ] = None,
) -> None:
    """Train a tuned config from scratch, without Ray, and write its weights."""
    from automl_cl.export import train_tuned

    options = data_options(label_column, feature_columns, drop_columns, image_size, data_option)
    folder, metrics = train_tuned(tuned, data, seed, device, output, options)
    typer.echo("validation: " + ", ".join(f"{k} {v:.4f}" for k, v in metrics.items()))
    typer.echo(f"written: {folder}")


@app.command()
def pretrain(
    data: Annotated[str, typer.Option(help="Data to pre-train on, other than what comes after.")],
    model: Annotated[str, typer.Option(help=MODEL_HELP)],
    output: Annotated[Path, typer.Option(help="File to write, as .safetensors.")],
    label_column: LabelColumn = None,
    feature_columns: FeatureColumns = None,
    drop_columns: DropColumns = None,
    image_size: ImageSize = None,
    data_option: DataOption = None,
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 10,
    seed: Annotated[int, typer.Option(help="Decides split, initialisation and order.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a backbone on other data, plainly and without Ray, for searches to start from."""
    from automl_cl.export import pretrain_backbone

    options = data_options(label_column, feature_columns, drop_columns, image_size, data_option)
    backbone = pretrain_backbone(data, model, output, epochs, seed, device, options)
    typer.echo(f"validation accuracy on {backbone.data}: {backbone.accuracy:.4f}")
    typer.echo(f"written: {output}")


@app.command("list")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="algorithms, data, models, optimizers, schedules, augmentations, pacings, "
            "scorers or scenarios."
        ),
    ],
    scenario: Annotated[str | None, typer.Option(help="Of this scenario only.")] = None,
) -> None:
    """List what there is to choose from."""
    from rich.table import Table

    from automl_cl.catalogue import entries

    table = Table(box=None, pad_edge=False)
    for column in ("name", "scenario", "what"):
        table.add_column(column, no_wrap=column != "what")
    for entry in entries(kind, scenario):
        table.add_row(entry["name"], entry["scenario"], entry["what"])
    _console().print(table)


@app.command()
def describe(
    name: Annotated[str, typer.Argument(help="Anything that `list` shows, or `training`.")],
) -> None:
    """Say what one of them is, with its hyperparameters, defaults and ranges."""
    from rich.table import Table

    from automl_cl.catalogue import UNTUNED, described

    console = _console()
    for found in described(name):
        console.print(f"[bold]{name}[/] ({found.kind})\n")
        for paragraph in found.text.split("\n\n"):
            console.print(" ".join(paragraph.split()), "", sep="\n", highlight=False, markup=False)
        table = Table(box=None, pad_edge=False)
        untuned = found.kind in UNTUNED
        for column in ("option", "default", "what") if untuned else COLUMNS:
            table.add_column(column, overflow="fold")
        for field in found.hyperparameters:
            table.add_row(field["name"], field["default"], field["allowed"])
        if table.rows or not untuned:
            console.print(table if table.rows else "It has no hyperparameters.")


def _console() -> Console:
    from rich.console import Console

    return Console()


def _settings(labels: int | None, given: list[str]) -> dict[str, object]:
    """The scenario's own settings, from their flags."""
    from search_spaces import InputError, parse_yaml

    found: dict[str, object] = {} if labels is None else {"labels": labels}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputError(f"--set: got '{each}', expected NAME=VALUE.")
        found[name] = parse_yaml(value, f"--set {name}")
    return found


def _progress(console: Console, scenario: str, time_limit: float | None) -> Progress:
    from automl_cl.progress import Progress
    from trainables.scenario import load_scenario

    return Progress(console, load_scenario(scenario), time_limit)


def _report(console: Console, result: SearchResult) -> None:
    """Prints the leaderboard, the verdict and where the results are."""
    from automl_cl.progress import arms_table
    from automl_cl.verdict import words

    console.print("")
    console.print(arms_table(result.table, result.scenario))
    console.print("")
    if result.verdict is None:
        _fail(
            f"stopped before the verdict; go on with: automl-cl resume {result.folder.path}", 130
        )
    for line in words(result.verdict):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"\ntuned config: {result.folder.tuned}", highlight=False, soft_wrap=True)
    console.print(
        f"use it with:  automl-cl train {result.folder.tuned}", highlight=False, soft_wrap=True
    )


def _fail(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code)


def main() -> None:
    """The `automl-cl` command. What the user can mend ends with one line, not a traceback."""
    from cluster import ClusterError
    from search_spaces.errors import InputError

    try:
        app()
    except (InputError, ClusterError) as error:
        _fail(f"Error: {error}", 2)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"Error: {error.filename}: {error.strerror}.", 2)
    except RuntimeError as error:
        # Known by now; imported above it would make every `--help` wait for torch.
        from automl_cl.stages import VerdictImpossible

        if not isinstance(error, VerdictImpossible):
            raise
        _fail(f"Error: {error}.", 1)

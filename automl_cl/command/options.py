"""Arguments and options of the command line, but for a search's settings: type, flag and help.

Commands put them into their signatures with a default of their own, so that what two commands
share is the same in both. Settings come from `automl_cl.spec.settings`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_cl import __version__
from automl_cl.spec.settings import MODEL_HELP, RUNNING
from automl_cl.terminal import say

# A search from a file, and one made longer.

FromFile = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="SEARCH.yaml",
        help="The search to run, such as a run folder's search.yaml; other options change it.",
    ),
]
TrialsInAll = Annotated[
    int | None, typer.Option(help="Search trials in all; more than there were extends the search.")
]
TotalComputeInAll = Annotated[
    float | None, typer.Option(help="Compute of the search in all, in epochs; extends it.")
]
TimeLimitAnew = Annotated[
    str | None,
    typer.Option(
        help="Time of searching, in seconds or such as 10m; after a verdict it counts anew."
    ),
]
VerdictNow = Annotated[
    bool,
    typer.Option(
        "--verdict-now", help="End the search here, and go on to the verdict with what there is."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster to use; without it Ray starts here.", rich_help_panel=RUNNING),
]

# Jobs of a cluster.

SearchFile = Annotated[
    Path, typer.Argument(metavar="SEARCH.yaml", help="A search, such as a run's search.yaml.")
]
JobsAddress = Annotated[
    str, typer.Option(help="The head's dashboard, such as http://127.0.0.1:8265.")
]
OutputThere = Annotated[
    str | None,
    typer.Option(
        help="Run folder to make on the cluster, on a disk that all its nodes share, or a URI; "
        "~/automl-cl-runs/TIME-… if not given."
    ),
]
Ship = Annotated[
    list[Path] | None,
    typer.Option(
        help="A file or folder of the working folder to ship besides what SEARCH.yaml names; "
        "repeat it."
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow the job's log and end as it does.")
]

# Runs and files.

Run = Annotated[str, typer.Argument(help="Run folder, a path or a URI.")]
AnyRun = Annotated[
    str, typer.Argument(help="Run folder, a path or a URI, of a finished search or not.")
]
AnyHistory = Annotated[
    str, typer.Argument(help="Folder or URI of a history, such as runs/history.")
]
ReportFile = Annotated[
    Path | None, typer.Option(help="File to write; RUN/report.html, made anew, if not given.")
]
Force = Annotated[bool, typer.Option("--force", help="Write over the file that --to names.")]
OptunaStorage = Annotated[
    Path | None,
    typer.Option(
        help="Optuna storage to write or bring up to date: SQLite if it ends in .db, else "
        "Optuna's journal; RUN/optuna.jsonl if not given."
    ),
]
ExportOnly = Annotated[
    bool, typer.Option("--export-only", help="Write the storage and open nothing.")
]
Host = Annotated[str, typer.Option(help="Address to listen on; others reach it on 0.0.0.0.")]
Port = Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)]
To = Annotated[Path, typer.Option(help="File to write.")]
Weights = Annotated[
    bool, typer.Option("--weights", help="Write the weights beside it, as .safetensors.")
]
WeightsFile = Annotated[Path, typer.Option(help="File to write, as .safetensors.")]
TunedFile = Annotated[str, typer.Argument(help="A tuned.yaml, at a path or a URI.")]

Storage = Annotated[
    str | None,
    typer.Option("--runs", help="Folder or URI for run folders; ./runs if not given."),
]
OtherAddress = Annotated[
    str | None,
    typer.Option(
        envvar="RAY_ADDRESS", help="Running Ray cluster to look at as well.", show_envvar=True
    ),
]
Ray = Annotated[
    bool, typer.Option("--ray/--no-ray", help="Look at Ray as well, which takes some seconds.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON list.")]

# One training.

TrainingOutput = Annotated[
    Path | None, typer.Option(help="Folder to make; runs/TIME-… if not given.")
]
OtherData = Annotated[
    str | None, typer.Option(help="Other data; without it, what it was found on.")
]
DataBefore = Annotated[
    str, typer.Option(help="Data to pre-train on, other than what comes after.")
]
ModelToPretrain = Annotated[str, typer.Option(help=MODEL_HELP)]
Epochs = Annotated[int, typer.Option(help="Passes over the data.")]
TrainingSeed = Annotated[int, typer.Option(help="Decides initialisation, order, augmentation.")]
Sizes = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: a size of the model, such as width=16; repeat it."),
]
PretrainingSeed = Annotated[int, typer.Option(help="Decides split, initialisation and order.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]

# What there is.

Kind = Annotated[
    str,
    typer.Argument(
        help="algorithms, data, models, optimizers, schedules, augmentations, pacings, "
        "scorers, scenarios, schedulers or samplers."
    ),
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")]
OfScenario = Annotated[str | None, typer.Option(help="Of this scenario only.")]
Part = Annotated[str, typer.Argument(help="Anything that `list` shows, or `training`.")]

# Of all commands.

TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Run code (MODULE:FUNCTION) that a file or run folder names, and not this command.",
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show Ray's own messages.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"automl-cl {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
]

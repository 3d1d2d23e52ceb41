"""The command line's arguments and options: each one's type, flag and help, in one place.

Commands put them into their signatures with a default of their own, so that what two commands
share is the same in both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_cl import __version__
from automl_cl.terminal import say

TUNING = "Search"
RUNNING = "Where it runs"
READING = "How data is read (`describe csv` and the like list what a source takes)"

MODEL_HELP = "Model, see `list models`; also MODULE:FUNCTION or hf:NAME."

# What is searched.

Scenario = Annotated[
    str | None,
    typer.Argument(help="Kind of problem, see `list scenarios`.", show_default=False),
]
FromFile = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="SEARCH.yaml",
        help="The search to run, such as a run folder's search.yaml; other options change it.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        help="A name from `list data`; a .csv, .parquet, .arrow or .npz file; a folder of images "
        "or of idx files; hf:NAME; or MODULE:FUNCTION."
    ),
]
Noise = Annotated[
    str,
    typer.Option(
        help="Label noise: 0.4 or symmetric:0.4, pair_flip:0.4, asymmetric:0.4; or column:NAME, "
        "read from the data."
    ),
]
NoiseMap = Annotated[
    str | None,
    typer.Option(help="What classes become under asymmetric noise: A=B,B=C; found if not given."),
]
Imbalance = Annotated[
    str, typer.Option(help="Imbalance of the training part: long_tail:50 or step:50.")
]
Clean = Annotated[
    float,
    typer.Option(
        help="Training examples that keep their true labels in spite of the noise; below 1, the "
        "share of them.",
        show_default=False,
    ),
]
CleanValidation = Annotated[
    bool,
    typer.Option("--clean-validation", help="Leave the validation labels without noise."),
]
Model = Annotated[str | None, typer.Option(help=f"{MODEL_HELP} Chosen by the data if not given.")]
Labels = Annotated[int | None, typer.Option(help="Labels that a semi-supervised search may use.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="NAME=VALUE: another setting of the scenario's own; repeat it."),
]

# How data is read.

LabelColumn = Annotated[
    str | None,
    typer.Option(help="Column with the labels; guessed if not given.", rich_help_panel=READING),
]
FeatureColumns = Annotated[
    str | None,
    typer.Option(
        help="Columns to learn from, A,B,…; all others if not given.", rich_help_panel=READING
    ),
]
DropColumns = Annotated[
    str | None, typer.Option(help="Columns to leave out, A,B,….", rich_help_panel=READING)
]
ImageSize = Annotated[
    str | None,
    typer.Option(help="Make all images N x N, or HEIGHTxWIDTH.", rich_help_panel=READING),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-option",
        help="NAME=VALUE: another option of the data, such as missing=mean; repeat it.",
        rich_help_panel=READING,
    ),
]

# How it is searched. Of what a fork can change there is a second form: None is as it was.

SpaceFile = Annotated[
    str | None,
    typer.Option(
        help="YAML file that narrows the search space, or the preset quick.",
        rich_help_panel=TUNING,
    ),
]
_TRIALS = typer.Option(help="Trials of the search.", rich_help_panel=TUNING)
Trials = Annotated[int, _TRIALS]
OtherTrials = Annotated[int | None, _TRIALS]
TrialsInAll = Annotated[
    int | None, typer.Option(help="Search trials in all; more than there were extends the search.")
]
_MAX_EPOCHS = typer.Option(
    help="Compute cap of a trial, in epochs of the plain baseline.", rich_help_panel=TUNING
)
MaxEpochs = Annotated[float, _MAX_EPOCHS]
OtherMaxEpochs = Annotated[float | None, _MAX_EPOCHS]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        help="Seconds of searching; start, confirmation and verdict not counted.",
        rich_help_panel=TUNING,
    ),
]
TotalCompute = Annotated[
    float | None,
    typer.Option(
        help="Compute of the whole search, in epochs of the plain baseline; then nothing begins.",
        rich_help_panel=TUNING,
    ),
]
MaxCompute = Annotated[
    float | None,
    typer.Option(
        help="Most that a trial may cost in all, in epochs; beyond it a trial is infeasible.",
        rich_help_panel=TUNING,
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        help="Most memory that a trial may take, such as 1.5GB; beyond it it is infeasible.",
        rich_help_panel=TUNING,
    ),
]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        help="Look for trade-offs of the metric with this too, such as compute; repeat it.",
        rich_help_panel=TUNING,
    ),
]
_SCHEDULER = typer.Option(
    help="Which trials go on from rung to rung, see `list schedulers`.",
    rich_help_panel=TUNING,
)
Scheduler = Annotated[str, _SCHEDULER]
OtherScheduler = Annotated[str | None, _SCHEDULER]
_SAMPLER = typer.Option(help="What proposes, see `list samplers`.", rich_help_panel=TUNING)
Sampler = Annotated[str, _SAMPLER]
OtherSampler = Annotated[str | None, _SAMPLER]
_PRIOR_SHARE = typer.Option(
    help="Share of proposals near the published config or the best so far, up to 0.7.",
    rich_help_panel=TUNING,
)
PriorShare = Annotated[float, _PRIOR_SHARE]
OtherPriorShare = Annotated[float | None, _PRIOR_SHARE]
TotalComputeInAll = Annotated[
    float | None, typer.Option(help="Compute of the search in all, in epochs; extends it.")
]
TimeLimitAnew = Annotated[
    float | None, typer.Option(help="Seconds of searching; after a verdict they count anew.")
]
_SEEDS = typer.Option(help="Fresh seeds of the verdict, at least 3.", rich_help_panel=TUNING)
Seeds = Annotated[int, _SEEDS]
OtherSeeds = Annotated[int | None, _SEEDS]
_SEARCH_SEED = typer.Option(help="Decides split, noise and proposals.", rich_help_panel=TUNING)
SearchSeed = Annotated[int, _SEARCH_SEED]
OtherSearchSeed = Annotated[int | None, _SEARCH_SEED]
_FIDELITY = typer.Option(
    help="Below the last rung: prefix (one run, resumed) or compressed (shorter runs).",
    rich_help_panel=TUNING,
)
Fidelity = Annotated[str, _FIDELITY]
OtherFidelity = Annotated[str | None, _FIDELITY]
WarmStart = Annotated[
    str | None,
    typer.Option(
        help="History, a folder or URI, whose best configs are tried after the published "
        "defaults.",
        rich_help_panel=TUNING,
    ),
]
HistoryFolder = Annotated[
    str | None,
    typer.Option(
        help="Folder or URI that finished trials are added to; `history` beside the run folder if "
        "not given.",
        rich_help_panel=TUNING,
    ),
]
NoHistory = Annotated[
    bool,
    typer.Option("--no-history", help="Keep no history of this search.", rich_help_panel=TUNING),
]

# Where it runs.

_CPUS_PER_TRIAL = typer.Option(help="CPUs of a trial.", rich_help_panel=RUNNING)
CpusPerTrial = Annotated[float, _CPUS_PER_TRIAL]
OtherCpusPerTrial = Annotated[float | None, _CPUS_PER_TRIAL]
_GPUS_PER_TRIAL = typer.Option(
    help="GPUs of a trial; 0.25 lets four share one.", rich_help_panel=RUNNING
)
GpusPerTrial = Annotated[float, _GPUS_PER_TRIAL]
OtherGpusPerTrial = Annotated[float | None, _GPUS_PER_TRIAL]
_WORKERS_PER_TRIAL = typer.Option(
    help="Ray Train workers of a trial, its CPUs and GPUs shared; 2-4: two share them, and up to "
    "four such are taken while there is room.",
    rich_help_panel=RUNNING,
)
WorkersPerTrial = Annotated[str, _WORKERS_PER_TRIAL]
OtherWorkersPerTrial = Annotated[str | None, _WORKERS_PER_TRIAL]
ShardModel = Annotated[
    bool,
    typer.Option(
        "--shard-model",
        help="A trial's workers divide its model among them (FSDP2), so it may be larger.",
        rich_help_panel=RUNNING,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        help="Number format of the networks' passes: float32, or bfloat16 by autocast.",
        rich_help_panel=RUNNING,
    ),
]
ChannelsLast = Annotated[
    bool,
    typer.Option(
        "--channels-last",
        help="Lay images out channel by channel, which convolutions on GPUs like best.",
        rich_help_panel=RUNNING,
    ),
]
Compile = Annotated[
    str,
    typer.Option(
        help="Compile networks by torch.compile: never, always, or auto, where a training is "
        "long enough for it to pay.",
        rich_help_panel=RUNNING,
    ),
]
_HANG_SECONDS = typer.Option(
    help="Seconds without a step or other work after which a trial counts as hung; or none.",
    rich_help_panel=RUNNING,
)
HangSeconds = Annotated[str, _HANG_SECONDS]
OtherHangSeconds = Annotated[str | None, _HANG_SECONDS]
VerdictOnInterruption = Annotated[
    bool,
    typer.Option(
        "--verdict-now",
        help="Ctrl-C ends the search alone, and what there is goes on to the verdict.",
        rich_help_panel=TUNING,
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
Output = Annotated[
    str | None,
    typer.Option(help="Run folder to make, a path or a URI; runs/TIME-… if not given."),
]
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

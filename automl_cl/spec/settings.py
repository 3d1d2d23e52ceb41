"""The settings of a search: each one's name, default, help, form and place in `--help`.

A new setting is one field of `Settings`. `SearchSpec` checks it, `automl-cl search` has an option
for it (`fork` as well if it says so), and `automl_cl.search` an argument. Nothing slow is imported
here, because `--help` reads it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Generic, ParamSpec, TypeVar, cast, get_type_hints, overload

from automl_cl.spec.forms import (
    AsGiven,
    ChoiceOfPart,
    ClassMap,
    Duration,
    Folder,
    Form,
    Memory,
    Name,
    Names,
    Number,
    OneOf,
    OptionOf,
    Pairs,
    SpaceFile,
    Switch,
    Whole,
    Workers,
)

TUNING = "Search"
RUNNING = "Where it runs"
READING = "How data is read (`describe csv` and the like list what a source takes)"
NOT_ENOUGH = "; over fewer seeds the verdict's test errs more often than its level says"
FEWEST_SEEDS = 3
"""Over fewer, the verdict's test errs more often than its level says."""
COMPUTING = "trainables.parts.sections.computing:Computing"
MODEL_HELP = "Model, see `list models`; also MODULE:FUNCTION or hf:NAME."

G = TypeVar("G")
K = TypeVar("K")
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Setting:
    """What there is to say of a setting besides its name, type and default.

    Attributes:
        help: for the command line.
        form: how its values are read.
        panel: of `--help`.
        flag: on the command line; None for the setting's name.
        in_fork: whether a fork may change it.
        positional: whether it comes without a flag.
        default_shown: whether `--help` shows its default.
        part_of: the mapping among the settings that it is put into; None if it stands for itself.
        apart: whether it is about this one run, and so no part of the spec.
    """

    help: str
    form: Form
    panel: str | None = None
    flag: str | None = None
    in_fork: bool = False
    positional: bool = False
    default_shown: bool = True
    part_of: str | None = None
    apart: bool = False


class Given(Generic[G, K]):
    """A field that is given in one type and read into another, such as `10m` into seconds."""

    def __init__(self, default: G) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: Any) -> G: ...
    @overload
    def __get__(self, holder: object, owner: Any) -> K: ...
    def __get__(self, holder: object | None, owner: Any) -> Any:
        return self._default if holder is None else vars(holder)[self._name]

    def __set__(self, holder: object, value: G) -> None:
        vars(holder)[self._name] = value


@dataclass(frozen=True)
class Settings:
    """Every setting of a search, read and checked when it is made."""

    scenario: Annotated[
        str,
        Setting("Kind of problem, see `list scenarios`.", Name(), positional=True),
    ]
    data: Annotated[
        str,
        Setting(
            "A name from `list data`; a .csv, .parquet, .arrow or .npz file; a folder of images "
            "or of idx files; hf:NAME; or MODULE:FUNCTION.",
            Name(),
        ),
    ]
    _: KW_ONLY
    data_options: Annotated[
        Mapping[str, Any],
        Setting(
            "NAME=VALUE: another option of the data, such as missing=mean; repeat it.",
            Pairs(text=True),
            READING,
            flag="--data-option",
        ),
    ] = field(default_factory=dict)
    noise: Annotated[
        str,
        Setting(
            "Label noise: 0.4 or symmetric:0.4, pair_flip:0.4, asymmetric:0.4; or column:NAME, "
            "read from the data.",
            Name(numbers=True),
        ),
    ] = "none"
    noise_map: Annotated[
        Given[str | Mapping[str, str] | None, Mapping[str, str]],
        Setting(
            "What classes become under asymmetric noise: A=B,B=C; found if not given.", ClassMap()
        ),
    ] = Given(None)
    imbalance: Annotated[
        str, Setting("Imbalance of the training part: long_tail:50 or step:50.", Name())
    ] = "none"
    clean: Annotated[
        float,
        Setting(
            "Training examples that keep their true labels in spite of the noise; below 1, the "
            "share of them.",
            AsGiven(float),
            default_shown=False,
        ),
    ] = 0
    clean_validation: Annotated[
        bool, Setting("Leave the validation labels without noise.", AsGiven(bool))
    ] = False
    model: Annotated[
        str | None, Setting(f"{MODEL_HELP} Chosen by the data if not given.", Name(empty=True))
    ] = None
    space: Annotated[
        Given[str | Path | Mapping[str, Any] | None, Mapping[str, Any]],
        Setting(
            "YAML file that narrows the search space, or the preset quick.",
            SpaceFile(),
            TUNING,
            in_fork=True,
        ),
    ] = Given(None)
    settings: Annotated[
        Mapping[str, Any],
        Setting(
            "NAME=VALUE: another setting of the scenario's own; repeat it.", Pairs(), flag="--set"
        ),
    ] = field(default_factory=dict)
    trials: Annotated[
        int, Setting("Trials of the search.", Whole(1, 1_000_000), TUNING, in_fork=True)
    ] = 100
    max_epochs: Annotated[
        float,
        Setting(
            "Compute cap of a trial, in epochs of the plain baseline.",
            Number(0.01, 10_000),
            TUNING,
            in_fork=True,
        ),
    ] = 30.0
    time_limit: Annotated[
        Given[float | str | None, float | None],
        Setting(
            "Time of searching, in seconds or such as 10m; start, confirmation and verdict not "
            "counted.",
            Duration(),
            TUNING,
            in_fork=True,
        ),
    ] = Given(None)
    total_compute: Annotated[
        float | None,
        Setting(
            "Compute of the whole search, in epochs of the plain baseline; then nothing begins.",
            Number(0.01, 10**9),
            TUNING,
            in_fork=True,
        ),
    ] = None
    max_compute: Annotated[
        float | None,
        Setting(
            "Most that a trial may cost in all, in epochs; beyond it a trial is infeasible.",
            Number(0.01, 10**9),
            TUNING,
            in_fork=True,
        ),
    ] = None
    max_memory: Annotated[
        Given[int | str | None, int | None],
        Setting(
            "Most memory that a trial may take, such as 1.5GB; beyond it it is infeasible.",
            Memory(),
            TUNING,
            in_fork=True,
        ),
    ] = Given(None)
    objectives: Annotated[
        Sequence[str],
        Setting(
            "Look for trade-offs of the metric with this too, such as compute; repeat it.",
            Names(),
            TUNING,
            flag="--objective",
            in_fork=True,
        ),
    ] = ()
    seeds: Annotated[
        int,
        Setting(
            f"Fresh seeds of the verdict, at least {FEWEST_SEEDS}.",
            Whole(FEWEST_SEEDS, 1_000, NOT_ENOUGH),
            TUNING,
            in_fork=True,
        ),
    ] = 10
    seed: Annotated[
        int,
        Setting("Decides split, noise and proposals.", Whole(0, 2**31 - 1), TUNING, in_fork=True),
    ] = 0
    fidelity: Annotated[
        str,
        Setting(
            "Below the last rung: prefix (one run, resumed) or compressed (shorter runs).",
            OneOf(("prefix", "compressed")),
            TUNING,
            in_fork=True,
        ),
    ] = "prefix"
    scheduler: Annotated[
        str,
        Setting(
            "Which trials go on from rung to rung, see `list schedulers`.",
            OptionOf("automl_cl.strategy.scheduler:Scheduler"),
            TUNING,
            in_fork=True,
        ),
    ] = "trusted_rungs"
    sampler: Annotated[
        str,
        Setting(
            "What proposes, see `list samplers`.",
            OptionOf("automl_cl.strategy.sampler:Sampler"),
            TUNING,
            in_fork=True,
        ),
    ] = "forest"
    prior_share: Annotated[
        float,
        Setting(
            "Share of proposals near the published config or the best so far, up to 0.7.",
            Number(0, 0.7),
            TUNING,
            in_fork=True,
        ),
    ] = 0.0
    split_seed: Annotated[
        int | None,
        Setting(
            "Decides split and noise in place of the seed; the seed if not given.",
            Whole(0, 2**31 - 1),
            TUNING,
        ),
    ] = None
    warm_start: Annotated[
        str | None,
        Setting(
            "History, a folder or URI, whose best configs are tried after the published defaults.",
            Folder(),
            TUNING,
        ),
    ] = None
    history: Annotated[
        str | None,
        Setting(
            "Folder or URI that finished trials are added to; `history` beside the run folder if "
            "not given.",
            Folder(),
            TUNING,
        ),
    ] = None
    no_history: Annotated[bool, Setting("Keep no history of this search.", Switch(), TUNING)] = (
        False
    )
    cpus_per_trial: Annotated[
        float, Setting("CPUs of a trial.", Number(0.01, 4096), RUNNING, in_fork=True)
    ] = 1.0
    gpus_per_trial: Annotated[
        float,
        Setting(
            "GPUs of a trial; 0.25 lets four share one.", Number(0, 4096), RUNNING, in_fork=True
        ),
    ] = 0.0
    workers_per_trial: Annotated[
        int | str | Sequence[int],
        Setting(
            "Ray Train workers of a trial, its CPUs and GPUs shared; 2-4: two share them, and up "
            "to four such are taken while there is room.",
            Workers(),
            RUNNING,
            in_fork=True,
        ),
    ] = 1
    shard_model: Annotated[
        bool,
        Setting(
            "A trial's workers divide its model among them (FSDP2), so it may be larger.",
            Switch(),
            RUNNING,
        ),
    ] = False
    precision: Annotated[
        str,
        Setting(
            "Number format of the networks' passes: float32, or bfloat16 by autocast.",
            ChoiceOfPart(COMPUTING, "precision"),
            RUNNING,
        ),
    ] = "float32"
    channels_last: Annotated[
        bool,
        Setting(
            "Lay images out channel by channel, which convolutions on GPUs like best.",
            Switch(),
            RUNNING,
        ),
    ] = False
    compile: Annotated[
        str,
        Setting(
            "Compile networks by torch.compile: never, always, or auto, where a training is "
            "long enough for it to pay.",
            ChoiceOfPart(COMPUTING, "compile"),
            RUNNING,
        ),
    ] = "never"
    hang_seconds: Annotated[
        Given[float | str | None, float | None],
        Setting(
            "Time without a step or other work after which a trial counts as hung, in seconds or "
            "such as 10m; or none.",
            Duration(),
            RUNNING,
            in_fork=True,
        ),
    ] = Given(600.0)

    def __post_init__(self) -> None:
        for name, each in named_settings(type(self)).items():
            object.__setattr__(self, name, each.read(getattr(self, name)))
        self._check_together()

    def _check_together(self) -> None:
        """Refuses settings that are right alone and wrong together."""
        from search_spaces import InputError

        if self.shard_model and self.workers[0] == 1:
            raise InputError(
                "--shard-model: one worker has nobody to divide the model with: give "
                "--workers-per-trial 2 or more."
            )
        if self.no_history and self.history is not None:
            raise InputError("--history and --no-history exclude each other: give one of them.")
        if self.compile != "never" and self.workers[1] > 1:
            raise InputError(
                f"--compile: got '{self.compile}', but what is computed by "
                f"{self.workers_per_trial} workers together is not compiled; leave it at 'never'."
            )

    @property
    def workers(self) -> tuple[int, int]:
        """The fewest and the most workers of a trial."""
        from automl_cl.strategy.units import workers_of

        return workers_of(self.workers_per_trial, "--workers-per-trial")


@dataclass(frozen=True, kw_only=True)
class Request(Settings):
    """What a user may give to begin a search.

    Besides the settings these are short names for what goes into one of their mappings, and what
    is about this one run.
    """

    label_column: Annotated[
        str | None,
        Setting(
            "Column with the labels; guessed if not given.",
            AsGiven(),
            READING,
            part_of="data_options",
        ),
    ] = None
    feature_columns: Annotated[
        str | None,
        Setting(
            "Columns to learn from, A,B,…; all others if not given.",
            AsGiven(),
            READING,
            part_of="data_options",
        ),
    ] = None
    drop_columns: Annotated[
        str | None,
        Setting("Columns to leave out, A,B,….", AsGiven(), READING, part_of="data_options"),
    ] = None
    image_size: Annotated[
        str | None,
        Setting(
            "Make all images N x N, or HEIGHTxWIDTH.", AsGiven(), READING, part_of="data_options"
        ),
    ] = None
    labels: Annotated[
        int | None,
        Setting("Labels that a semi-supervised search may use.", AsGiven(int), part_of="settings"),
    ] = None
    address: Annotated[
        str | None,
        Setting(
            "Ray cluster to use; without it Ray starts here.",
            AsGiven(),
            RUNNING,
            in_fork=True,
            apart=True,
        ),
    ] = None
    output: Annotated[
        str | Path | None,
        Setting(
            "Run folder to make, a path or a URI; runs/TIME-… if not given.",
            AsGiven(),
            in_fork=True,
            apart=True,
        ),
    ] = None
    verdict_now: Annotated[
        bool,
        Setting(
            "Ctrl-C ends the search alone, and what there is goes on to the verdict.",
            AsGiven(bool),
            TUNING,
            in_fork=True,
            apart=True,
        ),
    ] = False
    trust_code: Annotated[
        bool,
        Setting(
            "Run code (MODULE:FUNCTION) that a file or run folder names, and not this command.",
            AsGiven(bool),
            in_fork=True,
            apart=True,
        ),
    ] = False


@dataclass(frozen=True)
class Named:
    """A setting with its name, type and default."""

    name: str
    setting: Setting
    default: Any

    @property
    def flag(self) -> str:
        """What it is called on the command line, and in messages wherever it was given."""
        return self.setting.flag or "--" + self.name.replace("_", "-")

    @property
    def unset(self) -> Any:
        """What a spec holds where it was not given."""
        return self.default if self.default is MISSING else self.read(self.default)

    def read(self, given: Any) -> Any:
        """A value of it, checked.

        Raises:
            InputError: if it is not allowed.
        """
        if given is None and self.default is None and not self.setting.form.takes_none:
            return None
        return self.setting.form.read(given, self.flag)


def named_settings(holder: type[Settings]) -> dict[str, Named]:
    """The settings that a class has fields for, by name."""
    return _named_settings(cast(Any, holder))  # mypy takes no class for hashable


@cache
def _named_settings(holder: type[Settings]) -> dict[str, Named]:
    hints = get_type_hints(holder, include_extras=True)
    return {each.name: _named(each, hints[each.name]) for each in fields(holder)}


def _named(each: Field[Any], hint: Any) -> Named:
    setting = next(known for known in hint.__metadata__ if isinstance(known, Setting))
    if each.default_factory is not MISSING:
        return Named(each.name, setting, each.default_factory())
    return Named(each.name, setting, each.default)


def settings_of(given: Mapping[str, Any], request: type[Settings] = Request) -> dict[str, Any]:
    """The settings of the spec that were given, with short names put where they belong.

    Args:
        given: values by name; None under a short name says that it was not given.
        request: the class that has the names.

    Raises:
        InputError: a value is not allowed, or one is given under two names.
    """
    from search_spaces import InputError

    known = {n: each for n, each in named_settings(request).items() if not each.setting.apart}
    found: dict[str, Any] = {}
    for name, each in known.items():
        if name in given and each.setting.part_of is None:
            found[name] = each.read(given[name])
    for name, each in known.items():
        whole = each.setting.part_of
        if whole is None or given.get(name) is None:
            continue
        others = found.get(whole, {})
        if name in others:
            raise InputError(f"{known[whole].flag}: '{name}' is given twice; give it once.")
        found[whole] = {**others, name: each.read(given[name])}
    return found


def takes(request: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Gives a function the arguments of a class, for type checkers, editors and `help`."""

    def changed(function: Callable[..., R]) -> Callable[P, R]:
        function.__signature__ = inspect.signature(request)  # type: ignore[attr-defined]
        return cast(Callable[P, R], function)

    return changed

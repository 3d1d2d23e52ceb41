"""The spec: everything that says what a search is, checked before anything starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_cl.run.events import Event, beginning
from automl_cl.run.folder import RunFolder, write_whole
from automl_cl.strategy.sampler import Sampler
from automl_cl.strategy.scheduler import Scheduler
from automl_cl.strategy.stages import FEWEST_SEEDS
from automl_cl.strategy.units import bytes_of, seconds_of, workers_of
from search_spaces import (
    Categorical,
    Config,
    InputError,
    option,
    read_yaml,
    to_config,
    to_yaml,
    unknown_name,
)
from search_spaces.parts import field_types
from trainables.data import readable
from trainables.foundation.storage import place
from trainables.parts.sections.computing import Computing

NOT_ENOUGH = "; over fewer seeds the verdict's test errs more often than its level says"
FIDELITIES = ("prefix", "compressed")


@dataclass(frozen=True)
class SearchSpec:
    """One search.

    Attributes:
        scenario: the kind of problem.
        data: a data source's name, a file or folder, or another address.
        data_options: how it is to be read, such as `label_column`; once it has been read, guesses
            are made certain here.
        noise: label noise put into training and validation labels, such as `0.4`.
        noise_map: what classes become under asymmetric noise; found if not given.
        imbalance: of the training part, such as `long_tail:50`.
        clean: training examples that keep their true labels; below 1, the share of them.
        clean_validation: whether validation labels stay the true ones.
        model: a model's name, MODULE:FUNCTION or hf:NAME; None for the scenario's choice.
        space: a mapping that narrows the search space.
        settings: what only this scenario has.
        trials: trials in the search, confirmation and verdict not counted.
        max_epochs: the compute cap of a trial, in epochs of the plain baseline.
        total_compute: compute of the whole search, in epochs of the plain baseline, after which
            nothing is begun, as after the time limit; None for no limit.
        time_limit: seconds of searching, from the first report on, after which only published
            defaults that have not run yet are begun; None for no limit.
        seeds: fresh seeds of the verdict, at least 3.
        seed: decides split, noise and proposals.
        fidelity: what a trial is below its last rung: `prefix` or `compressed`.
        scheduler: where trials are compared, and which go on.
        sampler: what proposes configs once there is something to learn from.
        prior_share: share of proposals near the published config or the best so far.
        objectives: what trade-offs with the metric are sought for, such as `compute`.
        max_compute: the most that a trial may cost in all, in epochs of the plain baseline, the
            evaluations that the search asks for included; one that costs more is infeasible.
        max_memory: the most memory, in bytes, that a trial may take; in words such as `1.5GB` too.
        split_seed: decides split and noise in place of `seed`; None for `seed`.
        warm_start: folder or URI of the history whose configs are tried after the published
            defaults; None for none.
        history: folder or URI that finished trials are added to; None for `history` beside the
            run's.
        no_history: keeps trials out of any history.
        cpus_per_trial, gpus_per_trial: what a trial occupies.
        workers_per_trial: among how many workers it is shared; `2-4` for as many as there is room
            for, the fewest of which share it.
        shard_model: whether its workers divide the model among them, which may then be larger than
            one of them could hold.
        precision, channels_last, compile: how networks are computed, as in `Computing`.
        hang_seconds: without a step or other work for so long a trial's process is ended; None
            lets it hang.
    """

    scenario: str
    data: str
    noise: str = "none"
    model: str | None = None
    space: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    trials: int = 100
    max_epochs: float = 30.0
    total_compute: float | None = None
    time_limit: float | None = None
    seeds: int = 10
    seed: int = 0
    fidelity: str = "prefix"
    scheduler: str = "trusted_rungs"
    sampler: str = "forest"
    prior_share: float = 0.0
    objectives: Sequence[str] = ()
    max_compute: float | None = None
    max_memory: int | None = None
    split_seed: int | None = None
    warm_start: str | None = None
    history: str | None = None
    no_history: bool = False
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    workers_per_trial: int | str | Sequence[int] = 1
    shard_model: bool = False
    hang_seconds: float | None = 600.0
    data_options: Mapping[str, Any] = field(default_factory=dict)
    noise_map: Mapping[str, str] = field(default_factory=dict)
    imbalance: str = "none"
    clean: float = 0
    clean_validation: bool = False
    precision: str = "float32"
    channels_last: bool = False
    compile: str = "never"

    def __post_init__(self) -> None:
        self._number("trials", int, 1, 1_000_000)
        self._number("max_epochs", float, 0.01, 10_000)
        self._number("seeds", int, FEWEST_SEEDS, 1_000, NOT_ENOUGH)
        self._number("seed", int, 0, 2**31 - 1)
        self._number("cpus_per_trial", float, 0.01, 4096)
        self._number("gpus_per_trial", float, 0, 4096)
        fewest, most = self.workers
        same = fewest == most
        object.__setattr__(self, "workers_per_trial", fewest if same else f"{fewest}-{most}")
        self._number("prior_share", float, 0, 0.7)
        seconds = seconds_of(self.hang_seconds, "--hang-seconds")
        object.__setattr__(self, "hang_seconds", seconds)
        for name, least in (
            ("time_limit", 1.0),
            ("total_compute", 0.01),
            ("max_compute", 0.01),
            ("hang_seconds", 1.0),
        ):
            if getattr(self, name) is not None:
                self._number(name, float, least, 10**9)
        if self.max_memory is not None:
            object.__setattr__(self, "max_memory", bytes_of(self.max_memory, "--max-memory"))
            self._number("max_memory", int, 1, 10**18)
        if self.split_seed is not None:
            self._number("split_seed", int, 0, 2**31 - 1)
        self._check_objectives()
        if self.fidelity not in FIDELITIES:
            raise unknown_name("--fidelity", self.fidelity, FIDELITIES)
        self._check_computing()
        option(Scheduler, self.scheduler)  # type: ignore[type-abstract]
        option(Sampler, self.sampler)  # type: ignore[type-abstract]
        for name in ("scenario", "data", "noise", "imbalance"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise InputError(f"{_flag(name)}: got {getattr(self, name)!r}, expected a name.")
        if self.model is not None and not isinstance(self.model, str):
            raise InputError(f"--model: got {self.model!r}, expected a name.")
        for name in ("warm_start", "history"):
            folder = getattr(self, name)
            if folder is not None and (not isinstance(folder, str) or not folder):
                raise InputError(f"{_flag(name)}: got {folder!r}, expected a folder.")
            if folder is not None:
                place(folder, _flag(name))  # refuses a URI that is none, or holds a secret
        if not isinstance(self.no_history, bool):
            raise InputError(f"--no-history: got {self.no_history!r}, expected true or false.")
        if not isinstance(self.shard_model, bool):
            raise InputError(f"--shard-model: got {self.shard_model!r}, expected true or false.")
        if self.shard_model and self.workers[0] == 1:
            raise InputError(
                "--shard-model: one worker has nobody to divide the model with: give "
                "--workers-per-trial 2 or more."
            )
        if self.no_history and self.history is not None:
            raise InputError("--history and --no-history exclude each other: give one of them.")
        for name in ("space", "settings", "data_options"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise InputError(f"{_flag(name)}: got {value!r}, expected a mapping.")

    def _check_objectives(self) -> None:
        """Names are checked where the scenario is known; this is about their form."""
        given = self.objectives
        if not isinstance(given, list | tuple) or not all(isinstance(n, str) for n in given):
            raise InputError(f"--objective: got {given!r}, expected a list of names.")
        twice = next((name for name in given if list(given).count(name) > 1), None)
        if twice is not None:
            raise InputError(f"--objective: '{twice}' is given twice; give it once.")
        object.__setattr__(self, "objectives", tuple(given))

    def _check_computing(self) -> None:
        for name in ("precision", "compile"):
            allowed = field_types(Computing)[name].allowed
            assert isinstance(allowed, Categorical)
            if getattr(self, name) not in allowed.choices:
                raise unknown_name(_flag(name), getattr(self, name), map(str, allowed.choices))
        if not isinstance(self.channels_last, bool):
            raise InputError(
                f"--channels-last: got {self.channels_last!r}, expected true or false."
            )
        if self.compile != "never" and self.workers[1] > 1:
            raise InputError(
                f"--compile: got '{self.compile}', but what is computed by "
                f"{self.workers_per_trial} workers together is not compiled; leave it at 'never'."
            )

    @property
    def computing(self) -> Config:
        """How networks are computed, as a space file says it: what is not at its default."""
        given = Computing(self.precision, self.channels_last, compile=self.compile)
        default = to_config(Computing())
        return {k: v for k, v in to_config(given).items() if v != default[k]}

    @property
    def workers(self) -> tuple[int, int]:
        """The fewest and the most workers of a trial."""
        return workers_of(self.workers_per_trial, "--workers-per-trial")

    @property
    def cap(self) -> float:
        """The most compute that a trial can be meant for."""
        return min(self.max_epochs, self.max_compute or self.max_epochs)

    def _number(self, name: str, kind: type, low: float, high: float, why: str = "") -> None:
        value = getattr(self, name)
        whole = kind is int
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or not low <= value <= high:
            words = "a whole number" if whole else "a number"
            raise InputError(
                f"{_flag(name)}: got {value!r}, expected {words} from {low:g} to {high:g}{why}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self) | {"objectives": list(self.objectives)}

    @classmethod
    def from_dict(cls, given: Any, where: str) -> SearchSpec:
        """A spec from plain values.

        Raises:
            InputError: for a key that is missing or unknown, or a value that is not allowed.
        """
        if not isinstance(given, dict):
            raise InputError(f"{where}: expected a mapping of a search's settings.")
        names = [each.name for each in dataclasses.fields(cls)]
        for key in given:
            if key not in names:
                raise unknown_name(f"setting in {where}", key, names)
        for key in ("scenario", "data"):
            if key not in given:
                raise InputError(f"{where}: the setting '{key}' is missing.")
        return cls(**readable(given))

    def write(self, path: Path) -> None:
        """Writes the spec as YAML, whole or not at all."""
        write_whole(path, to_yaml(self.to_dict()))

    @classmethod
    def read(cls, path: Path) -> SearchSpec:
        """Reads a spec that `write` wrote, or one by hand."""
        return cls.from_dict(read_yaml(path), str(path))


def spec_of(events: Sequence[Event], folder: RunFolder) -> SearchSpec:
    """The spec that a journal begins with.

    Runs from when 2 seeds were allowed get the 3 that a verdict needs.

    Raises:
        InputError: if it is none that a search may have.
    """
    given = beginning(events).spec
    if given.get("seeds") == FEWEST_SEEDS - 1:
        given = {**given, "seeds": FEWEST_SEEDS}
    return SearchSpec.from_dict(given, str(folder.journal))


def edited_settings(events: Sequence[Event], folder: RunFolder) -> list[str]:
    """The settings in which a run's `search.yaml` is not what its journal begins with.

    What is only written in another way, such as a number in quotes, is no difference.

    Raises:
        InputError: if the file holds no mapping.
    """
    recorded, given = beginning(events).spec, read_yaml(folder.spec)
    if not isinstance(given, dict):
        raise InputError(f"{folder.spec}: expected a mapping of a search's settings.")
    names = sorted({*recorded, *given}, key=str)
    return [str(name) for name in names if not _says_the_same(name, given, recorded)]


def _says_the_same(name: Any, given: Mapping[Any, Any], recorded: Mapping[str, Any]) -> bool:
    """Whether a setting in a file comes to what a journal has of it."""
    if name in given and name in recorded and given[name] == recorded[name]:
        return True
    with_it = {key: value for key, value in recorded.items() if key != name}
    if name in given:
        with_it[name] = given[name]
    try:
        read, before = SearchSpec.from_dict(with_it, ""), SearchSpec.from_dict(dict(recorded), "")
    except InputError:
        return False
    return read == before


def refuse_edited(events: Sequence[Event], folder: RunFolder) -> None:
    """Refuses to go on with a run whose `search.yaml` says that it is another search.

    Raises:
        InputError: if it does; names the settings that differ.
    """
    edited = edited_settings(events, folder)
    if edited:
        raise InputError(
            f"{folder.shown(folder.spec)} differs from what the run was begun with in "
            f"{', '.join(edited)}. A run goes on as it was begun: put the file back, make the "
            f"search longer with the options of resume, or begin another one with fork or search."
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")

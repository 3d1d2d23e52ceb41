"""The spec that the arguments of `automl-cl search` come to, a file's settings underneath."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl_cl.command.data_flags import class_map, data_options
from automl_cl.spec.preparation import located
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.spec.trust import named_by_user, require_trusted
from automl_cl.strategy.units import bytes_of
from search_spaces import InputError, parse_yaml, read_narrowing
from trainables.foundation.user_code import Code

_READING = ("label_column", "feature_columns", "drop_columns", "image_size", "data_option")
_ABOUT_DATA = ("data_options", "noise_map")
# Flags whose names are not those of the settings they make.
_SETTING = {"objective": "objectives", "labels": "settings"} | dict.fromkeys(
    _READING, "data_options"
)
_AS_THEY_ARE = (
    "scenario", "noise", "imbalance", "clean", "clean_validation", "model", "trials",
    "max_epochs", "time_limit", "total_compute", "max_compute", "seeds", "seed", "fidelity",
    "scheduler", "sampler", "prior_share", "no_history", "cpus_per_trial", "gpus_per_trial",
    "workers_per_trial", "shard_model", "precision", "channels_last", "compile", "hang_seconds",
    "warm_start", "history",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        spec: the search.
        named: what of its code the user named; the rest is named by files.
        origin: those files, for messages.
        trusted: whether their code may run.
    """

    spec: SearchSpec
    named: list[Code]
    origin: str
    trusted: bool


def asked_search(flags: Mapping[str, Any], given: Collection[str]) -> Asked:
    """The search that the command line asks for, and whose code it may run.

    Raises:
        InputError: as for `search_spec`; or a file names code, and the user does not trust it.
    """
    spec = search_spec(flags, given)
    files = [str(flags[name]) for name in ("from_file", "space") if flags[name] is not None]
    origin, named = (
        " and ".join(files) or "a file",
        named_by_user(spec, given, scenario_settings(flags["labels"], flags["settings"] or [])),
    )
    if not flags["trust_code"]:
        require_trusted(spec, named, origin)
    return Asked(spec, named, origin, flags["trust_code"])


def search_spec(flags: Mapping[str, Any], given: Collection[str]) -> SearchSpec:
    """The search that the command line asks for.

    Args:
        flags: all of the command's arguments, by name, with their defaults.
        given: the names of those that the user gave. They go before the file's settings;
            `settings` and `data_options` are joined name by name, unless the data is another.

    Raises:
        InputError: neither a file nor scenario and data are given, or one of them is wrong.
    """
    path: Path | None = flags["from_file"]
    if path is None:
        for name, flag in (("scenario", "the scenario"), ("data", "--data")):
            if flags[name] is None:
                raise InputError(
                    f"{flag} is missing: give SCENARIO and --data, or --from SEARCH.yaml."
                )
        return SearchSpec(**_settings(flags))
    spec, own = SearchSpec.read(path), _settings(flags)
    changed = {name: own[name] for name in {_SETTING.get(flag, flag) for flag in given} & set(own)}
    joined = [name for name in ("settings", "data_options") if name in changed]
    if "data" in given:
        changed = {name: own[name] for name in _ABOUT_DATA} | changed
        joined = [name for name in joined if name not in _ABOUT_DATA]
    for name in joined:
        changed[name] = {**getattr(spec, name), **changed[name]}
    return replace(spec, **{"data": located(spec.data), **changed})


def scenario_settings(labels: int | None, given: list[str]) -> dict[str, Any]:
    """The scenario's own settings, from their flags.

    Raises:
        InputError: one is not of the form NAME=VALUE, or given twice.
    """
    found: dict[str, Any] = {} if labels is None else {"labels": labels}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputError(f"--set: got '{each}', expected NAME=VALUE.")
        if name in found:
            raise InputError(f"--set: '{name}' is given twice; give it once.")
        found[name] = parse_yaml(value, f"--set {name}")
    return found


def _settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of the spec, from flags and their defaults."""
    space, data, memory = flags["space"], flags["data"], flags["max_memory"]
    return {
        **{name: flags[name] for name in _AS_THEY_ARE},
        "data": None if data is None else located(data),
        "data_options": data_options(*(flags[name] for name in _READING)),
        "noise_map": class_map(flags["noise_map"]),
        "space": {} if space is None else dict(read_narrowing(space)),
        "settings": scenario_settings(flags["labels"], flags["settings"] or []),
        "max_memory": None if memory is None else bytes_of(memory, "--max-memory"),
        "objectives": flags["objective"] or [],
    }

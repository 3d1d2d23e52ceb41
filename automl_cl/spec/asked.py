"""The search that a user asks for: by options over a file, or by a call in Python."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl_cl.spec.preparation import located
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.spec.settings import Request, named_settings, settings_of
from automl_cl.spec.trust import named_by_user, require_trusted
from search_spaces import InputError, unknown_name
from trainables.foundation.user_code import Code

_ABOUT_DATA = ("data_options", "noise_map")


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
    origin = " and ".join(files) or "a file"
    named = named_by_user(spec, given, _given_settings(flags, given).get("settings", ()))
    if not flags["trust_code"]:
        require_trusted(spec, named, origin)
    return Asked(spec, named, origin, flags["trust_code"])


def asked_in_python(given: Sequence[Any], settings: Mapping[str, Any]) -> tuple[Asked, Request]:
    """The search that a call of `automl_cl.search` asks for, and its arguments.

    Its arguments are the user's own words, but for what stands in a space file.

    Args:
        given: the arguments without a name.
        settings: the others, by name.

    Raises:
        InputError: an argument is unknown or missing, or as for `asked_search`.
    """
    names = list(named_settings(Request))
    for name in settings:
        if name not in names:
            raise unknown_name("setting in search()", name, names)
    call = {**dict(zip(names, given, strict=False)), **settings}
    for name in ("scenario", "data"):
        if name not in call:
            raise InputError(f"search(): the setting '{name}' is missing.")
    run = Request(*given, **settings)
    spec = search_spec({"from_file": None, **call}, call)
    asked, space = Asked(spec, [], "", True), call.get("space")
    if isinstance(space, str | Path) and not run.trust_code:
        named = named_by_user(spec, call, spec.settings)
        require_trusted(spec, named, str(space))
        asked = Asked(spec, named, str(space), False)
    return asked, run


def search_spec(flags: Mapping[str, Any], given: Collection[str]) -> SearchSpec:
    """The search that the command line asks for.

    Args:
        flags: the command's arguments, by name.
        given: the names of those that the user gave. They go before the file's settings;
            `settings` and `data_options` are joined name by name, unless the data is another.

    Raises:
        InputError: neither a file nor scenario and data are given, or one of them is wrong.
    """
    path: Path | None = flags["from_file"]
    own = _given_settings(flags, given)
    if "data" in own:
        own["data"] = located(own["data"])
    if path is None:
        for name, flag in (("scenario", "the scenario"), ("data", "--data")):
            if name not in own:
                raise InputError(
                    f"{flag} is missing: give SCENARIO and --data, or --from SEARCH.yaml."
                )
        return SearchSpec(**own)
    spec = SearchSpec.read(path)
    joined = {"settings", "data_options"} & set(own)
    if "data" in own:
        own = {name: {} for name in _ABOUT_DATA} | own
        joined -= set(_ABOUT_DATA)
    for name in joined:
        own[name] = {**getattr(spec, name), **own[name]}
    return replace(spec, **{"data": located(spec.data), **own})


def _given_settings(flags: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """The spec's settings among what the user gave."""
    return settings_of({name: value for name, value in flags.items() if name in given})

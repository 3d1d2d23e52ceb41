"""Which code a search or a file names, and what of it the user named.

Files are exchanged, and so are run folders: code that one of them names runs only if the user
says so, or named it on this very command line. `trainables.foundation.user_code.guarded` holds it
back; here it is told before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from automl_cl.run.events import Event, plain
from automl_cl.spec.search_spec import SearchSpec
from trainables.foundation.user_code import Code, code_in, is_address, refuse_code

TRUST = "--trust-code"


def code_of_data(source: object, options: Mapping[str, Any]) -> list[Code]:
    """The code that is run to load data."""
    if not isinstance(source, str) or not is_address(source):
        return []
    return [Code(source, str(options.get("folder") or ""), "--data")]


def code_of_spec(spec: SearchSpec) -> list[Code]:
    """All code that a search runs."""
    found = code_of_data(spec.data, spec.data_options)
    if spec.model is not None and is_address(spec.model):
        found.append(Code(spec.model))
    for name, value in spec.settings.items():
        if isinstance(value, str) and is_address(value):
            found.append(Code(value, "", f"--set {name}"))
    return [*found, *code_in(spec.space)]


def code_of_run(spec: SearchSpec, events: Sequence[Event]) -> list[Code]:
    """All code that a run folder names: its search's, and that of each trial's config."""
    values = map(plain, events)
    told = ({k: v for k, v in each.items() if k not in ("spec", "problem")} for each in values)
    return list(dict.fromkeys([*code_of_spec(spec), *code_in(list(told))]))


def named_by_user(
    spec: SearchSpec, given: Collection[str], settings: Collection[str] = ()
) -> list[Code]:
    """What of a search's code the user named.

    Args:
        spec: the search.
        given: the names of the options that the user gave.
        settings: the names of the scenario's own settings that the user gave.
    """
    asked: list[Code] = []
    if "data" in given:  # then how it is read is not the file's either
        asked += code_of_data(spec.data, spec.data_options)
    if "model" in given and spec.model is not None:
        asked.append(Code(spec.model))
    own = {f"--set {name}" for name in settings}
    return [*asked, *(each for each in code_of_spec(spec) if each.what in own)]


def require_trusted(spec: SearchSpec, named: Sequence[Code], origin: str) -> None:
    """Refuses a search that names other code than the user has.

    Raises:
        InputError: it does; says what would have been run, and how to allow it.
    """
    known = {(each.address, each.folder) for each in named}
    refuse_code(
        (each for each in code_of_spec(spec) if (each.address, each.folder) not in known), origin
    )


def trust_flag(spec: SearchSpec) -> str:
    """What has to be added to a command that goes on with a search; nothing for most."""
    return f" {TRUST}" if code_of_spec(spec) else ""

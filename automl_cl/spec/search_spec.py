"""The spec: everything that says what a search is, checked before anything starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_cl.run.events import Event, beginning
from automl_cl.run.folder import RunFolder, write_whole
from automl_cl.spec.settings import FEWEST_SEEDS, Settings
from search_spaces import Config, InputError, read_yaml, to_config, to_yaml, unknown_name
from trainables.data import readable
from trainables.parts.sections.computing import Computing


class SearchSpec(Settings):
    """One search, checked. `automl_cl.spec.settings` says what its settings are."""

    @property
    def computing(self) -> Config:
        """How networks are computed, as a space file says it: what is not at its default."""
        given = Computing(self.precision, self.channels_last, compile=self.compile)
        default = to_config(Computing())
        return {k: v for k, v in to_config(given).items() if v != default[k]}

    @property
    def cap(self) -> float:
        """The most compute that a trial can be meant for."""
        return min(self.max_epochs, self.max_compute or self.max_epochs)

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

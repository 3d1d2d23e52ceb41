"""Finding a model by what the user calls it."""

from __future__ import annotations

from search_spaces import options, unknown_name
from trainables.parts.model import Model


def find_model(name: str) -> Model:
    """The model that a name on the command line stands for, its sizes at their defaults.

    Raises:
        InputError: no model has that name or claims it, or what it names is not there.
    """
    kinds = options(Model)  # type: ignore[type-abstract]
    for kind in kinds.values():
        found = kind.named(name)
        if found is not None:
            return found
    raise unknown_name("model", name, [kind.names() for kind in kinds.values()])

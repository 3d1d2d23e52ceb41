"""The one kind of error that means: what the user handed in is wrong, not the program."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from search_spaces.secrets import without_secrets

_MOST_LISTED = 100


class InputError(ValueError):
    """A mistake in a flag, a file, a config or the data.

    The message is one line that names the culprit, what was given and what is allowed; the command
    line prints it without a traceback and exits with code 2. Secrets in URIs are masked.
    """

    def __init__(self, message: str) -> None:
        super().__init__(without_secrets(message))


def unknown_name(kind: str, given: object, allowed: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest match and those that do."""
    names = sorted(allowed)
    close = difflib.get_close_matches(str(given).lower(), names, n=1, cutoff=0.4)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    listed = ", ".join(names[:_MOST_LISTED]) or "none"
    if len(names) > _MOST_LISTED:
        listed += f", … ({len(names)} in all)"
    return InputError(f"unknown {kind} '{given}'.{hint} Allowed: {listed}.")

"""The limits of one trial, as a search sets them, and amounts of memory in words."""

from __future__ import annotations

import re
from typing import Any

from search_spaces import InputError

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}
_UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
MOST_WORKERS = 4096
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)


def bytes_of(given: object, flag: str) -> int:
    """An amount of memory, such as `200000000`, `1.5GB` or `512MiB`, in bytes.

    Raises:
        InputError: if it is none.
    """
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    found = _AMOUNT.fullmatch(given) if isinstance(given, str) else None
    if found is None or found[2].lower() not in _UNITS:
        raise InputError(
            f"{flag}: got {given!r}, expected bytes or an amount such as 1.5GB "
            "(kB, MB, GB, TB, KiB, MiB, GiB, TiB)."
        )
    return round(float(found[1]) * _UNITS[found[2].lower()])


def workers_of(given: object, flag: str) -> tuple[int, int]:
    """The fewest and the most workers of a trial: `2`, `2-4` or a pair.

    Raises:
        InputError: if it is none of them.
    """
    pair: list[Any] = list(given) if isinstance(given, list | tuple) else [given, given]
    if isinstance(given, str) and (found := _RANGE.fullmatch(given)):
        pair = [int(found[1]), int(found[2] or found[1])]
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in pair)
    if not whole or len(pair) != 2 or not all(1 <= each <= MOST_WORKERS for each in pair):
        raise InputError(
            f"{flag}: got {given!r}, expected a whole number from 1 to {MOST_WORKERS}, or the "
            "fewest and the most, such as 2-4."
        )
    fewest, most = pair
    if fewest > most:
        raise InputError(f"{flag}: got {given!r}, expected the fewest first: {most}-{fewest}.")
    return int(fewest), int(most)


def in_bytes(amount: float) -> str:
    """An amount of memory in words, three digits of it."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(amount) < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}"

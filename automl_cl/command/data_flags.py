"""What the command line's options of data come to, the same for every command with `--data`."""

from __future__ import annotations

from typing import Any


def data_options(
    label_column: str | None,
    feature_columns: str | None,
    drop_columns: str | None,
    image_size: str | None,
    others: list[str] | None,
) -> dict[str, Any]:
    """The options that were given, by name.

    Raises:
        InputError: one is not of the form NAME=VALUE, or given twice.
    """
    from search_spaces import InputError, parse_yaml

    flags = {
        "label_column": label_column,
        "feature_columns": feature_columns,
        "drop_columns": drop_columns,
        "image_size": image_size,
    }
    found: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    for each in others or []:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputError(f"--data-option: got '{each}', expected NAME=VALUE.")
        if name in found:
            raise InputError(f"--data-option: '{name}' is given twice.")
        # Anything but text comes as YAML, such as {"size": [S, M, L]}; `no` must not become False.
        yaml = value.startswith(("{", "["))
        found[name] = parse_yaml(value, f"--data-option {name}") if yaml else value
    return found


def class_map(given: str | None) -> dict[str, Any]:
    """The map of --noise-map, from A=B,B=C; names with commas or equals signs come as YAML.

    Raises:
        InputError: something in it is not of the form A=B, or a class is named twice.
    """
    from search_spaces import InputError, parse_yaml

    if given is None:
        return {}
    if given.startswith("{"):
        found: dict[str, Any] = parse_yaml(given, "--noise-map")
        return found
    found = {}
    for each in given.split(","):
        name, equals, other = (part.strip() for part in each.partition("="))
        if not equals or not name or not other:
            raise InputError(f"--noise-map: got '{each}' in '{given}', expected CLASS=CLASS.")
        if name in found:
            raise InputError(f"--noise-map: class '{name}' is given twice in '{given}'.")
        found[name] = other
    return found

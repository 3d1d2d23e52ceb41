"""The command line's options of data, the same for every command that takes `--data`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Reading = "How data is read (`describe csv` and the like list what a source takes)"

DATA_HELP = (
    "digits, fashion-mnist, omniglot; a .csv, .parquet, .arrow or .npz file; a folder of images; "
    "hf:NAME; or MODULE:FUNCTION. See `list data`."
)
MODEL_HELP = "Model, see `list models`; also MODULE:FUNCTION or hf:NAME."

LabelColumn = Annotated[
    str | None,
    typer.Option(help="Column with the labels; guessed if not given.", rich_help_panel=Reading),
]
FeatureColumns = Annotated[
    str | None,
    typer.Option(
        help="Columns to learn from, A,B,…; all others if not given.", rich_help_panel=Reading
    ),
]
DropColumns = Annotated[
    str | None, typer.Option(help="Columns to leave out, A,B,….", rich_help_panel=Reading)
]
ImageSize = Annotated[
    str | None,
    typer.Option(help="Make all images N x N, or HEIGHTxWIDTH.", rich_help_panel=Reading),
]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-option",
        help="NAME=VALUE: another option of the data, such as missing=mean; repeat it.",
        rich_help_panel=Reading,
    ),
]


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

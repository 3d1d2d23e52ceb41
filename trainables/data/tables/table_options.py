"""How the columns of a table are read, as the user says it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search_spaces.errors import InputError
from trainables.data.extra_columns import ExtraColumns
from trainables.data.labels.labels import shortened
from trainables.data.options import categories, flag_of, names, one_of, option, text, whole
from trainables.data.tables.text import FEATURES


@dataclass(frozen=True)
class TableOptions(ExtraColumns):
    """How the columns of a table are read."""

    label_column: str = option("", text, "the column with the labels", of_columns=True)
    feature_columns: tuple[str, ...] = option(
        (), names, "the columns to learn from; all others if not given", of_columns=True
    )
    drop_columns: tuple[str, ...] = option(
        (), names, "columns to leave out, where the features are not named", of_columns=True
    )
    missing: str = option(
        "refuse",
        one_of("refuse", "mean"),
        "`mean` puts the training part's mean where a number is missing; `refuse` refuses",
    )
    text_column: str = option(
        "",
        text,
        "a column of text to learn from, hashed as by text=hash; other features are those that "
        "are named",
        of_columns=True,
    )
    text: str = option(
        "refuse",
        one_of("refuse", "hash"),
        "`hash` makes features of a column of free text, by hashing words and their pairs",
    )
    text_features: int = option(
        FEATURES, whole(16, 1_000_000), "how many features text is hashed to"
    )
    number_columns: tuple[str, ...] = option(
        (),
        names,
        "columns whose cells are numbers however they are written, such as 007",
        of_columns=True,
    )
    hashed_columns: tuple[str, ...] = option(
        (), names, "columns of text that are hashed, whatever `text` says", of_columns=True
    )
    column_types: str = option(
        "guess",
        one_of("guess", "known"),
        "`known` takes every feature for numbers that is none of `categories` or `hashed_columns`",
        of_columns=True,
    )
    categories: Mapping[str, tuple[str, ...]] = option(
        {},
        categories,
        "the categories of each one-hot column; found if not given",
        of_columns=True,
    )
    classes: tuple[str, ...] = option(
        (), names, "the classes in their order; found if not given", of_columns=True
    )

    def named(self) -> set[str]:
        """Every column that is named in some way."""
        several = (self.feature_columns, self.drop_columns, self.number_columns)
        found = {self.label_column, self.text_column, *self.extra_names().values()}
        return found.union(*several, self.hashed_columns, self.categories) - {""}


def require_names(
    given: Sequence[str], wanted: Sequence[str], where: str, option_name: str = ""
) -> None:
    """Refuses columns that are not there.

    Raises:
        InputError: for the first of them.
    """
    what = f" for {flag_of(option_name)}" if option_name else ""
    known = set(given)
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(name, given, n=1, cutoff=0.4)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise InputError(
                f"{where}: there is no column '{name}'{what}.{hint} Columns: {shortened(given)}."
            )

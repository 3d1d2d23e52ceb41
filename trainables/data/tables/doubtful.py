"""Columns of text that are probably meant as something else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from search_spaces.errors import InputError
from trainables.data.tables.written import Written, is_code, is_number

MOST_CATEGORIES = 20
_MOST_ODD = 5
_NUMBER = re.compile(r"(?<![\w.,'-])[+-]?\d[\d.,'\u2019]*")
_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d.*)?|\d{4}/\d{1,2}/\d{1,2}(?: \d.*)?"
    r"|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?: \d.*)?"
    r"|\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?"
    rf"|(?:19|20)\d\d-(?:0[1-9]|1[0-2])|(?:\d{{1,2}}\.?[ -])?{_MONTH}[ -]\d{{2,4}}"
    rf"|{_MONTH} \d{{1,2}},? \d{{4}}"
)


def refuse_numbers_and_dates(
    place: str, name: str, found: Sequence[str], written: Written | None
) -> None:
    """Refuses a column whose different texts `found` are numbers, written unusually, or dates.

    Args:
        place: where the column is, for messages.
        name: its name.
        found: its different values.
        written: how the file writes numbers; None for a table that has types of its own.

    Raises:
        InputError: it is such a column; the message says how it could be read.
    """
    if not found:
        return
    said = _said(place, found)
    if all(_DATE.fullmatch(each.strip()) for each in found):
        raise InputError(
            f"{said}: these are dates or times; leave the column out by --drop-columns, or put "
            "numbers that are made of them into columns of their own."
        )
    decimal = written.decimal if written else "."
    numbers = [is_number(each, decimal) for each in found]
    if all(numbers):
        _refuse_unclear_numbers(said, name, found, written)
    elif _other_decimal(found, decimal):
        raise InputError(f"{said}; {_about_decimal(written)}")
    signs = {re.sub(_NUMBER, "", each.strip()).strip() for each in found}
    sign = signs.pop() if len(signs) == 1 and len(found) > MOST_CATEGORIES else ""
    if sign and not any(map(str.isalnum, sign)) and len(_NUMBER.findall(found[-1])) == 1:
        raise InputError(
            f"{said}: these are numbers with '{shortest(sign)}'; write the numbers alone, or "
            "leave the column out by --drop-columns."
        )
    odd = [each for each, is_one in zip(found, numbers, strict=True) if not is_one]
    few = len(odd) <= min(_MOST_ODD, len(found) // 2)
    marks = all(not any(sign.isalnum() for sign in each) for each in odd)
    if odd and few and (marks or len(found) > MOST_CATEGORIES):
        shown = ", ".join(f"'{shortest(each)}'" for each in odd)
        hint = "store what is missing as null."
        if written is not None:
            hint = f"if that is missing: --data-option {_as_missing(odd, written)}"
        raise InputError(f"{said}: all of it numbers but for {shown}; {hint}")


def free_text(place: str, found: Sequence[str], rows: int) -> InputError:
    """The error for a column of text that is no category: too many different values."""
    said = _said(place, found)
    if len(found) >= 0.9 * rows and not any(re.search(r"\s", each.strip()) for each in found):
        said += ", and nearly every row has one of its own, as an identifier has"
    return InputError(
        f"{said} (one-hot takes {MOST_CATEGORIES} at most): leave it out by --drop-columns, or, "
        "if it is prose, --data-option text=hash makes features of its words."
    )


def shortest(text: str) -> str:
    """The beginning of a text, in one line."""
    first = " ".join(text[:200].split())
    return first[:40] + "…" if len(first) > 40 else first


def _said(place: str, found: Sequence[str]) -> str:
    such = f", such as '{shortest(found[0])}'," if found else ""
    return f"{place}: text with {len(found)} different values{such} is no feature"


def _refuse_unclear_numbers(
    said: str, name: str, found: Sequence[str], written: Written | None
) -> None:
    """Refuses numbers, if they are not few codes that may be categories."""
    as_numbers = f"--data-option number_columns={_listed([name])} reads them as numbers"
    code = next(filter(is_code, found), None)
    if code is not None:
        if len(found) > MOST_CATEGORIES:
            raise InputError(
                f"{said}: '{shortest(code)}' is written as a code is, which a number would lose; "
                f"leave it out by --drop-columns, or {as_numbers}."
            )
    elif written is None:
        if len(found) > MOST_CATEGORIES:
            raise InputError(f"{said}: these are numbers, stored as text; {as_numbers}.")
    elif _other_decimal(found, written.decimal):
        raise InputError(
            f"{said}; {_about_decimal(written)} If it groups thousands: {as_numbers}."
        )


def _other_decimal(found: Sequence[str], decimal: str) -> bool:
    other = "," if decimal == "." else "."
    return all(is_number(each, other) for each in found) and any(other in each for each in found)


def _about_decimal(written: Written | None) -> str:
    if written is None:
        return "numbers with a comma? Then store them as numbers."
    if written.decimal == ",":
        return "numbers with a point? Then leave --data-option decimal=, out."
    # With a decimal comma no separator is guessed to be one.
    also = " --data-option separator=comma" if written.separator == "," else ""
    return f"numbers with a comma? Then --data-option decimal=,{also}"


def _as_missing(odd: Sequence[str], written: Written) -> str:
    return f"missing_values={_listed([*odd, *(m for m in written.occurring if m not in odd)])}"


def _listed(names: Sequence[str]) -> str:
    """Names as an option takes them."""
    plain = all(
        each and each == each.strip() and not re.search(r"[,'\"\[{]", each) for each in names
    )
    text = ",".join(names) if plain else json.dumps(list(names), ensure_ascii=False)
    return text if re.fullmatch(r"[\w,.-]+", text) else f"'{text}'"

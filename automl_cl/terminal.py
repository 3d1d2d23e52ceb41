r"""The one way to print. Text of others is shown as it is: whole, escaped, and never as markup.

A name, a cell, a note or an error may come out of a file that somebody else has written. Whatever
could steer a terminal or turn the order of letters around is written out, such as `\x1b`, and
secrets in URIs are masked. No other module of the application prints, or knows rich.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
import traceback
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.console import Group as Group
    from rich.text import Text as Text

GAP = "  "
NARROWEST = 24
SHOW_CURSOR = b"\x1b[?25h"
_STYLES = {"bold": "1", "dim": "2", "italic": "3", "green": "32", "yellow": "33", "red": "1;31"}


def escaped(text: str) -> str:
    """A text of one line that only shows: what is not printable is written out.

    Among that are line ends and tabs, escape sequences, marks that turn the direction of writing,
    characters of no width, and halves of surrogate pairs.
    """
    if text.isprintable():
        return text
    return "".join(each if _shows(each) else _written_out(each) for each in text)


def _shows(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shown(text: object) -> str:
    """What is printed of a text: escaped, and without secrets."""
    return escaped(_without_secrets(str(text)))


def _without_secrets(text: str) -> str:
    if "://" not in text and "%" not in text:
        return text
    from search_spaces.secrets import without_secrets  # with Optuna, for which no help is to wait

    return without_secrets(text)


def say(text: str = "", style: str = "") -> None:
    """Prints a line to standard output."""
    say_pieces((text, style))


def say_pieces(*pieces: tuple[str, str]) -> None:
    """Prints a line of pieces, each with a style, which only a terminal shows."""
    plain = not _styled(sys.stdout)
    words = [shown(text) if plain or not style else _in(style, text) for text, style in pieces]
    _write(sys.stdout, "".join(words) + "\n")


def say_error(text: str) -> None:
    """Prints a line to standard error."""
    _write(sys.stderr, shown(text) + "\n")


def say_json(value: Any) -> None:
    """Prints plain values as JSON, in which control characters are escaped by JSON's own rules."""
    _write(sys.stdout, _without_secrets(json.dumps(value, indent=2)) + "\n")


def say_log(text: str) -> None:
    """Prints a part of somebody's log: lines stay lines, and a part is continued by the next."""
    _write(sys.stdout, "\n".join(map(shown, text.split("\n"))))


def say_paragraph(text: str) -> None:
    """Prints a text, on a terminal in lines of its width."""
    for each in _folded(shown(" ".join(text.split())), _width(sys.stdout)):
        _write(sys.stdout, each + "\n")


def say_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()
) -> None:
    """Prints a table. Nothing in it is cut: where it is too wide, its last column is folded.

    Args:
        headers: of its columns.
        rows: its cells.
        right: the columns that stand to the right.
    """
    table = [[shown(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    left = sum(widths[:-1]) + len(GAP) * (len(widths) - 1)
    room = max(NARROWEST, _width(sys.stdout) - left)
    bold = _styled(sys.stdout)
    for row in table:
        start = "".join(
            _padded(cell, width, index in right) + GAP
            for index, (cell, width) in enumerate(zip(row[:-1], widths[:-1], strict=True))
        )
        last = row[-1]
        if len(row) - 1 in right:
            last = _padded(last, widths[-1], True)
        for each in _folded(last, room):
            words = (start + each).rstrip()
            _write(sys.stdout, (f"\x1b[1m{words}\x1b[0m" if bold else words) + "\n")
            start = " " * left
        bold = False


def say_traceback(error: BaseException) -> None:
    """Prints a fault of ours to standard error, with where it came from."""
    for each in traceback.format_exception(error):
        for words in each.rstrip("\n").split("\n"):
            say_error(words)


def fail(message: str, code: int) -> NoReturn:
    """Ends the command with a line on standard error.

    Raises:
        SystemExit: always.
    """
    say_error(message)
    raise SystemExit(code)


def say_last_words(words: str) -> None:
    """Prints a line to standard error, past Python's own buffers: the process ends at once."""
    if sys.stdout.isatty():  # a live view hides it
        os.write(1, SHOW_CURSOR)
    os.write(2, f"\n{shown(words)}\n".encode())


def flush() -> None:
    """Has standard output written that is still in a buffer, if it can be."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()


def cells(text: str) -> int:
    """How many places of a line a text takes; some characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _folded(text: str, width: int) -> list[str]:
    if cells(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _width(stream: TextIO) -> int:
    """The width of a terminal; what is no terminal has no end."""
    if not stream.isatty():
        return sys.maxsize
    from rich.console import Console

    return Console(file=stream).width


def _styled(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _in(style: str, text: str) -> str:
    return f"\x1b[{_STYLES[style]}m{shown(text)}\x1b[0m"


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # an old encoding of the terminal's
        coding = stream.encoding or "ascii"
        stream.write(text.encode(coding, "backslashreplace").decode(coding))
    stream.flush()


# A screen that renews itself, by rich.


def line(words: str, style: str = "") -> Text:
    """One line of a screen, cut off where the screen ends."""
    from rich.text import Text

    return Text(shown(words), style=style, no_wrap=True, overflow="ellipsis")


def joined(lines: Sequence[Text]) -> Text:
    """Lines as one block."""
    from rich.text import Text

    return Text("\n").join(lines)


def stacked(lines: Sequence[Text]) -> Group:
    """Lines, each cut off by itself."""
    from rich.console import Group

    return Group(*lines)


def say_block(block: Text) -> None:
    """Prints a block as it is, its styles on a terminal only."""
    from rich.console import Console

    Console(file=sys.stdout).print(block, highlight=False, soft_wrap=True)


class Screen:
    """Where a search is watched: a terminal's renewed lines, or plain lines.

    Args:
        console: rich's; None for standard output.

    Attributes:
        renews: whether it shows what it is given anew, in place of what it showed before.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console()
        self.renews = self._console.is_terminal and not self._console.is_dumb_terminal
        self._stop: Callable[[], None] = lambda: None

    @property
    def width(self) -> int:
        """Places of a line."""
        return self._console.width

    @property
    def height(self) -> int:
        """Lines."""
        return self._console.height

    def start(self, show: Callable[[], Any]) -> None:
        """Begins to show what a call gives, twice a second, if it renews itself."""
        from rich.live import Live

        if self.renews:
            live = Live(console=self._console, get_renderable=show, refresh_per_second=2)
            live.start()
            self._stop = live.stop

    def stop(self) -> None:
        """Leaves what it showed last."""
        self._stop()

    def say(self, words: str) -> None:
        """Prints a line."""
        text = shown(words)
        self._console.print(text, highlight=False, soft_wrap=True, markup=False, emoji=False)

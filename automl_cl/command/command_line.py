"""How a command line is read: what may stand in it once stands there once; misuse is one line."""

from __future__ import annotations

from collections import Counter
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

from automl_cl.terminal import fail

# Typer has click's classes, its own copy of them in newer versions, and names none publicly.
Misuse: type[Any] = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException"
)
"""What is raised for a command line that cannot be read."""


_KINDS = {"integer": "a whole number", "number": "a number", "float": "a number"}
"""What options hold, by the word of Typer's message that tells it, in ours."""


class Command(TyperCommand):
    """A command whose options are refused where they are given twice, but for lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        texts, _, order = self.make_parser(ctx).parse_args(args=list(args))
        given: Counter[Any] = Counter(e for e in order if e.param_type_name == "option")
        for option, times in given.items():
            if times > 1 and not option.multiple and not getattr(option, "count", False):
                raise typer.BadParameter(
                    f"it is given {times} times; give it once.", ctx=ctx, param=option
                )
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            text = texts.get(error.param.name) if error.param else None
            if isinstance(text, str) and f"'{text}'" not in error.message:
                error.message = _with(text, error.message)
            raise


def _with(text: str, message: str) -> str:
    """Typer's message about an option that holds something else, with what was given."""
    expected = next((kind for word, kind in _KINDS.items() if word in message), None)
    return f"got '{text}'; {message}" if expected is None else f"got '{text}', expected {expected}"


def misused(error: Any) -> NoReturn:
    """Ends a command that was called the wrong way: with its help if nothing was asked for.

    Raises:
        SystemExit: always.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        raise SystemExit(error.exit_code)
    context = getattr(error, "ctx", None)
    message = " ".join(error.format_message().split()).rstrip(".")
    if context is not None:
        message += f"; see: {context.command_path} --help"
    fail(f"Error: {message}", error.exit_code)

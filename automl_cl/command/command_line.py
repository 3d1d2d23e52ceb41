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


class Command(TyperCommand):
    """A command whose options are refused where they are given twice, but for lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        given: Counter[Any] = Counter(e for e in order if e.param_type_name == "option")
        for option, times in given.items():
            if times > 1 and not option.multiple and not getattr(option, "count", False):
                raise typer.BadParameter(
                    f"it is given {times} times; give it once.", ctx=ctx, param=option
                )
        return super().parse_args(ctx, args)


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

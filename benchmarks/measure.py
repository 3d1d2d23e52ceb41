"""What every benchmark shares: its options, its table of results, its intervals."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Measured:
    """One figure.

    Attributes:
        name: what was measured.
        value: the figure; None where it could not be measured here.
        goal: what it is to be, in words; None for a figure that is there to compare with.
        met: whether it is so; None without a goal.
        n: how many independent measurements it rests on.
        interval: a 95 % interval; None where there is none.
    """

    name: str
    value: float | None
    n: int
    goal: str | None = None
    met: bool | None = None
    interval: tuple[float, float] | None = None


def run(
    description: str | None,
    measure: Callable[[argparse.Namespace], Sequence[Measured]],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """A benchmark's command: `--quick` for a smoke test, `--json FILE` for the figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a smoke test, under 2 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    add_options(parser)
    given = parser.parse_args()
    found = list(measure(given))
    print(table(found))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")


def table(found: Sequence[Measured]) -> str:
    """The figures as a table in Markdown."""
    lines = ["| what | value | 95 % interval | n | goal | met |", "|---|---|---|---|---|---|"]
    for each in found:
        interval = "" if each.interval is None else "[{:.3g}, {:.3g}]".format(*each.interval)
        met = {None: "", True: "yes", False: "no"}[each.met]
        value = "not measured" if each.value is None else f"{each.value:.4g}"
        cells = [each.name, value, interval, str(each.n), each.goal or "", met]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def bootstrap(values: Sequence[float], seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """A 95 % percentile bootstrap interval of the mean."""
    given = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(seed).integers(len(given), size=(draws, len(given)))
    low, high = np.quantile(given[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)

"""The view of a running search: a table that renews itself, or plain lines where none can."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from automl_cl.journal import Event
from automl_cl.stages import confirmed, missing, verdict_repeats
from automl_cl.trials import CONFIRM, SEARCH, VERDICT, TrialTable
from trainables.scenario import Scenario

SECONDS_BETWEEN_LINES = 5.0
STAGE_NAMES = {SEARCH: "searching", CONFIRM: "confirming", VERDICT: "training for the verdict"}


class Progress:
    """Shows trials done, running, stopped and failed, the best of each arm, compute and time left.

    Args:
        console: where to.
        scenario: names metric and mode.
        time_limit: the search's, in seconds.
    """

    def __init__(self, console: Console, scenario: Scenario, time_limit: float | None) -> None:
        self.console, self.scenario, self.time_limit = console, scenario, time_limit
        self.started = time.monotonic()
        self.table: TrialTable | None = None
        self._known_before = 0
        self._first_ask: float | None = None
        self._stage = ""
        self._last_line = 0.0
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=2)

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def watch(self, table: TrialTable, scenario: Scenario | None = None) -> Progress:
        """Begins to show a table; the returned object is called with each event.

        Args:
            table: the trial table.
            scenario: as it is for the search's data, whose metric may be another.
        """
        self.table, self.scenario = table, scenario or self.scenario
        self._known_before = len(table.of_stage(SEARCH))
        return self

    def __call__(self, event: Event) -> None:
        """Prints a line now and then where there is no terminal."""
        if self._first_ask is None and event["event"] == "ask":
            self._first_ask = time.monotonic()
        if self.console.is_terminal or self.table is None:
            return
        now, stage = time.monotonic(), self._stage_name()
        if stage != self._stage or now - self._last_line > SECONDS_BETWEEN_LINES:
            self._stage, self._last_line = stage, now
            self.console.print(self._summary(), highlight=False, soft_wrap=True)

    def _stage_name(self) -> str:
        assert self.table is not None
        plan = self.table.plan
        if plan is not None and not self.table.running():
            if not missing(self.table, verdict_repeats(self.table, plan)):
                return "opening the sealed test"
        last = self.table.trials[-1].stage if self.table.trials else SEARCH
        return STAGE_NAMES[last]

    def _summary(self) -> str:
        assert self.table is not None
        count = Counter(trial.status for trial in self.table.trials)
        failed = count["failed"] + count["diverged"]
        searched = len(self.table.of_stage(SEARCH))
        compute = sum(trial.compute for trial in self.table.trials)
        parts = [
            f"{self._stage_name()}: search trial {searched} of {self.table.budget}",
            f"{count['done']} done",
            f"{count['running']} running",
            f"{count['stopped']} stopped",
            f"{failed} failed",
            f"compute {compute:,.0f} epochs",
            self._time(searched),
        ]
        return " · ".join(parts)

    def _time(self, searched: int) -> str:
        now = time.monotonic()
        words = f"{now - self.started:.0f} s"
        assert self.table is not None
        new = searched - self._known_before
        if self._first_ask is not None and new > 5 and searched < self.table.budget:
            elapsed = now - self._first_ask
            left = elapsed / new * (self.table.budget - searched)
            if self.time_limit is not None:
                left = min(left, max(0.0, self.time_limit - self.table.searched_for(time.time())))
            words += f", about {left:.0f} s of searching left"
        return words

    def _render(self) -> Group | Text:
        if self.table is None:
            return Text(f"starting Ray … {time.monotonic() - self.started:.0f} s")
        return Group(Text(self._summary()), arms_table(self.table, self.scenario))


def arms_table(table: TrialTable, scenario: Scenario) -> Table:
    """One row an arm: trials, compute, and the best value by search and by confirmation."""
    shown = Table(box=None, pad_edge=False, caption="* the baseline", caption_justify="left")
    names = ("algorithm", "trials", "done", "stopped", "failed", "compute")
    for name in (*names, f"best {scenario.metric}", "confirmed"):
        left = name == "algorithm"
        shown.add_column(name, justify="left" if left else "right", no_wrap=left)
    for arm, best, mean in _ranked(table, scenario):
        mine = [trial for trial in table.of_stage(SEARCH) if trial.arm == arm]
        count = Counter(trial.status for trial in mine)
        shown.add_row(
            arm + (" *" if arm == scenario.baseline else ""),
            str(len(mine)),
            str(count["done"]),
            str(count["stopped"]),
            str(count["failed"] + count["diverged"]),
            f"{sum(trial.compute for trial in mine):,.0f}",
            "" if best is None else f"{best:.4f}",
            "" if mean is None else f"{mean:.4f}",
        )
    return shown


def _ranked(table: TrialTable, scenario: Scenario) -> list[tuple[str, float | None, float | None]]:
    """Arms with their best search value and mean confirmation, the best first."""
    means = {each.source.arm: each.mean for each in confirmed(table, scenario.mode)}
    sign = -1.0 if scenario.mode == "max" else 1.0
    rows = []
    for arm in sorted({trial.arm for trial in table.of_stage(SEARCH)}):
        mine = [t.value for t in table.of_stage(SEARCH) if t.arm == arm and t.value is not None]
        best = min(mine, key=lambda value: sign * value) if mine else None
        rows.append((arm, best, means.get(arm)))

    def merit(row: tuple[str, float | None, float | None]) -> tuple[bool, float, bool, float]:
        _, best, mean = row
        return (mean is None, sign * (mean or 0.0), best is None, sign * (best or 0.0))

    return sorted(rows, key=merit)

"""The view of a running search: a screen that renews itself, or plain lines where none can.

What one renewal costs does not grow with the number of trials: counts are kept event by event.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from time import strftime
from types import TracebackType
from typing import TYPE_CHECKING

from automl_cl.results.tally import ArmTally, Tally
from automl_cl.run import events
from automl_cl.run.events import Event, Stage, Status
from automl_cl.run.trial import CONFIRM, SEARCH, VERDICT, Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.strategy.objectives import WITHOUT_ANY, objectives_of, pareto_front
from automl_cl.strategy.stages import missing, stands, verdict_repeats
from automl_cl.terminal import Screen, joined, line, stacked
from trainables.foundation.storage import Place
from trainables.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from automl_cl.terminal import Group, Text

STAGE_NAMES = {SEARCH: "searching", CONFIRM: "confirming", VERDICT: "training for the verdict"}
OPENING = "opening the sealed test"
KEPT_EVENTS = 5
FEWEST_ARMS = 3
LINES_BESIDES = 8  # two of numbers, the best, two blank, two of headers, one for the cursor
NARROW = 75
WIDEST = 1000
FRONT_ROWS = 8
OVER_LIMIT = "over limit"
RARE = ("failed", "infeasible", "running")
"""Statuses that have a column only where a trial has them."""


class Progress:
    """Shows stage, time left, the best so far, each arm's counts and what happened last.

    Args:
        screen: where to.
        scenario: names metric and mode.
    """

    def __init__(self, screen: Screen, scenario: Scenario) -> None:
        self.where, self.scenario = screen, scenario
        self.started = time.monotonic()
        self.table: TrialTable | None = None
        self.tally: Tally | None = None
        self._pace = Pace()
        self._stage = ""
        self._last_line = 0.0
        self._notice = ""
        self._reasons: set[str | None] = set()
        self._events: deque[str] = deque(maxlen=KEPT_EVENTS)

    def __enter__(self) -> Progress:
        self.where.start(self.screen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.where.stop()

    def watch(self, table: TrialTable, scenario: Scenario | None = None) -> Progress:
        """Begins to show a table; the returned object is called with each event.

        Args:
            table: the trial table.
            scenario: as it is for the search's data, whose metric may be another.
        """
        self.scenario = scenario or self.scenario
        self.tally = Tally(table, self.scenario)
        self.table = table  # last: with it the view begins, in its own thread
        return self

    def announce(self, text: str) -> None:
        """Says something that is no event."""
        self._notice = text
        if not self.where.renews:
            self.where.say(text)

    def __call__(self, event: Event) -> None:
        """Takes in an event; prints a line now and then where there is no terminal."""
        if self.table is None or self.tally is None:
            return
        self.tally.apply(event)
        stage = self._stage_name()
        self._pace.count(event, self.tally)
        said = self._words(event)
        if said is not None:
            self._events.append(f"{strftime('%H:%M:%S')}  {said}")
            if not self.where.renews and self._fails_anew(event):
                self.where.say(said)
        changed, self._stage = stage != self._stage, stage
        worth_it = changed or isinstance(event, events.Close)
        if not self.where.renews and (worth_it or self._line_is_due()):
            self._last_line = time.monotonic()
            self.where.say(self._summary())

    def _fails_anew(self, event: Event) -> bool:
        """Whether a trial failed for a reason that none had before; only the first are told."""
        if not isinstance(event, events.End) or event.status != events.Status.FAILED:
            return False
        if event.reason in self._reasons:
            return False
        self._reasons.add(event.reason)
        return len(self._reasons) <= KEPT_EVENTS

    def _line_is_due(self) -> bool:
        """A line each 5 s at first, each minute after the first hour: a log stays readable."""
        now = time.monotonic()
        return now - self._last_line > min(60.0, max(5.0, (now - self.started) / 60))

    def _stage_name(self) -> str:
        assert self.table is not None and self.tally is not None
        plan = self.table.plan
        if plan is not None and self.tally.running == 0 and stands(self.table, plan):
            if not missing(self.table, verdict_repeats(self.table, plan)):
                return OPENING
        return STAGE_NAMES[self._last_stage()]

    def _last_stage(self) -> Stage:
        assert self.table is not None
        return self.table.trials[-1].stage if self.table.trials else SEARCH

    def _words(self, event: Event) -> str | None:
        """What happened, where it is worth a line."""
        assert self.table is not None
        if isinstance(event, events.Close):
            return f"the search ends here, after {event.budget} of {event.asked} trials"
        if isinstance(event, events.Lost):
            what = f"{event.cause}: {event.reason}"
            return f"trial {event.number} goes on in another process ({what})"
        if isinstance(event, events.Damaged):
            return f"trial {event.number}: {event.what}"
        if isinstance(event, events.OutOfMemory):
            return f"trial {event.number}: {event.reason}"
        if not isinstance(event, events.Rung | events.End):
            return None
        trial = self.table.trials[event.number]
        return None if trial.status == Status.RUNNING else _ending(trial)

    def _summary(self) -> str:
        """Everything that counts, in one line; the statuses add up to the trials begun."""
        assert self.tally is not None
        stage = self._last_stage()
        count = self.tally.by_stage[stage]
        failed = count["failed"] + count["diverged"]
        parts = [
            self._headline(),
            f"{count['done']} done",
            f"{count['running']} running",
            *[f"{count['paused']} paused"] * (count["paused"] > 0),
            f"{count['stopped']} stopped",
            f"{failed} failed",
            *[f"{count['infeasible']} {OVER_LIMIT}"] * (count["infeasible"] > 0),
            f"compute {self.tally.compute:,.0f} epochs",
            self._time(),
        ]
        best = self._best()
        return " · ".join([*parts, best] if best else parts)

    def _headline(self) -> str:
        assert self.tally is not None
        name, stage = self._stage_name(), self._last_stage()
        if name == OPENING:
            assert self.table is not None and self.table.plan is not None
            return f"{name}: {len(verdict_repeats(self.table, self.table.plan))} models to score"
        asked, wanted = self.tally.by_stage[stage].total(), self.tally.wanted(stage)
        what = "trial" if stage == SEARCH else "training"
        return f"{name}: {what} {asked:,} of {wanted:,}"

    def _time(self) -> str:
        assert self.tally is not None
        passed = duration(time.monotonic() - self.started)
        stage = self._last_stage()
        more = self.tally.wanted(stage) - self.tally.by_stage[stage].total()
        budgets = {"trials": self._pace.left(more)}
        if stage == SEARCH:
            budgets |= self._limits()
        known = {name: left for name, left in budgets.items() if left is not None}
        if not known or budgets["trials"] is None or self._stage_name() == OPENING:
            return passed
        first = min(known, key=lambda name: known[name])
        words = f"{passed}, about {duration(known[first])} of {STAGE_NAMES[stage]} left"
        return words if first == "trials" else f"{words} (then the {first} is spent)"

    def _limits(self) -> dict[str, float | None]:
        """Seconds until the search's time and compute are spent; None where that is not known."""
        assert self.table is not None and self.tally is not None
        found: dict[str, float | None] = {}
        if self.table.time_limit is not None:
            searched = self.table.searched_for(time.time())
            found["time"] = max(0.0, self.table.time_limit - searched)
        if self.table.total_compute is not None:
            more = self.table.total_compute - self.tally.searched
            found["compute"] = self._pace.left_of_compute(max(0.0, more), self.tally.searched)
        return found

    def _best(self) -> str:
        assert self.tally is not None
        leader = self.tally.leader()
        if leader is None or leader.best is None:
            return ""
        words = f"best {self.scenario.metric} {leader.best:.4f} ({leader.arm})"
        baseline = self.tally.arms.get(self.scenario.baseline)
        if baseline is None or baseline is leader or baseline.best is None:
            return words
        return f"{words}, baseline {baseline.best:.4f}"

    def screen(self) -> Group | Text:
        """What a terminal shows, never higher than the terminal."""
        if self.table is None or self.tally is None:
            words = f"starting … {duration(time.monotonic() - self.started)}"
            return joined([line(each) for each in (words, self._notice) if each])
        running, compute = self.tally.running, f"{self.tally.compute:,.0f}"
        shown = [
            line(f"{self._headline()} · {running} running · compute {compute} epochs"),
            line(self._time()),
            line(self._best()),
        ]
        room = max(FEWEST_ARMS, self.where.height - LINES_BESIDES)
        newest = list(self._events)[::-1][: max(0, room - FEWEST_ARMS - 2)]
        arms = self.tally.ranked()
        fitting = max(FEWEST_ARMS, room - len(newest) - bool(self._notice))
        shown += [*_arms(arms, self.scenario, fitting, self.where.width), line("")]
        shown += [line(words) for words in newest[::-1]]
        if self._notice:
            shown.append(line(self._notice, "bold"))
        return stacked(shown)


class Pace:
    """How long what is left of a stage may take, from how long its trainings took so far."""

    def __init__(self) -> None:
        self._stage = ""
        self._since = 0.0
        self._asked = 0
        self._compute = 0.0

    def count(self, event: Event, tally: Tally) -> None:
        """Takes in an event."""
        if not isinstance(event, events.Ask):
            return
        if event.stage != self._stage:
            self._stage, self._since, self._asked = event.stage, time.monotonic(), 0
            self._compute = tally.searched
        self._asked += 1

    def left(self, more: int) -> float | None:
        """Seconds until so many more have been begun; None if there are none, or it is early."""
        if self._asked <= 5 or more <= 0:
            return None
        return (time.monotonic() - self._since) / self._asked * more

    def left_of_compute(self, more: float, searched: float) -> float | None:
        """Seconds until so much more compute is spent; None while nothing has been."""
        spent = searched - self._compute
        return (time.monotonic() - self._since) / spent * more if spent > 0 else None


def duration(seconds: float) -> str:
    """Seconds in words, no finer than is of use."""
    if seconds < 180:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 180 else f"{minutes // 60} h {minutes % 60:02} min"


def arms_table(table: TrialTable, scenario: Scenario) -> Text:
    """One row an arm: trials, compute, and the best value by search and by confirmation."""
    arms = Tally(table, scenario).ranked()
    return joined([*_arms(arms, scenario, len(arms)), line("* the baseline", "italic")])


def failures(table: TrialTable, tracebacks: Place) -> list[str]:
    """Says how many trainings failed, why most of them did, and where more about it is."""
    failed = [trial for trial in table.trials if trial.status == Status.FAILED]
    if not failed:
        return []
    reasons = Counter(trial.reason or "no reason was told" for trial in failed)
    ((reason, times),) = reasons.most_common(1)
    most = "" if times == len(failed) else f" ({times} of them so)"
    words = f"{len(failed)} training{'s' * (len(failed) > 1)} failed{most}: {reason}"
    return [f"{words}; full tracebacks: {tracebacks}"]


def front_table(table: TrialTable, scenario: Scenario, names: Sequence[str]) -> Text:
    """The Pareto front of the metric and objectives: one row a trial, the best ones first."""
    chosen = objectives_of(scenario.metric, scenario.secondary, names or WITHOUT_ANY)
    front = pareto_front(table.of_stage(SEARCH), scenario.mode, chosen)
    about = ", ".join([scenario.metric, *(each.name for each in chosen)]).replace("_", " ")
    words = f"{len(front)} trials are" if len(front) != 1 else "1 trial is"
    headline = line(f"{words} on the Pareto front of {about}")
    if not names or not front:
        return headline
    rows = [["algorithm", "trial", scenario.metric, *(each.name for each in chosen)]]
    for trial in front[:FRONT_ROWS]:
        value = "" if trial.value is None else f"{trial.value:.4f}"
        readings = [each.words(trial) for each in chosen]
        rows.append([trial.arm, f"{trial.number}", value, *readings])
    lines = [headline, *_aligned(rows, WIDEST)]
    if len(front) > FRONT_ROWS:
        lines.append(line(f"… and {len(front) - FRONT_ROWS} more", "dim"))
    return joined(lines)


def _arms(
    arms: list[ArmTally], scenario: Scenario, fitting: int, width: int = WIDEST
) -> list[Text]:
    """The leaderboard, cut to so many rows; the baseline is never cut away."""
    narrow = width < NARROW
    confirmed = any(mine.mean is not None for mine in arms)
    rare = [each for each in RARE if any(mine.count(each) for mine in arms)]
    statuses = ["done"] if narrow else ["done", "stopped", *rare]
    names = [OVER_LIMIT if status == Status.INFEASIBLE else status for status in statuses]
    header = ["algorithm", "trials", *names, "compute", f"best {scenario.metric}"]
    rows = [header + ["confirmed"] * confirmed]
    kept = _fitting(arms, scenario.baseline, fitting)
    for mine in kept:
        values = [mine.best, *[mine.mean] * confirmed]
        rows.append(
            [
                mine.arm + (" *" if mine.arm == scenario.baseline else ""),
                f"{mine.trials}",
                *[f"{mine.count(status)}" for status in statuses],
                f"{mine.compute:,.0f}",
                *["" if value is None else f"{value:.4f}" for value in values],
            ]
        )
    lines = _aligned(rows, width)
    if len(kept) < len(arms):
        others = sum(mine.trials for mine in arms) - sum(mine.trials for mine in kept)
        lines.append(line(f"… and {len(arms) - len(kept)} more with {others} trials", "dim"))
    return lines


def _aligned(rows: list[list[str]], width: int) -> list[Text]:
    """Rows as lines, the first column to the left and the others to the right, a bold header.

    By hand, since a rich table costs ten times as much and is made anew twice a second.
    """
    # A header of two words takes two lines, for the width of 80 columns.
    first, second = zip(*(name.rpartition(" ")[::2] for name in rows[0]), strict=True)
    table = [list(first)] * any(first) + [list(second), *rows[1:]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    # Numbers are what one looks for: where it is too narrow, the names are cut.
    left = min(widths[0], max(8, width - sum(widths[1:]) - 2 * len(widths[1:])))
    lines = [
        "  ".join([row[0][:left].ljust(left), *map(str.rjust, row[1:], widths[1:])])
        for row in table
    ]
    headers = len(table) - len(rows) + 1
    return [line(words, "bold" if i < headers else "") for i, words in enumerate(lines)]


def _fitting(arms: list[ArmTally], baseline: str, rows: int) -> list[ArmTally]:
    """The first arms and in any case the baseline, with a row left to tell of the others."""
    if len(arms) <= rows:
        return arms
    kept = arms[: rows - 1]
    mine = [each for each in arms if each.arm == baseline and each not in kept]
    return [*kept[: rows - 1 - len(mine)], *mine]


def _ending(trial: Trial) -> str:
    training = "trial" if trial.stage == SEARCH else STAGE_NAMES[trial.stage] + ", training"
    words = f"{training} {trial.number} {trial.arm} {trial.status}"
    if trial.status == Status.DONE and trial.value is not None:
        return f"{words}: {trial.value:.4f}"
    return f"{words}: {trial.reason}" if trial.reason else words

"""The content of a history: its searches, and its tasks with the best value of each arm."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from automl_cl.history.record import Record
from automl_cl.run.events import Status
from automl_cl.run.trial import SEARCH

HASH = re.compile("[0-9a-f]{16}")
_OF_SEARCHES = {
    "search": "search",
    "scenario": "scenario",
    "data": "data",
    "arms": "arms",
    "trials": "trials",
    "from": "first",
    "to": "last",
}
_OF_ARMS = {
    "task": "fingerprint",
    "data": "data",
    "noise": "noise_rate",
    "cap": "cap",
    "algorithm": "algorithm",
    "trials": "trials",
    "done": "done",
    "metric": "metric",
    "best": "best",
}


@dataclass(frozen=True)
class SearchRow:
    """One search; dates are ISO 8601 in UTC."""

    search: str
    scenario: str
    data: str
    fingerprint: str
    cap: float
    arms: int
    trials: int
    first: str
    last: str


@dataclass(frozen=True)
class ArmRow:
    """One arm on one task, over all searches of it; `best` is a search trial's, on validation."""

    scenario: str
    data: str
    fingerprint: str
    noise_rate: float
    cap: float
    algorithm: str
    trials: int
    done: int
    metric: str
    best: float | None
    last: str


@dataclass(frozen=True)
class Overview:
    """All of a history, summed up."""

    searches: list[SearchRow]
    arms: list[ArmRow]
    tasks: int
    trials: int

    def plain(self) -> dict[str, object]:
        """As plain values."""
        return asdict(self)

    def tables(self) -> list[tuple[list[str], list[list[str]]]]:
        """The searches and then the tasks' arms, each as headers and rows of text."""
        kinds = ((self.searches, _OF_SEARCHES), (self.arms, _OF_ARMS))
        return [
            (
                list(columns),
                [[_text(getattr(row, name)) for name in columns.values()] for row in rows],
            )
            for rows, columns in kinds
            if rows
        ]

    def words(self) -> str:
        """In a line."""
        counts = ((len(self.searches), "search"), (self.tasks, "task"), (self.trials, "trial"))
        endings = {"search": "es", "task": "s", "trial": "s"}
        return ", ".join(f"{n} {word}{'' if n == 1 else endings[word]}" for n, word in counts)


def overview(records: Sequence[Record]) -> Overview:
    """Sums up a history."""
    by_search: defaultdict[str, list[Record]] = defaultdict(list)
    by_arm: defaultdict[tuple[object, ...], list[Record]] = defaultdict(list)
    for each in records:
        by_search[each.search].append(each)
        by_arm[(each.scenario, each.data, *each.task, each.algorithm)].append(each)
    return Overview(
        searches=sorted((_search(each) for each in by_search.values()), key=lambda s: s.first),
        arms=[_arm(by_arm[key]) for key in sorted(by_arm, key=str)],
        tasks=len({(each.scenario, *each.task) for each in records}),
        trials=len(records),
    )


def _search(records: Sequence[Record]) -> SearchRow:
    one = records[0]
    return SearchRow(
        search=one.search,
        scenario=one.scenario,
        data=one.data,
        fingerprint=one.fingerprint,
        cap=one.cap,
        arms=len({each.algorithm for each in records}),
        trials=len(records),
        first=_when(min(records, key=lambda each: each.ended)),
        last=_when(max(records, key=lambda each: each.ended)),
    )


def _arm(records: Sequence[Record]) -> ArmRow:
    one, best = records[0], max if records[0].mode == "max" else min
    values = [r.value for r in records if r.stage == SEARCH and r.value is not None]
    return ArmRow(
        scenario=one.scenario,
        data=one.data,
        fingerprint=one.fingerprint,
        noise_rate=one.features["noise_rate"],
        cap=one.cap,
        algorithm=one.algorithm,
        trials=len(records),
        done=sum(each.status == Status.DONE for each in records),
        metric=one.metric,
        best=best(values, default=None),
        last=_when(max(records, key=lambda each: each.ended)),
    )


def _text(value: object) -> str:
    if isinstance(value, str) and HASH.fullmatch(value):
        return value[:8]
    if isinstance(value, float):
        return f"{value:.5g}"
    dated = isinstance(value, str) and value.endswith("+00:00")
    return str(value)[:16].replace("T", " ") if dated else "–" if value is None else str(value)


def _when(record: Record) -> str:
    return record.ended.isoformat(timespec="seconds")

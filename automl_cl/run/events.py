"""What a journal tells: one dataclass for each kind of event, and how they become lines.

An event's fields are those of its line. `seq`, its place in the journal, and `time`, in seconds,
are the journal's to give. A field that is None by default is left out where it is None, and may be
missing in the journals of earlier versions.
"""

from __future__ import annotations

import dataclasses
import json
import math
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NotRequired, TypedDict, final

from automl_cl.run.codec import Misfit, among, at_least, at_most, reader, shown, so_many
from automl_cl.run.described_space import (
    require_described,
    require_distributions,
    require_within,
)
from search_spaces import Config


class Stage(StrEnum):
    """What a training is for."""

    SEARCH = "search"
    CONFIRM = "confirm"
    VERDICT = "verdict"


class Status(StrEnum):
    """How far a trial has come; `infeasible` is one that cost more than a trial may."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    DIVERGED = "diverged"
    INFEASIBLE = "infeasible"


class Decision(StrEnum):
    """What becomes of a trial at a rung; at its last one it is done.

    A paused trial may be taken up again where it is; a stopped one may not.
    """

    CONTINUE = "continue"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class Cause(StrEnum):
    """Why a trial has to start again from its newest checkpoint."""

    CRASHED = "crashed"
    HUNG = "hung"
    NODE_LOST = "node lost"
    PREEMPTED = "preempted"


Moment = Annotated[float, at_most(253_402_300_799)]
"""In seconds since 1970; a year has four digits."""
Count = Annotated[int, at_least(0)]
Amount = Annotated[float, at_least(0)]
Ending = Annotated[
    Status, among(Status.STOPPED, Status.FAILED, Status.DIVERGED, Status.INFEASIBLE)
]


class SpecContents(TypedDict):
    """What the table reads of a spec, which `SearchSpec` checks whole."""

    trials: Annotated[int, at_least(1)]
    total_compute: NotRequired[float | None]
    time_limit: NotRequired[float | None]


class TakenOver(TypedDict):
    """What a fork was told of the search that it was forked from."""

    run: str
    openings: Count
    given: dict[str, Any]
    trials: list[dict[str, Any]]


class ArmContents(TypedDict):
    """An arm in a `problem` event."""

    information: str | None
    coordinates: Annotated[dict[str, str], require_distributions]
    given: NotRequired[str | None]


class EntryContents(TypedDict):
    """A contestant in a verdict."""

    trial: Count
    algorithm: str
    config: dict[str, Any]
    values: list[float]
    mean: float
    std: NotRequired[float]
    compute: NotRequired[float]
    parts: NotRequired[dict[str, float]]
    extra_information: NotRequired[str | None]
    was_given: NotRequired[str | None]


class ComparedContents(EntryContents):
    """A contestant that was compared with the baseline."""

    difference: float
    ci95: Annotated[list[float], so_many(2)]
    p_value: float


class LeftOutContents(TypedDict):
    """A config that was to be put to the test, and was not."""

    role: Literal["baseline", "challenger", "secondary"]
    trial: Count
    algorithm: str
    reason: str


class VerdictContents(TypedDict):
    """What is read of a verdict."""

    metric: str
    mode: Literal["max", "min"]
    seeds: list[Count]
    items: Count
    parts: NotRequired[dict[str, Count]]
    openings: Count
    level: float
    exploratory: bool
    smallest_detectable_effect_in_sd: float
    recommended: Literal["challenger", "baseline"]
    reason: str
    baseline: EntryContents
    challenger: ComparedContents | None
    secondaries: list[ComparedContents]
    left_out: NotRequired[list[LeftOutContents]]
    notes: NotRequired[list[str]]


def _require_whole(verdict: dict[str, Any]) -> None:
    """Refuses a verdict that recommends nobody, or leaves out a part of somebody's test."""
    if verdict[verdict["recommended"]] is None:
        raise Misfit("there is no challenger to recommend", (".recommended",))
    for each in (verdict["baseline"], verdict["challenger"], *verdict["secondaries"]):
        for what in verdict.get("parts", {}) if each is not None else ():
            if what not in each.get("parts", {}):
                raise Misfit(f"trial {each['trial']} has none", (f".parts.{what}",))


@dataclass(frozen=True, kw_only=True)
class Event(ABC):
    """Something that happened.

    Attributes:
        seq: how many events there are before it.
        time: when it happened.
    """

    kind: ClassVar[str]
    passed_over: ClassVar[tuple[str, ...]] = ("event",)
    seq: Count = 0
    time: Moment = 0.0

    def __init_subclass__(cls, kind: str = "") -> None:
        if kind:
            cls.kind = kind
            _KINDS[kind] = cls


_KINDS: dict[str, type[Event]] = {}


class OfTrial(ABC):
    """An event that says something of one trial."""

    number: Count


@final
@dataclass(frozen=True, kw_only=True)
class Search(Event, kind="search"):
    """The search begins; always the first event.

    Attributes:
        spec: the search's spec.
        space: fingerprint of what is searched.
        data: fingerprint of the split.
        versions: of the software.
        run: drawn at random, so that no two journals begin alike; None in earlier versions.
        fork: what was taken over from another search.
    """

    spec: Annotated[dict[str, Any], SpecContents]
    space: str
    data: str
    versions: dict[str, str]
    run: str | None = None
    fork: Annotated[dict[str, Any], TakenOver] | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Extend(Event, kind="extend"):
    """A search is made longer: None leaves a budget as it was."""

    trials: Annotated[int, at_least(1)] | None = None
    total_compute: Amount | None = None
    time_limit: Amount | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Close(Event, kind="close"):
    """The user ends the search: after `budget` trials instead of those `asked` for."""

    budget: Count
    asked: Count


@final
@dataclass(frozen=True, kw_only=True)
class Problem(Event, kind="problem"):
    """What the search is about, so that a run can be read without its data; see `problem_of`."""

    metric: str
    mode: Literal["max", "min"]
    baseline: str
    secondary: dict[str, str]
    notes: list[str]
    arms: Annotated[dict[str, Any], dict[str, ArmContents]]
    space: Annotated[dict[str, Any], require_described]
    whole_space: Annotated[dict[str, Any], require_described]

    def __post_init__(self) -> None:
        try:
            require_within(self.space, self.whole_space)
        except Misfit as misfit:
            raise misfit.inside(".space") from None


@final
@dataclass(frozen=True, kw_only=True)
class WarmStart(Event, kind="warm_start"):
    """What an earlier history advised: `points` by arm, from so many `tasks`."""

    points: dict[str, list[dict[str, Any]]]
    tasks: Count
    same_data: bool
    words: str


@final
@dataclass(frozen=True, kw_only=True)
class Start(Event, kind="start"):
    """A driver begins to work on the run."""

    pid: Count


@final
@dataclass(frozen=True, kw_only=True)
class Ask(Event, OfTrial, kind="ask"):
    """A trial is asked for; the fields are those of `Trial`."""

    number: Count
    stage: Stage
    arm: str
    config: Config
    point: dict[str, Any]
    origin: str
    source: Count | None
    seed: Count
    levels: list[Amount]
    uncompared: bool


@final
@dataclass(frozen=True, kw_only=True)
class Rung(Event, OfTrial, kind="rung"):
    """A trial reports, and what becomes of it is decided.

    Attributes:
        rung: how often it had reported.
        level: the compute at which it was to report, `compute` what it has cost.
        checkpoint, weights: names of what it left, in its folder.
        digest: SHA-256 of that file, which says inside of which trial, config and seed it is.
        memory, model_size: see `RungReport`. These and `digest` are None in earlier versions.
    """

    number: Count
    rung: Count
    level: Amount
    value: float
    metrics: dict[str, float]
    compute: Amount
    seconds: Amount
    checkpoint: str | None
    weights: str | None
    decision: Decision
    digest: str | None = None
    memory: Count | None = None
    model_size: Count | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Promote(Event, OfTrial, kind="promote"):
    """A paused trial goes on."""

    number: Count


@final
@dataclass(frozen=True, kw_only=True)
class End(Event, OfTrial, kind="end"):
    """A trial ends without a final value."""

    number: Count
    status: Ending
    reason: str | None
    compute: Amount
    weights: str | None
    memory: Count | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Lost(Event, OfTrial, kind="lost"):
    """A trial lost its process, and goes on in another."""

    number: Count
    reason: str
    cause: Cause = Cause.CRASHED


@final
@dataclass(frozen=True, kw_only=True)
class OutOfMemory(Event, OfTrial, kind="out_of_memory"):
    """A trial was refused memory; `config` is the one with which it goes on."""

    number: Count
    rung: Count
    reason: str | None
    memory: Count | None
    asked: Count | None
    batch_size: Count | None
    config: Config


@final
@dataclass(frozen=True, kw_only=True)
class Damaged(Event, OfTrial, kind="damaged"):
    """What a trial left is not what it was, and is trained again from its config and seed.

    Attributes:
        what: what is wrong, in words.
        weights: the name of the weights that are worth nothing, and with them the trial's last
            report; None where it is a checkpoint, without which a report only takes longer.
    """

    number: Count
    what: str
    weights: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Plan(Event, kind="plan"):
    """Who is put to the test, before it is opened: numbers of search trials.

    Attributes:
        opening: how many times the test will then have been opened.
        seeds: of the verdict's trainings.
        budget: of the search that the plan is made for.
    """

    baseline: Count
    challenger: Count | None
    secondaries: list[Count]
    opening: Annotated[int, at_least(1)]
    seeds: list[Count]
    budget: Count


@final
@dataclass(frozen=True, kw_only=True)
class OpenTest(Event, kind="open_test"):
    """The sealed test of the split with this fingerprint is opened, for the last plan."""

    fingerprint: str
    opening: Annotated[int, at_least(1)]


@final
@dataclass(frozen=True, kw_only=True)
class Verdict(Event, kind="verdict"):
    """What came of a plan; `verdict` is what `verdict.json` holds."""

    plan: Plan
    verdict: Annotated[dict[str, Any], VerdictContents, _require_whole]


def beginning(happened: Sequence[Event]) -> Search:
    """The event with which a journal begins."""
    first = happened[0]
    assert isinstance(first, Search), "reading a journal refuses all others"
    return first


def plain(event: Event) -> dict[str, Any]:
    """An event as the plain values of its line."""
    found: dict[str, Any] = {"seq": event.seq, "time": event.time, "event": event.kind}
    for name, optional in _fields_of(type(event)):
        value = getattr(event, name)
        if value is not None or not optional:
            found[name] = plain(value) if isinstance(value, Event) else value
    return found


def told(event: Event) -> dict[str, Any]:
    """The same without what the journal adds: what the event itself says."""
    return {k: v for k, v in plain(event).items() if k not in ("seq", "time", "event")}


@cache
def _fields_of(kind: type[Event]) -> list[tuple[str, bool]]:
    """The names of a kind's own fields, and whether None is what they are by default."""
    own = [each for each in dataclasses.fields(kind) if each.name not in ("seq", "time")]
    return [(each.name, each.default is None) for each in own]


def from_plain(values: Any) -> Event:
    """The event that plain values tell, each field checked.

    Raises:
        Misfit: if they are those of no event.
    """
    if not isinstance(values, dict):
        raise Misfit(f"expected a mapping, got {shown(values)}")
    kind = values.get("event")
    if not isinstance(kind, str) or kind not in _KINDS:
        near = get_close_matches(str(kind), _KINDS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise Misfit(f"there is no event {shown(kind)}{hint}")
    for name in ("seq", "time"):
        if name not in values:
            raise Misfit("it is missing", (f".{name}",))
    try:
        event: Event = reader(_KINDS[kind])(values)
        return event
    except Misfit as misfit:
        raise misfit.inside(f"event '{kind}': ") from None


def to_json(event: Event) -> bytes:
    """An event as one strict JSON object.

    Raises:
        ValueError: a number in it is not finite, or a key is no text.
        TypeError: a field holds something that JSON has no form for.
    """
    values = plain(event)
    for name, value in values.items():
        _require_json(event.kind, name, value)
    return json.dumps(values, allow_nan=False).encode()


def from_json(line: bytes) -> Event:
    """The event that a JSON object tells.

    Raises:
        Misfit: if it is none, or not JSON.
    """
    try:
        values = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Misfit("it is not JSON") from None
    return from_plain(values)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _require_json(kind: str, where: str, value: object) -> None:
    """Refuses what would not come back from a file as it went in, naming its place."""
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise ValueError(f"event '{kind}': {where} has the key {key!r}, not a string")
            _require_json(kind, f"{where}.{key}", member)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            _require_json(kind, f"{where}[{index}]", member)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"event '{kind}': {where} is {float(value)}; pass None instead")
    elif not isinstance(value, str | int | None):
        raise TypeError(f"event '{kind}': {where} is a {type(value).__name__}, which is not JSON")

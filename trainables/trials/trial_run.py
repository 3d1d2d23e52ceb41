"""One trial: a config trained from rung to rung, and what is reported there. No Ray in here."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import Any

import torch

from search_spaces import Config, InputError
from trainables.foundation.storage import Place, names, place
from trainables.foundation.user_code import user_fault
from trainables.learning.artefacts import Damaged, Maker
from trainables.learning.checkpoint import read_checkpoint, write_checkpoint
from trainables.learning.learner import SHARED, DeviceData, HorizonTooShort, Learner
from trainables.learning.memory import DeviceMemory, OutOfMemory, bytes_asked_for, is_out_of_memory
from trainables.learning.weights import MAKER, write_weights
from trainables.parts.sections.computing import Computing
from trainables.ranks.sharding import gathered
from trainables.scenarios.scenario import load_scenario
from trainables.trials.file_names import (
    INSIDE,
    RUNG,
    checkpoint_ending,
    checkpoint_name,
    weights_name,
)

CHECKPOINT_SECONDS = 30.0
SLICES = 64
SLICE_SECONDS = 1.0
"""About as long is trained before one looks up: a step may be longer, and is not broken off."""

LONGEST_REASON = 1_000
LONGEST_TRACEBACK = 100_000
"""Characters; what an error says may be of any length."""


@dataclass(frozen=True)
class TrialRequest:
    """A request of the search to a trial.

    Attributes:
        number: the trial's number in the search.
        scenario, config, seed: what to train.
        levels: compute at which to report, rising; the last is the config's horizon.
        fidelity: `prefix` (one run, reported on the way) or `compressed` (each level a run of its
            own, with a horizon of its own).
        folder: where this trial's checkpoints go, a path or a URI.
        attempt: tells apart those who ever worked on this trial.
        from_rung: how many levels have been reported already.
        checkpoint: the state at the last of them, or None.
        digest: the hash of that file when it was written, or None.
        run: identifies the run, in what the trial leaves.
        compute: what those levels have cost.
        keep_weights: whether the final weights are wanted.
        searching: whether something is chosen by its result (search and confirmation): it may then
            be allowed to see less of the data than the verdict's trials.
        max_compute, max_memory: what it may cost in all, in units of compute, and bytes that it
            may take; beyond that it is infeasible.
        hang_seconds: without progress for so long the process that works on it is ended.
    """

    number: int
    scenario: str
    config: Config
    seed: int
    levels: list[float]
    fidelity: str
    folder: str
    attempt: int = 0
    from_rung: int = 0
    checkpoint: str | None = None
    digest: str | None = None
    run: str = ""
    compute: float = 0.0
    keep_weights: bool = False
    searching: bool = False
    max_compute: float | None = None
    max_memory: int | None = None
    hang_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass
class RungReport:
    """A trial's report at a rung; plain values, so that it can travel and be written down.

    `status` is `running` below the last level, `done` at it, `diverged` where the loss was no
    longer a number, `infeasible` where it went beyond what it may cost, `interrupted` where it
    was told to stop in between; `preempted` and `hung` where it has to go on in another process,
    since its node is taken away or it made no progress; `failed` where it raised; `out_of_memory`
    where it was refused the `asked` bytes with batches of `batch_size`, which cannot be in parts
    where `whole` says why. `reason` says in a line why a trial failed, the user's own line first,
    and `traceback` all that Python says of it. `digest` is the hash of the file that `checkpoint`
    or `weights` names, and `damage` says which earlier files were not what was written. `memory`
    is the most that it held so far, in bytes, of the worker that held most; `model_size` counts
    the numbers in its weights.
    """

    number: int
    attempt: int
    rung: int
    status: str
    compute: float
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)
    checkpoint: str | None = None
    weights: str | None = None
    reason: str | None = None
    memory: int | None = None
    model_size: int | None = None
    asked: int | None = None
    batch_size: int | None = None
    whole: str | None = None
    traceback: str | None = None
    digest: str | None = None
    damage: str | None = None

    @classmethod
    def without_work(
        cls, request: TrialRequest, status: str, reason: str | None = None
    ) -> RungReport:
        """The report of a trial of which there is nothing to tell but its status, and why."""
        return cls(
            number=request.number,
            attempt=request.attempt,
            rung=request.from_rung,
            status=status,
            compute=request.compute,
            seconds=0.0,
            reason=reason,
        )

    @classmethod
    def of_error(cls, request: TrialRequest, error: BaseException) -> RungReport:
        """The report of a trial that raised, with the place where it did."""
        if isinstance(error, OutOfMemory):
            return replace(
                cls.without_work(request, "out_of_memory", str(error)),
                memory=error.peak,
                asked=error.asked,
                batch_size=error.batch_size,
                whole=error.whole,
            )
        return replace(
            cls.without_work(request, "failed", reason_of(error)),
            traceback="".join(format_exception(error))[-LONGEST_TRACEBACK:],
        )


def reason_of(error: BaseException) -> str:
    """The cause of a failure in one line; the user's own file and line come first."""
    fault = user_fault(error)
    if fault is not None:
        where, error = fault
        words = f"{where}: {type(error).__name__}: {error}"
    elif isinstance(error, InputError):
        words = str(error)
    else:
        frame = extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        words = f"{type(error).__name__} at {where}: {error}"
    return " ".join(words.split())[:LONGEST_REASON]


class TrialRun:
    """Carries out one request, a rung at a time.

    Args:
        request: what to do.
        data: the search's data on `device`.
        device: where to train.
        stop_requested: polled between slices of a rung.
        preempted: polled there too, whether this node is about to be taken away.
    """

    def __init__(
        self,
        request: TrialRequest,
        data: DeviceData,
        device: torch.device,
        stop_requested: Callable[[], bool] = lambda: False,
        preempted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.request = request
        self.device, self.ranks = device, data.ranks
        self.stop_requested, self.preempted = stop_requested, preempted
        self.rung = request.from_rung
        self.finished_runs = request.compute if request.fidelity == "compressed" else 0.0
        self.memory = 0
        self.maker = Maker.of(request.run, request.number, request.seed, request.config)
        self._damage: list[str] = []
        self._behind = False
        scenario = load_scenario(request.scenario)
        visible = scenario.in_search(data) if request.searching else data
        self._new_learner = lambda: scenario.learner(request.config, visible, request.seed, device)

    @cached_property
    def learner(self) -> Learner:
        """The learner of this rung; none is made, and nothing spent on it, before it is needed."""
        self._device_memory = DeviceMemory(self.device)
        learner = self._new_learner()
        state = self._newest_state()
        if state is not None:
            learner.load_state_dict(state)
        else:
            learner.begin(self._horizon())
            self._behind = self.request.fidelity == "prefix" and self.rung > 0
        return learner

    def _horizon(self) -> float:
        levels = self.request.levels
        return levels[self.rung] if self.request.fidelity == "compressed" else levels[-1]

    def _newest_state(self) -> dict[str, Any] | None:
        """The state an earlier attempt left inside this rung, else that of the last rung.

        A file that is not what was written is passed over, and told of in the next report.
        """
        # A model that is divided over ranks may be too large for the device of one.
        device = torch.device("cpu") if self.ranks.sharded else self.device
        request = self.request
        folder, ending = place(request.folder), checkpoint_ending(INSIDE, self.rung)
        files: list[tuple[Place, str | None, Maker | None]] = [
            (folder / name, None, self.maker)
            for name in reversed(names(folder))
            if name.endswith(ending)
        ]
        if request.checkpoint is not None and request.fidelity == "prefix":
            # Its config may have been another, before batches were computed in parts.
            files.append((place(request.checkpoint), request.digest, None))
        for path, digest, maker in files:
            try:
                state = read_checkpoint(path, device, digest, maker)
            except Damaged as error:
                self._damage.append(str(error).rstrip("."))
                continue
            if self._damage:
                self._damage.append(f"it goes on from {path.name}")
            return state
        if self._damage:
            self._damage.append("it begins again")
        return None

    def continues(self, request: TrialRequest) -> bool:
        """True if a request asks for the next rung of this very run."""
        same = (request.number, request.attempt) == (self.request.number, self.request.attempt)
        return same and request.from_rung == self.rung

    def next_rung(self) -> RungReport:
        """Trains to the next level and reports there; its checkpoint is on disk on return.

        Raises:
            OutOfMemory: if it was refused memory, with what it had.
        """
        try:
            return self._to_next_rung()
        except HorizonTooShort as error:
            return RungReport.without_work(self.request, "infeasible", str(error))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._out_of_memory(error) from error

    def _out_of_memory(self, error: BaseException) -> OutOfMemory:
        """Describe a trial that was refused memory; asks no other rank, which may wait."""
        learner = self.__dict__.get("learner")  # the refusal may have come while it was made
        peak = self._device_memory.peak
        if peak is None:
            peak = 0 if learner is None else learner.memory
        config = self.request.config
        size, parts = config["training"]["batch_size"], Computing.of(config).micro_batches
        whole = load_scenario(self.request.scenario).indivisible(config)
        whole = SHARED if self.ranks.size > 1 else whole
        return OutOfMemory(max(self.memory, peak), bytes_asked_for(error), size, parts, whole)

    def _to_next_rung(self) -> RungReport:
        started = time.monotonic()
        level = self.request.levels[self.rung]
        broken_off = self._catch_up() or self._train_to(level)
        report = RungReport(
            number=self.request.number,
            attempt=self.request.attempt,
            rung=self.rung,
            status="running",
            compute=0.0,
            seconds=0.0,
        )
        if broken_off is not None:
            report.status = broken_off
        elif self.learner.diverged:
            report.status, report.reason = "diverged", "the loss was no longer a finite number"
        elif self._excess() is None:
            report.metrics = self.learner.evaluate()
            if not all(map(math.isfinite, report.metrics.values())):
                report.metrics, report.status = {}, "diverged"
                report.reason = "a validation metric was not a finite number"
        report.compute = self.compute
        report.memory, report.model_size = self._peak(), self.learner.model_size
        if report.status == "running" and (excess := self._excess()) is not None:
            report.metrics, report.status, report.reason = {}, "infeasible", excess
        self._close_rung(report)
        report.seconds = time.monotonic() - started
        report.damage, self._damage = "; ".join(self._damage) or None, []
        return report

    def _catch_up(self) -> str | None:
        """Trains again up to the last rung, as before, if no state of it is left.

        Returns:
            Why it broke off before, if it did: what it did so far is then lost.
        """
        learner = self.learner
        if not self._behind:
            return None
        due = self.rung
        try:
            for self.rung in range(due):  # what it saves is of that rung
                broken_off = self._train_to(self.request.levels[self.rung])
                if broken_off is not None:
                    return broken_off
                learner.evaluate()
        finally:
            self.rung = due
        self._behind = False
        return None

    @property
    def compute(self) -> float:
        """The compute that the trial has cost so far."""
        return self.finished_runs + self.learner.compute

    def _peak(self) -> int:
        """The most memory so far, the same number on all ranks."""
        measured = self._device_memory.peak
        mine = self.learner.memory if measured is None else measured
        self.memory = max(self.memory, self.ranks.highest(mine))
        return self.memory

    def _excess(self) -> str | None:
        """The limit that the trial has exceeded, in words with the measured number."""
        request = self.request
        if request.max_compute is not None and self.compute > request.max_compute:
            return f"compute {self.compute:.4g} epochs, at most {request.max_compute:g} allowed"
        if request.max_memory is not None and self._peak() > request.max_memory:
            return f"memory {self.memory:,} bytes, at most {request.max_memory:,} allowed"
        return None

    def _train_to(self, level: float) -> str | None:
        """Trains in slices, until it costs more than it may; says why if it broke off before."""
        most = self.request.levels[-1] / SLICES
        slice_compute, reached = most / SLICES, self.learner.spent / self.learner.unit
        since_saved, diverged = 0.0, self.learner.diverged
        while reached < level and not diverged and self._excess() is None:
            broken_off = self._to_break_off()
            if broken_off is not None:
                self._save(INSIDE)
                return broken_off
            started, reached = time.monotonic(), min(reached + slice_compute, level)
            self.learner.advance(reached)
            diverged = self.learner.diverged  # waits for the device
            # Where slices end changes nothing, but all ranks have to end theirs alike.
            taken = self.ranks.highest(round(1e6 * (time.monotonic() - started))) / 1e6
            slice_compute = min(most, slice_compute * min(2.0, SLICE_SECONDS / max(taken, 1e-6)))
            since_saved += taken  # the same on all ranks, which need not agree on it once more
            if since_saved > CHECKPOINT_SECONDS:
                self._save(INSIDE)
                since_saved = 0.0
        return None

    def _to_break_off(self) -> str | None:
        """The status of a trial that has to stop here; the same on all ranks."""
        found = self.ranks.highest(2 * self.stop_requested() + self.preempted())
        return {0: None, 1: "preempted"}.get(found, "interrupted")

    def _close_rung(self, report: RungReport) -> None:
        if report.status in ("interrupted", "preempted"):
            return
        if report.status == "running" and self.rung == len(self.request.levels) - 1:
            report.status = "done"
        if report.status == "running":
            self.rung += 1
            if self.request.fidelity == "prefix":
                report.checkpoint, report.digest = self._save(RUNG)
            else:
                self.finished_runs = report.compute
                del self.learner
        elif self.request.keep_weights:
            report.weights, report.digest = self._save_weights()

    def _save(self, kind: str) -> tuple[str, str | None]:
        """Writes the learner's state; gives its file, and the hash of it if this rank wrote it."""
        path = place(self.request.folder) / checkpoint_name(self.request.attempt, kind, self.rung)
        digest = None
        if self.ranks.rank == 0 or self.ranks.sharded:
            state = self.learner.state_dict()
            if self.ranks.rank == 0:
                digest = write_checkpoint(path, state, self.maker)
        return str(path), digest

    def _save_weights(self) -> tuple[str, str | None]:
        path = place(self.request.folder) / weights_name(self.request.attempt)
        weights = self.learner.weights()
        if self.ranks.sharded:
            weights = gathered(weights, self.ranks)
        digest = None
        if self.ranks.rank == 0:
            digest = write_weights(path, weights, {MAKER: str(self.maker)})
        return str(path), digest


def following(request: TrialRequest, report: RungReport) -> TrialRequest:
    """The request for the rung after a report, whole in itself, for a worker that starts there."""
    return replace(
        request,
        from_rung=report.rung + 1,
        checkpoint=report.checkpoint,
        digest=report.digest,
        compute=report.compute,
    )

"""The link between a trial and its workers: the actor that owns them, and their loop.

Ray Train takes seconds to start workers, so they are started once. Their training function asks
the dispatcher for one request after another, and reports go around Train's own, which come every
2 seconds.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, final

import ray
import torch
from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
from ray.train.torch import TorchTrainer, get_device

from trainables.foundation.storage import stop_requested
from trainables.foundation.temporary import temporary_folder
from trainables.foundation.watchdog import Watchdog
from trainables.learning.memory import free_memory
from trainables.ranks.ranks import ALONE, ProcessGroup, RankLost, of_lost_rank
from trainables.scenarios.scenario import load_scenario
from trainables.trials.last_words import end_process
from trainables.trials.one_machine import torch_config
from trainables.trials.preemption import REASON, PreemptionNotice
from trainables.trials.trial_run import RungReport, TrialRequest, TrialRun

HEALTH_CHECK_SECONDS = 0.5
"""Seconds between two checks of Train on its workers; its default, 2, delays all it does."""
TOGETHER_SECONDS = 5.0
"""Rank failures within this many seconds count as one common failure."""
RECALL_SECONDS = 5.0
"""Seconds between two questions of workers if they must hand back their request."""
NOT_NEEDED = ("PlacementGroupCleanerCallback", "DatasetsCallback")


@final
@dataclass(frozen=True)
class Ending:
    """The reason that a group's Train run ended.

    Attributes:
        reason: in one line.
        found_no_room: whether it never began, for want of room.
        failed: the ranks that it failed with; empty if none was to blame.
    """

    reason: str
    found_no_room: bool = False
    failed: frozenset[int] = frozenset()


@final
@dataclass(frozen=True)
class Failure:
    """The failure of a rank.

    Attributes:
        report: on its own error; None if it only missed another rank.
        sound: whether its process can train on.
    """

    report: dict[str, Any] | None
    sound: bool

    @classmethod
    def of(cls, request: TrialRequest, error: Exception) -> Failure:
        """That a request failed with an error."""
        if of_lost_rank(error):
            return cls(None, sound=False)
        # After such an error of a GPU all that its process does there fails.
        sound = not isinstance(error, torch.AcceleratorError)
        return cls(asdict(RungReport.of_error(request, error)), sound)


class Dispatcher:
    """Hands requests to a group's workers, takes their reports, and owns the group's Train run.

    All processes of a group descend from this one, so they end with it, and it ends with the
    process of the trial that made it: Ray kills what a dead actor owns.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._number, self._answered = 0, 0
        self._request: dict[str, Any] | None = None
        self._report: dict[str, Any] | None = None
        self._recalled = False
        self._heard = -1
        self._failed: tuple[int, dict[int, Failure]] = (0, {})

    async def run(
        self, workers: int, each: dict[str, float], patience: int, settings: dict[str, Any]
    ) -> Ending:
        """Trains until the workers are told to end, or one fails.

        Args:
            workers: how many.
            each: resources of each.
            patience: seconds that they wait for room.
            settings: what `serve` takes.
        """
        os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] = str(patience)
        me = ray.get_runtime_context().current_actor
        return await asyncio.to_thread(_train, workers, each, {"dispatcher": me, **settings})

    async def post(self, request: dict[str, Any] | None) -> int:
        """Puts a request up, None to end the group; returns its number."""
        async with self._changed:
            self._number, self._request = self._number + 1, request
            self._recalled = False
            self._changed.notify_all()
            return self._number

    async def request(self, done: int) -> tuple[int, dict[str, Any] | None]:
        """The current request and its number, once there is one after `done` without an answer."""
        async with self._changed:
            self._heard = max(self._heard, done)
            await self._changed.wait_for(lambda: self._number > max(done, self._answered))
            self._heard = self._number
            return self._number, self._request

    async def heard(self) -> int:
        """The newest request that a worker took up; 0 if they only wait, -1 if none is up yet."""
        return self._heard

    async def withdraw(self, number: int) -> bool:
        """Takes a request back, unless a worker took it up; says whether it could."""
        if self._heard >= number:
            return False
        self._answered = number
        return True

    async def answer(self, number: int, report: dict[str, Any]) -> None:
        """Takes the report on a request."""
        async with self._changed:
            if number > self._answered:
                self._answered, self._report = number, report
            self._changed.notify_all()

    async def report(self, number: int) -> dict[str, Any] | None:
        """The report on a request, once it is there."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._answered >= number)
            return self._report

    async def recall(self) -> None:
        """Asks for the request that is being carried out to be handed back half done."""
        self._recalled = True

    async def recalled(self) -> bool:
        """True if the current request is to be handed back."""
        return self._recalled

    async def failed(self, number: int, rank: int, size: int, failure: Failure) -> bool:
        """Takes down that a rank failed; says whether it may go on with the next request.

        It may if all ranks fail alike, as with a config that is wrong: none is left waiting for
        another in a collective. Else the group has to be made anew.

        Args:
            number: of the request.
            rank: who failed.
            size: how many ranks there are.
            failure: how.
        """
        async with self._changed:
            if self._failed[0] != number:
                self._failed = number, {}
            said = self._failed[1]
            said[rank] = failure
            self._changed.notify_all()
            everyone = self._changed.wait_for(lambda: len(said) == size)
            try:
                await asyncio.wait_for(everyone, TOGETHER_SECONDS)
            except TimeoutError:
                return False
        first = said[0].report
        if first is None or not all(each.sound for each in said.values()):
            return False
        await self.answer(number, first)
        return True

    async def failures(self, number: int) -> dict[int, Failure]:
        """The failures of ranks in a request, of those that could report."""
        return self._failed[1] if self._failed[0] == number else {}


class _Trainer(TorchTrainer):
    """Ray Train without two of its processes a group.

    One looks after the placement group by asking the dashboard, and without one outlives all: see
    `placement.remove_orphans`. The other deals out Ray Data's data sets, and there are none.
    """

    def _create_default_callbacks(self) -> list[Any]:
        created = super()._create_default_callbacks()
        return [each for each in created if type(each).__name__ not in NOT_NEEDED]


def _train(workers: int, each: dict[str, float], settings: dict[str, Any]) -> Ending:
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = str(HEALTH_CHECK_SECONDS)
    # A process more; it would have Train itself make the workers anew, as many as before.
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"
    with temporary_folder("group") as storage:
        trainer = _Trainer(
            serve,
            train_loop_config=settings,
            torch_config=torch_config(),
            scaling_config=ScalingConfig(
                num_workers=workers, use_gpu="GPU" in each, resources_per_worker=each
            ),
            run_config=RunConfig(
                name="group",
                storage_path=str(storage),
                # Whoever has the group made begins a new one, maybe of another size.
                failure_config=FailureConfig(
                    max_failures=0, controller_failure_limit=0, max_preemption_failures=0
                ),
            ),
        )
        try:
            trainer.fit()
        except WorkerGroupError as error:
            return _ending_of(error.worker_failures)
        except ControllerError as error:
            cause = error.controller_failure
            waited = type(cause).__name__ == "WorkerGroupStartupTimeoutError"
            return Ending(one_line(cause), found_no_room=waited)
    return Ending("it was told to end")


def _ending_of(failures: dict[int, Exception]) -> Ending:
    told = {rank: one_line(error) for rank, error in failures.items()}
    # What a rank says that only misses another is the least interesting.
    first = min(told, key=lambda rank: (RankLost.__name__ in told[rank], rank))
    return Ending(f"worker {first}: {told[first]}", failed=frozenset(failures))


def one_line(error: BaseException) -> str:
    """The message of an error, without its place and Ray's list of possible causes."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[-1] if "Traceback" in lines[0] else " ".join(" ".join(lines).split())
    text = text.rpartition("Worker exit detail: ")[2].partition(" Some common causes")[0]
    return text[:300]


class _Recall:
    """The question for a stop between slices of a rung; one rank asks for all."""

    def __init__(self, dispatcher: Any, stop_file: str) -> None:
        self._dispatcher, self._stop_requested = dispatcher, stop_requested(stop_file)
        self._asked = time.monotonic()

    def __call__(self) -> bool:
        if self._dispatcher is not None and time.monotonic() - self._asked > RECALL_SECONDS:
            self._asked = time.monotonic()
            if ray.get(self._dispatcher.recalled.remote()):
                return True
        return self._stop_requested()


def serve(settings: dict[str, Any]) -> None:
    """The loop of each worker of a group, until it is told to end."""
    device = get_device()
    grouped = torch.distributed.is_initialized()
    ranks = ProcessGroup(device, settings["sharded"]) if grouped else ALONE
    scenario = load_scenario(settings["scenario"])
    data = scenario.on_device(ray.get(settings["view"]), device, ranks)
    dispatcher = settings["dispatcher"]
    recall = _Recall(dispatcher if ranks.rank == 0 else None, settings["stop_file"])
    notice, watchdog = PreemptionNotice.on_ray(), Watchdog()
    run: TrialRun | None = None
    done = 0
    while True:
        done, given = ray.get(dispatcher.request.remote(done))
        if given is None:
            return
        request, report = TrialRequest(**given), None
        try:
            with watchdog.over(request.hang_seconds, _gives_up(dispatcher, done, request)):
                if run is None or not run.continues(request):
                    run = TrialRun(request, data, device, recall, notice.given)
                report = run.next_rung()
        except Exception as error:
            run = None
            failure = Failure.of(request, error)
            if not ray.get(dispatcher.failed.remote(done, ranks.rank, ranks.size, failure)):
                raise
        if report is None:
            free_memory(device)  # only now does no traceback hold on to any
            continue
        if ranks.rank == 0:
            ray.get(dispatcher.answer.remote(done, asdict(report)))
        if report.status == "preempted":
            # The group is put up again where no node is taken away.
            raise RankLost(REASON)


def _gives_up(dispatcher: Any, number: int, request: TrialRequest) -> Callable[[str], object]:
    """End a worker whose trial hangs: give the trial back, and end the process."""

    def give_up(words: str) -> None:
        report = asdict(RungReport.without_work(request, "hung", words))
        end_process(words, lambda: ray.get(dispatcher.answer.remote(number, report)))

    return give_up

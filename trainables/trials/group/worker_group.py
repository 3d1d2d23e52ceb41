"""A warm Ray Train group: several workers that train one trial after another together.

A group that ends, whatever the cause, is replaced by a new one, which takes the request up again
from its newest state on disk. So there is one way to recover from everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainables.data import DataView
from trainables.foundation.storage import stop_requested
from trainables.trials.group.dispatcher import Dispatcher, Ending, one_line
from trainables.trials.placement import remove_orphans, room_for
from trainables.trials.preemption import REASON
from trainables.trials.trial_run import RungReport, TrialRequest

MOST_ATTEMPTS = 3
"""Losses of workers over one request after which it counts as failed."""
TICK_SECONDS = 5.0
"""Seconds between two looks at a group that is waited for."""
GROW_SECONDS = 60.0
"""Seconds between two looks for room, of a group that could have more workers."""
SETTLE_SECONDS = 2.0
"""Seconds that Ray may take to tell what is free."""
ROOM_SECONDS, LONG_SECONDS = 60, 365 * 86_400
"""Seconds that a group waits for room if it could do with less, and if not."""
CLOSE_SECONDS, CLEAR_SECONDS = 10.0, 3.0
"""Seconds for a group to end in order, and for Ray to learn of killed processes."""


@dataclass(frozen=True)
class GroupResources:
    """The fewest and the most workers of a group, the CPUs and GPUs of each, and what they share.

    A group begins with as many as find room, and never with less than the fewest. `sharded` has
    them divide the model among them.
    """

    fewest: int
    most: int
    cpus: float
    gpus: float
    sharded: bool = False

    @property
    def bundle(self) -> dict[str, float]:
        """The resources that each worker asks Ray for."""
        return {"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})


class GroupEnded(RuntimeError):
    """A group ended before it answered; `counts` unless it had not found room yet."""

    def __init__(self, reason: str, counts: bool = True) -> None:
        super().__init__(reason)
        self.counts = counts


class WorkerGroup:
    """Workers that are kept up and fed requests, and replaced when they are lost.

    Args:
        resources: of the group.
        scenario: the search's scenario.
        view: the search's data.
        stop_file: polled by trials.
        preempted: whether this process's node is about to be taken away, and so the group with it.

    Attributes:
        size: how many workers the group has now.
    """

    def __init__(
        self,
        resources: GroupResources,
        scenario: str,
        view: DataView,
        stop_file: str,
        preempted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.resources, self._preempted = resources, preempted
        self._stop_requested = stop_requested(stop_file)
        self._found_no_room = False
        self._settings = {
            "scenario": scenario,
            "view": ray.put(view),
            "stop_file": stop_file,
            "sharded": resources.sharded,
        }
        self._start()

    def _start(self) -> None:
        remove_orphans()
        self.size = self._fitting()
        self._looked, self._recalled = time.monotonic(), False
        # It asks for no CPU, and goes with this process's node: both are needed or none.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(Dispatcher).options(num_cpus=0, scheduling_strategy=here)
        self._dispatcher = actor.remote()
        # A group that could do with less room begins anew with less, before long.
        patience = ROOM_SECONDS if self.size > self.resources.fewest else LONG_SECONDS
        each = self.resources.bundle
        self._run = self._dispatcher.run.remote(self.size, each, patience, self._settings)

    def _fitting(self) -> int:
        """Number of workers that there is room for; Ray takes a moment to tell what is free."""
        fewest, most = self.resources.fewest, self.resources.most
        if fewest == most or self._found_no_room:
            self._found_no_room = False
            return fewest
        until = time.monotonic() + SETTLE_SECONDS
        time.sleep(SETTLE_SECONDS / 4)
        while (room := room_for(self.resources.bundle, most)) < most and time.monotonic() < until:
            time.sleep(0.1)
        return max(fewest, room)

    def carry_out(self, request: TrialRequest) -> RungReport:
        """Has the group train to the request's next rung, and replaces the group where it must.

        A trial over which workers are lost time and again is reported as failed.
        """
        lost = 0
        while True:
            if self._ended() or self._recalled or self._may_grow():
                self._replace()
            try:
                report = self._attempt(request)
            except GroupEnded as ended:
                if self._preempted():
                    return RungReport.without_work(request, "preempted", REASON)
                lost += ended.counts
                self._found_no_room = not ended.counts
                if lost == MOST_ATTEMPTS:
                    return RungReport.without_work(
                        request, "failed", f"lost its workers {lost} times: {ended}"
                    )
                continue
            called_back = report.status == "interrupted" and self._recalled
            if not called_back or self._stop_requested():
                return report

    def _attempt(self, request: TrialRequest) -> RungReport:
        try:
            number = ray.get(self._dispatcher.post.remote(request.to_dict()))
            answer = self._dispatcher.report.remote(number)
            while True:
                ready, _ = ray.wait([answer, self._run], timeout=TICK_SECONDS)
                if answer in ready:
                    return RungReport(**ray.get(answer))
                if ready:
                    return self._told(number, ray.get(self._run))
                remove_orphans()
                if self._stop_requested() and ray.get(self._dispatcher.withdraw.remote(number)):
                    return RungReport.without_work(request, "interrupted")
                if not self._recalled and self._may_grow():
                    self._recalled = True
                    self._dispatcher.recall.remote()
        except RayError as error:
            raise GroupEnded(one_line(error)) from error

    def _told(self, number: int, ending: Ending) -> RungReport:
        """The failure of the rank that ended the group.

        Raises:
            GroupEnded: if any of those that failed had no time to say a word.
        """
        failures = ray.get(self._dispatcher.failures.remote(number))
        said = [each.report for each in failures.values() if each.report is not None]
        if said and ending.failed <= failures.keys():
            return RungReport(**said[0])
        raise GroupEnded(ending.reason, counts=not ending.found_no_room)

    def _ended(self) -> bool:
        return bool(ray.wait([self._run], timeout=0)[0])

    def _may_grow(self) -> bool:
        """True if there is room for more workers; looked for now and then."""
        lacking, now = self.resources.most - self.size, time.monotonic()
        if not lacking or now - self._looked < GROW_SECONDS:
            return False
        self._looked = now
        return room_for(self.resources.bundle, lacking) > 0

    def _replace(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        """Ends the group, in order if its workers listen, and gives back all that it had."""
        in_order = False
        if self._heard() >= 0:
            self._dispatcher.post.remote(None)
            in_order = bool(ray.wait([self._run], timeout=CLOSE_SECONDS)[0])
        ray.kill(self._dispatcher)
        until = time.monotonic() + CLEAR_SECONDS
        while not in_order and remove_orphans() == 0 and time.monotonic() < until:
            time.sleep(0.1)

    def _heard(self) -> int:
        try:
            return int(ray.get(self._dispatcher.heard.remote()))
        except RayError:
            return -1

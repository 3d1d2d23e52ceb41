"""A warm Ray Train group: several workers that train one trial after another together.

Ray Train takes seconds to start a group, so it is started once. Its training function waits at a
mailbox for the next request, and its reports go around Train's own, which come every 2 seconds.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import ray
import torch

from trainables.data import DataView
from trainables.last_words import end_process
from trainables.preemption import REASON, PreemptionNotice
from trainables.ranks import ALONE, ProcessGroup, RankLost
from trainables.scenario import load_scenario
from trainables.trial_run import RungReport, TrialRequest, TrialRun
from trainables.watchdog import Watchdog

MOST_REBUILDS = 3


@dataclass(frozen=True)
class GroupResources:
    """How many workers a group has, and the CPUs and GPUs of each."""

    workers: int
    cpus: float
    gpus: float


class Mailbox:
    """Where a trial's requests wait for the workers, and a report for the trial.

    A worker asks for what is current, so one that was replaced in the middle of a request is given
    that request again: doing it twice gives the same report.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._number, self._answered = 0, 0
        self._request: dict[str, Any] | None = None
        self._report: dict[str, Any] | None = None

    async def post(self, request: dict[str, Any] | None) -> int:
        """Puts a request up, None to end the group; returns its number."""
        async with self._changed:
            self._number, self._request = self._number + 1, request
            self._changed.notify_all()
            return self._number

    async def request(self, done: int) -> tuple[int, dict[str, Any] | None]:
        """The current request and its number, once there is one after `done` without an answer."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._number > max(done, self._answered))
            return self._number, self._request

    async def answer(self, number: int, report: dict[str, Any]) -> None:
        """Takes the report on a request."""
        async with self._changed:
            self._answered, self._report = max(number, self._answered), report
            self._changed.notify_all()

    async def report(self, number: int, seconds: float) -> dict[str, Any] | None:
        """The report on a request, or None if there is none within some seconds."""
        async with self._changed:
            arrived = self._changed.wait_for(lambda: self._answered >= number)
            try:
                await asyncio.wait_for(arrived, seconds)
            except TimeoutError:
                return None
            return self._report


class WorkerGroup:
    """A Ray Train group that is kept up and fed requests.

    Args:
        resources: of the group.
        scenario: the search's scenario.
        view: the search's data.
        stop_file: polled by trials.
    """

    def __init__(
        self, resources: GroupResources, scenario: str, view: DataView, stop_file: str
    ) -> None:
        # The mailbox asks for no CPU: it must find room wherever the trial itself did.
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0).remote()
        self._storage = tempfile.mkdtemp(prefix="automl_cl-group-")
        self._error: BaseException | None = None
        settings = {
            "mailbox": self._mailbox,
            "scenario": scenario,
            "view": ray.put(view),
            "stop_file": stop_file,
        }
        fit = _trainer(resources, settings, self._storage)
        self._thread = threading.Thread(target=self._fit, args=(fit,), daemon=True)
        self._thread.start()

    def _fit(self, fit: Callable[[], Any]) -> None:
        try:
            fit()
        except Exception as error:
            self._error = error

    def carry_out(self, request: TrialRequest) -> RungReport:
        """Has the group train to the request's next rung.

        Raises:
            RuntimeError: if the group has ended.
        """
        number = ray.get(self._mailbox.post.remote(request.to_dict()))
        while self._thread.is_alive():
            report = ray.get(self._mailbox.report.remote(number, 5.0))
            if report is not None:
                return RungReport(**report)
        raise RuntimeError(f"the group of workers ended: {self._error}")

    def close(self) -> None:
        """Ends the group in order, so that Train itself gives its resources back."""
        ray.get(self._mailbox.post.remote(None))
        self._thread.join(timeout=10)
        ray.kill(self._mailbox)
        shutil.rmtree(self._storage, ignore_errors=True)


def _trainer(
    resources: GroupResources, settings: dict[str, Any], storage: str
) -> Callable[[], Any]:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from trainables.one_machine import torch_config

    each = {"CPU": resources.cpus}
    if resources.gpus:
        each["GPU"] = resources.gpus
    trainer = TorchTrainer(
        serve,
        train_loop_config=settings,
        torch_config=torch_config(),
        scaling_config=ScalingConfig(
            num_workers=resources.workers,
            use_gpu=resources.gpus > 0,
            resources_per_worker=each,
        ),
        run_config=RunConfig(
            name="group",
            storage_path=storage,
            failure_config=FailureConfig(max_failures=MOST_REBUILDS),
        ),
    )
    fit: Callable[[], Any] = trainer.fit
    return fit


def serve(settings: dict[str, Any]) -> None:
    """What each worker of a group does until it is told to end."""
    from ray.train.torch import get_device

    device = get_device()
    ranks = ProcessGroup(device) if torch.distributed.is_initialized() else ALONE
    scenario = load_scenario(settings["scenario"])
    data = scenario.on_device(ray.get(settings["view"]), device, ranks)
    mailbox, stop_file = settings["mailbox"], Path(settings["stop_file"])
    notice, watchdog = PreemptionNotice.on_ray(), Watchdog()
    run: TrialRun | None = None
    done = 0
    while True:
        done, given = ray.get(mailbox.request.remote(done))
        if given is None:
            return
        request = TrialRequest(**given)
        give_up = _gives_up(mailbox, done, request)
        try:
            with watchdog.over(request.hang_seconds, give_up):
                if run is None or not run.continues(request):
                    run = TrialRun(request, data, device, stop_file.exists, notice.given)
                report = run.next_rung()
        except RankLost:
            # Train rebuilds the group, which then does this request again.
            raise
        except Exception as error:
            # The other ranks may wait for this one in a collective: the group has to be rebuilt.
            ray.get(mailbox.answer.remote(done, asdict(RungReport.of_error(request, error))))
            raise
        if ranks.rank == 0:
            ray.get(mailbox.answer.remote(done, asdict(report)))
        if report.status == "preempted":
            # Train puts the group up again where no node is taken away.
            raise RankLost(REASON)


def _gives_up(mailbox: Any, number: int, request: TrialRequest) -> Callable[[str], object]:
    """What a worker does whose trial hangs: gives the trial back, and ends its process."""

    def give_up(words: str) -> None:
        report = asdict(RungReport.given_back(request, "hung", words))
        end_process(words, lambda: ray.get(mailbox.answer.remote(number, report)))

    return give_up


def following(request: TrialRequest, report: RungReport) -> TrialRequest:
    """The request for the rung after a report, whole in itself, for a worker that starts there."""
    return replace(
        request,
        from_rung=report.rung + 1,
        checkpoint=report.checkpoint,
        compute=report.compute,
    )

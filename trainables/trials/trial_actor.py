"""The warm trial actor: one process that runs one trial after another under Ray Tune."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from ray import tune

from trainables.data import DataView
from trainables.foundation.storage import stop_requested
from trainables.foundation.watchdog import Watchdog
from trainables.learning.memory import free_memory
from trainables.scenarios.scenario import load_scenario
from trainables.trials.last_words import leave
from trainables.trials.preemption import REASON, PreemptionNotice
from trainables.trials.trial_run import RungReport, TrialRequest, TrialRun, following

if TYPE_CHECKING:
    from trainables.trials.group.worker_group import GroupResources, WorkerGroup

LONGEST_PAUSE = 2.0


class TrialActor(tune.Trainable):
    """Runs trials; between them the process, its device and the data on it stay as they are.

    With a group it trains nothing itself but has the group's workers do it.

    Each trial's Tune config holds one key, `request`: a `TrialRequest` as JSON, or None to keep
    the actor up while there is nothing to do. Each `step` returns one `RungReport`. What goes
    wrong inside a trial is returned, not raised: raising would cost the actor, and with it seconds
    of starting another. Where another process has to go on, this one leaves, and with it goes what
    Tune would use again: one whose trial hangs, and all on a node that is about to be taken away.
    """

    def setup(
        self,
        config: dict[str, Any],
        scenario: str,
        view: DataView,
        device: str,
        stop_file: str,
        group: GroupResources | None,
    ) -> None:
        """Moves the data to the device, or starts the group, once for all trials to come."""
        self.stop_requested = stop_requested(stop_file)
        self.notice, self.watchdog = PreemptionNotice.on_ray(), Watchdog()
        self.group: WorkerGroup | None = None
        if group is not None:
            # Ray Train takes a second to import.
            from trainables.trials.group.worker_group import WorkerGroup

            self.group = WorkerGroup(group, scenario, view, stop_file, self.notice.given)
        else:
            self.device = torch.device(device)
            self.data = load_scenario(scenario).on_device(view, self.device)
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Turns to another trial."""
        self._take(new_config)
        return True

    def _take(self, config: dict[str, Any]) -> None:
        given = config["request"]
        self.request = None if given is None else TrialRequest(**json.loads(given))
        self.run: TrialRun | None = None
        self.pause = 0.02

    def step(self) -> dict[str, Any]:
        """Trains to the next rung and reports it."""
        if self.notice.given():
            leave(self.request, "preempted", REASON)
        if self.request is None:
            time.sleep(self.pause)
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
            return {"report": None}
        report = self._by_group() if self.group is not None else self._alone()
        if report.status == "preempted" and self.group is None:
            leave(self.request, "preempted", REASON)
        self.request = following(self.request, report)
        return {"report": json.dumps(asdict(report))}

    def _alone(self) -> RungReport:
        request = self.request
        assert request is not None
        try:
            with self.watchdog.over(
                request.hang_seconds, lambda words: leave(request, "hung", words)
            ):
                if self.run is None:
                    self.run = TrialRun(
                        request,
                        self.data,
                        self.device,
                        self.stop_requested,
                        self.notice.given,
                    )
                return self.run.next_rung()
        except (Exception, SystemExit) as error:  # a user's model may call sys.exit()
            report = RungReport.of_error(request, error)
        # Only now does nothing hold on to what was held where it was raised.
        self.run = None
        free_memory(self.device)
        return report

    def _by_group(self) -> RungReport:
        assert self.request is not None
        assert self.group is not None
        return self.group.carry_out(self.request)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a trial's checkpoints are its own, and on disk before each report."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: which checkpoint to start from comes with the request."""

    def cleanup(self) -> None:
        """Lets the trial go, and the group."""
        self.run = None
        if self.group is not None:
            self.group.close()

"""The warm trial actor: one process that runs one trial after another under Ray Tune."""

from __future__ import annotations

import json
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables.data import DataView
from trainables.tensors import TensorView
from trainables.trial_run import RungReport, TrialRequest, TrialRun


LONGEST_PAUSE = 2.0


class TrialActor(tune.Trainable):
    """Runs trials; between them the process, its device and the data on it stay as they are.

    Each trial's Tune config holds one key, `request`: a `TrialRequest` as JSON, or None to keep
    the actor up while there is nothing to do. Each `step` returns one `RungReport`. What goes
    wrong inside a trial is returned, not raised: raising would cost the actor, and with it seconds
    of starting another.
    """

    def setup(self, config: dict[str, Any], view: DataView, device: str, stop_file: str) -> None:
        """Moves the data to the device, once for all trials to come."""
        self.device = torch.device(device)
        self.data = TensorView.of(view, self.device)
        self.stop_file = Path(stop_file)
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
        if self.request is None:
            time.sleep(self.pause)
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
            return {"report": None}
        try:
            if self.run is None:
                self.run = TrialRun(self.request, self.data, self.device, self.stop_file.exists)
            report = self.run.next_rung()
        except Exception as error:
            report = _failure(self.request, error)
        return {"report": json.dumps(asdict(report))}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a trial's checkpoints are its own, and on disk before each report."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: which checkpoint to start from comes with the request."""

    def cleanup(self) -> None:
        """Lets the trial go."""
        self.run = None


def _failure(request: TrialRequest, error: Exception) -> RungReport:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    reason = f"{type(error).__name__} at {where}: {error}".replace("\n", " ")
    return RungReport(
        number=request.number,
        attempt=request.attempt,
        rung=request.from_rung,
        status="failed",
        compute=request.compute,
        seconds=0.0,
        reason=reason[:1000],
    )

"""TensorBoard logs of the search trials: values over compute, and the HParams table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from automl_cl.journal import Event
from automl_cl.trials import SEARCH, Trial, TrialTable

# TensorBoard counts steps in whole numbers, and rungs may lie below one epoch.
STEPS = 1000


class Board:
    """Writes a trial's log when it has ended.

    Args:
        folder: where the logs go, one folder a trial.
        table: the trial table.
    """

    def __init__(self, folder: Path, table: TrialTable) -> None:
        self.folder, self.table = folder, table

    def observe(self, event: Event) -> None:
        """Writes the log of a trial that this event ended."""
        if event["event"] in ("rung", "end"):
            self._write(self.table.trials[event["number"]])

    def write_missing(self) -> None:
        """Writes what an earlier driver did not get to."""
        for trial in self.table.trials:
            self._write(trial)

    def _write(self, trial: Trial) -> None:
        folder = self.folder / f"{trial.number:06d}-{trial.arm}"
        if (
            trial.stage != SEARCH
            or trial.status in ("running", "paused")
            or not trial.rungs
            or folder.exists()
        ):
            return
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        # A log that a kill cut short must not pass for written; TensorBoard does not look here.
        draft = self.folder.with_name(f".{self.folder.name}.{os.getpid()}") / folder.name
        with SummaryWriter(str(draft)) as writer:
            for rung in trial.rungs:
                for name, value in rung.metrics.items():
                    writer.add_scalar(f"validation/{name}", value, round(rung.level * STEPS))
            last = {f"validation/{k}": v for k, v in trial.rungs[-1].metrics.items()}
            for summary in hparams(flat(trial.config), last):
                writer.file_writer.add_summary(summary)
        self.folder.mkdir(exist_ok=True)
        draft.rename(folder)
        draft.parent.rmdir()


def flat(config: dict[str, Any], path: str = "") -> dict[str, Any]:
    """A nested config as one level of dotted names."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else key
        found |= flat(value, name) if isinstance(value, dict) else {name: value}
    return found

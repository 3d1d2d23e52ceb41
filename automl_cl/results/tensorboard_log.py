"""TensorBoard logs of the search trials: values over compute, and the HParams table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from automl_cl.run.events import End, Event, Rung, Status
from automl_cl.run.trial import SEARCH, Trial
from automl_cl.run.trial_table import TrialTable


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
        if isinstance(event, Rung | End):
            self._write(self.table.trials[event.number])

    def write_missing(self) -> None:
        """Writes what an earlier driver did not get to."""
        for trial in self.table.trials:
            self._write(trial)

    def _write(self, trial: Trial) -> None:
        folder = self.folder / f"{trial.number:06d}-{trial.arm}"
        if (
            trial.stage != SEARCH
            or trial.status in (Status.RUNNING, Status.PAUSED)
            or not trial.rungs
            or folder.exists()
        ):
            return
        from torch.utils.tensorboard import SummaryWriter

        # A log that a kill cut short must not pass for written; TensorBoard does not look here.
        draft = self.folder.with_name(f".{self.folder.name}.{os.getpid()}") / folder.name
        with SummaryWriter(str(draft)) as writer:
            for step, rung in zip(trial.steps, trial.rungs, strict=True):
                for name, value in rung.metrics.items():
                    writer.add_scalar(f"validation/{name}", value, step)
            for summary in _hyperparameters(trial):
                writer.file_writer.add_summary(summary)
        self.folder.mkdir(exist_ok=True)
        draft.rename(folder)
        draft.parent.rmdir()


def _hyperparameters(trial: Trial) -> list[Any]:
    """The trial's row of the HParams table.

    Without the summary that would name the table's columns: TensorBoard takes the first that it
    finds for those of all trials, and without any it collects them from the rows.
    """
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from torch.utils.tensorboard.summary import hparams

    _, start, end = hparams(flat(trial.config), {})
    if trial.status in (Status.FAILED, Status.DIVERGED):
        plugin = end.value[0].metadata.plugin_data
        content = HParamsPluginData.FromString(plugin.content)
        content.session_end_info.status = STATUS_FAILURE
        plugin.content = content.SerializeToString()
    return [start, end]


def flat(config: dict[str, Any], path: str = "") -> dict[str, Any]:
    """A nested config as one level of dotted names."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else key
        found |= flat(value, name) if isinstance(value, dict) else {name: value}
    return found

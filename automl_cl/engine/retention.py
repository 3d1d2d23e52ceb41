"""Which checkpoints of a trial are kept: those that a resumption can still ask for."""

from __future__ import annotations

from contextlib import suppress

from automl_cl.run.events import Status
from automl_cl.run.folder import RunFolder
from automl_cl.run.trial import Trial
from trainables.foundation.storage import StorageError, names, remove_folder
from trainables.trials.file_names import INSIDE, RUNG, WEIGHTS_ENDING, checkpoint_ending


class Retention:
    """Removes files of trials from a run folder.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def clear(self, trial: Trial) -> None:
        """Removes what no resumption can ask for any more."""
        with suppress(StorageError):  # what is left over does no harm
            self._remove_unneeded(trial)

    def remove_inside(self, trial: Trial) -> None:
        """Removes what a trial has saved on the way to its next rung."""
        self._remove(trial, (checkpoint_ending(INSIDE, len(trial.rungs)),))

    def _remove_unneeded(self, trial: Trial) -> None:
        if trial.status not in (Status.RUNNING, Status.PAUSED) and trial.weights is None:
            remove_folder(self._folder.of_trial(trial.number))
            return
        passed = range(len(trial.rungs))
        left_over = [checkpoint_ending(kind, rung) for kind in (INSIDE, RUNG) for rung in passed]
        if trial.damaged:
            left_over.append(WEIGHTS_ENDING)
        if left_over:
            self._remove(trial, tuple(left_over))

    def _remove(self, trial: Trial, endings: tuple[str, ...]) -> None:
        """Removes a trial's files whose names end so."""
        folder = self._folder.of_trial(trial.number)
        for name in names(folder):
            if name.endswith(endings) and name != trial.weights:
                (folder / name).unlink(missing_ok=True)

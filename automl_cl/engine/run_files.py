"""The files about a run that follow from its journal: written whatever ended the search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from automl_cl.engine.session import Session
from automl_cl.history.writing import add_to_history, history_folder
from automl_cl.results.report import write_report
from automl_cl.results.tensorboard_log import Board
from automl_cl.results.trials_file import write_trials
from automl_cl.spec.preparation import Prepared
from automl_cl.strategy.stages import VerdictImpossible


class RunFiles:
    """Writes trial table, TensorBoard logs, report and history of a session's run.

    Args:
        session: on the run.
        prepared: what is searched.
        board: the run's TensorBoard logs.
        versions: of the software, for the history.
    """

    def __init__(
        self, session: Session, prepared: Prepared, board: Board, versions: Mapping[str, str]
    ) -> None:
        self._session, self._prepared = session, prepared
        self._board, self._versions = board, versions

    def _steps(self) -> Iterator[Callable[[], object]]:
        """What is written, in this order; the history comes last: it may be on another disk."""
        session, folder = self._session, self._session.folder
        front = {trial.number for trial in session.front()}
        events = session.journal.events
        yield partial(write_trials, folder.trials, session.table, front)
        yield self._board.write_missing
        yield partial(write_report, folder, events)
        yield folder.publish
        history = history_folder(self._prepared, folder.place)
        if history is not None:
            yield partial(add_to_history, history, self._prepared, events, self._versions)

    def write(self) -> Exception | None:
        """Writes them all.

        Returns:
            The first error. It costs none of the other files, and not the verdict, which is
            written by then.
        """
        first: Exception | None = None
        for step in self._steps():
            try:
                step()
            except Exception as error:
                first = first or error
        return first

    def write_what_can_be(self) -> None:
        """Writes what can be written of a run that an error has ended, which is told after it."""
        if not self._session.folder.path.is_dir():
            return  # nothing is made again of a folder that was deleted
        for step in self._steps():
            with suppress(OSError):
                step()

    def told_with_them(self, error: VerdictImpossible) -> VerdictImpossible:
        """An error that also says where everything about it is."""
        folder = self._session.folder
        kept = [n for n in error.trials if folder.traceback_of(n).exists()]
        trace = f"; full traceback: {folder.shown(folder.traceback_of(kept[0]))}" if kept else ""
        files = f"{folder.shown(folder.trials)} and {folder.shown(folder.report)}"
        return VerdictImpossible(f"{error}{trace}; all trials: {files}", error.trials)

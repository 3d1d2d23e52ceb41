"""A session on Ray Tune's own interfaces: a searcher that asks it, a scheduler that tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from automl_cl.engine.lost_trials import Losses
from automl_cl.engine.session import Session
from trainables.trials.trial_run import RungReport, TrialRequest


class _HoldsSession:
    """Tune copies and pickles what it is given; a session is neither copied nor pickled."""

    session: Session

    def __deepcopy__(self, memo: dict[int, Any]) -> _HoldsSession:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class SessionSearcher(_HoldsSession, Searcher):
    """Hands the session's requests to Tune, as many at a time as there are slots.

    It counts them itself: Tune would hold the number for ever with which it began.

    While a stage waits for its last trials, free actors get an empty request. Tune would stop all
    idle ones but one, and with short trials never bring them up again: a trial that waits for a
    new actor takes the next one that is free, and the new one is dropped.

    Args:
        session: what is asked.
        losses: the trials that were lost, settled with each question.
        slots: how many trials can run at once now.
    """

    def __init__(self, session: Session, losses: Losses, slots: Callable[[], int]) -> None:
        super().__init__()
        self.session, self.losses, self.slots = session, losses, slots
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        request, room = None, False
        try:
            self.losses.settle()
            self.session.heed()
            # What was lost comes before anything new, once it is known what it was lost to.
            room = len(self._live) + self.losses.unclear < self.slots()
            request = self.session.ask() if room else None
        except Exception as error:
            self.session.fail(error)
        if request is None and self.session.finished:
            return Searcher.FINISHED
        if not room:
            return None
        self._live.add(trial_id)
        if request is None:
            return {"request": None, "since": self.session.revision}
        return {"request": json.dumps(request.to_dict())}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the journal is the truth."""


class SessionScheduler(_HoldsSession, TrialScheduler):
    """Tells the session each report and carries out what it decides."""

    def __init__(self, session: Session, losses: Losses) -> None:
        super().__init__()
        self.session, self.losses = session, losses
        self._places: dict[str, int] = {}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        if result["report"] is None:
            goes_on = self.session.revision == trial.config["since"]
        else:
            goes_on = self._told(RungReport(**json.loads(result["report"])))
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP

    def _told(self, report: RungReport) -> bool:
        try:
            return self.session.report(report)
        except Exception as error:
            self.session.fail(error)
            return False

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        # Not among all trials: Tune asks at every step, and keeps those that have ended.
        live = tune_controller.get_live_trials()
        pending = [trial for trial in live if trial.status == Trial.PENDING]
        if pending and len(pending) == len(live) and self.session.over:
            # They wait for a node, which may never come.
            tune_controller.request_stop_experiment()
            return None
        return min(pending, key=lambda trial: self._places[trial.trial_id], default=None)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        self._places[trial.trial_id] = len(self._places)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        given = trial.config["request"]
        if given is None:
            return
        try:
            self.losses.note(TrialRequest(**json.loads(given)), _error_of(trial))
        except Exception as error:
            self.session.fail(error)

    def on_trial_complete(
        self, tune_controller: Any, trial: Trial, result: dict[str, Any]
    ) -> None:
        """Already told by `on_trial_result`."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to note."""

    def debug_string(self) -> str:
        return "rungs of the session"


def _error_of(trial: Trial) -> BaseException | None:
    """What a trial's actor or task failed with, as Tune keeps it in its own temporary folder."""
    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    error: BaseException = cloudpickle.loads(Path(path).read_bytes())
    return error

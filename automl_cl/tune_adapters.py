"""A session on Ray Tune's own interfaces: a searcher that asks it, a scheduler that tells it."""

from __future__ import annotations

import json
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from automl_cl.session import Session
from trainables.trial_run import RungReport


class _HoldsSession:
    """Tune copies and pickles what it is given; a session is neither copied nor pickled."""

    session: Session

    def __deepcopy__(self, memo: dict[int, Any]) -> _HoldsSession:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "session"}


class SessionSearcher(_HoldsSession, Searcher):
    """Hands the session's requests to Tune.

    While a stage waits for its last trials, free actors get an empty request. Tune would stop all
    idle ones but one, and with short trials never bring them up again: a trial that waits for a
    new actor takes the next one that is free, and the new one is dropped.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        try:
            request = self.session.ask()
        except Exception as error:
            self.session.fail(error)
            request = None
        if request is None:
            if self.session.finished:
                return Searcher.FINISHED
            return {"request": None, "since": self.session.revision}
        self._numbers[trial_id] = request.number
        return {"request": json.dumps(request.to_dict())}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        number = self._numbers.pop(trial_id, None)
        if not error or number is None:
            return
        try:
            self.session.lost(number, "its actor died")
        except Exception as failure:
            self.session.fail(failure)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the journal is the truth."""


class SessionScheduler(_HoldsSession, TrialScheduler):
    """Tells the session each report and carries out what it decides."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
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
        return min(pending, key=lambda trial: self._places[trial.trial_id], default=None)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        self._places[trial.trial_id] = len(self._places)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """The searcher is told as well, and sees to it."""

    def on_trial_complete(
        self, tune_controller: Any, trial: Trial, result: dict[str, Any]
    ) -> None:
        """Already told by `on_trial_result`."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to note."""

    def debug_string(self) -> str:
        return "rungs of the session"

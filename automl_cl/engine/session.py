"""A session: one life of a driver on a run. Journal in, requests out; knows nothing of Tune.

Every decision is a function of the trial table, and the table is a function of the journal, so a
new session goes on exactly where the journal ends.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from automl_cl.engine.damage import damaged
from automl_cl.engine.disk_room import require_room
from automl_cl.engine.report_events import out_of_memory_event, rung_event
from automl_cl.engine.requests import attempt_of, request_for
from automl_cl.engine.retention import Retention
from automl_cl.engine.strategy_of import strategy_of
from automl_cl.run import events
from automl_cl.run.events import Cause, Decision, Event, Status
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal
from automl_cl.run.trial import BROKEN, CLOSED, HUNG, PREEMPTED, SEARCH, Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy import stages
from automl_cl.strategy.budget import out_of_budget, trials_left
from automl_cl.strategy.next_step import Begin, GiveUp, Promote, Wait, asked
from automl_cl.strategy.objectives import WITHOUT_ANY, objectives_of, pareto_front
from automl_cl.strategy.retries import (
    MOST_DAMAGED,
    failed_by_loss,
    in_parts,
    infeasible_for_memory,
)
from automl_cl.strategy.stages import Repeat
from search_spaces import Config, InputError, Space
from trainables.foundation.storage import StorageError
from trainables.scenarios.scenario import Scenario
from trainables.trials.trial_run import RungReport, TrialRequest

E = TypeVar("E", bound=Event)

GIVEN_BACK = {"preempted": PREEMPTED, "hung": HUNG}
"""What a trial reports that has to go on in another process, and why."""


class Session:
    """Hands out requests, takes reports, and writes both down.

    What is next, and what becomes of a trial at a rung, `strategy` decides from the table.

    Args:
        spec: the search.
        folder: its run folder.
        journal: its journal, open.
        scenario: what is searched.
        space: the narrowed space, the baseline's arm in it.
        least_horizon: the epochs that an algorithm needs before its first step.

    Attributes:
        strategy: decides what is next.
        observers: called with each new event, after the table took it in.
        announce: told, in a line, what is done again since what it had left is damaged.
        stopping: set to begin nothing more.
        verdict_now: whether an interruption ends the search and not the session.
        error: what ended the session before its time, if something did.
        lacking: what the search lacked for a verdict when it was to be ended.
        revision: counts what has come back from trials.
    """

    def __init__(
        self,
        spec: SearchSpec,
        folder: RunFolder,
        journal: Journal,
        scenario: Scenario,
        space: Space,
        least_horizon: Callable[[Config], float] = lambda algorithm: 0.0,
    ) -> None:
        self.spec, self.folder, self.journal = spec, folder, journal
        self.scenario, self.retention = scenario, Retention(folder)
        self.observers: list[Callable[[Event], None]] = []
        self.arms = {name: space.only("algorithm", name) for name in space.options("algorithm")}
        self.objectives = objectives_of(scenario.metric, scenario.secondary, spec.objectives)
        self.table = TrialTable()
        self.announce: Callable[[str], None] = lambda words: None
        self.stopping = self.verdict_now = False
        self.error: Exception | None = None
        self.lacking: str | None = None
        self.revision = 0
        self._interrupted = self._closing = False
        folder.stop_file.unlink(missing_ok=True)
        for event in journal.events:
            self.table.apply(event)
        self._require_known_arms()
        warm = self.table.warm_start
        self.strategy = strategy_of(
            spec, scenario, self.arms, self.objectives, warm, least_horizon
        )
        self.write(events.Start(pid=os.getpid()))
        self._waiting = [trial.number for trial in self.table.running()]
        self._handed_out: set[int] = set()

    def _require_known_arms(self) -> None:
        """Arms name folders and studies, so only those of the space may come out of a journal."""
        for trial in self.table.trials:
            if trial.arm not in self.arms:
                raise InputError(
                    f"{self.folder}: trial {trial.number} is of the algorithm '{trial.arm}', "
                    "which is not in the search space."
                )

    def write(self, event: E) -> E:
        """Appends an event to the journal and takes it into the table.

        Raises:
            OSError: if it cannot be written; the session is then over, and the run not its own.
        """
        self.table.check(event)
        with self._over_if_unwritten():
            event = self.journal.append(event)
        self._take_in(event)
        return event

    def record_opening(self, fingerprint: str) -> int:
        """Notes that the sealed test is opened, see `Journal.record_opening`."""
        with self._over_if_unwritten():
            opening, event = self.journal.record_opening(fingerprint)
        if event is not None:
            self._take_in(event)
        return opening

    @contextmanager
    def _over_if_unwritten(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            raise

    def _take_in(self, event: Event) -> None:
        self.table.apply(event)
        for observe in self.observers:
            observe(event)

    # Ending before the end.

    def interrupt(self) -> None:
        """Ends what is going on, at the next question or report; can be called at any moment."""
        self._interrupted = True
        with suppress(OSError):  # the folder may be gone, which the next write will tell
            self.folder.stop_file.touch()

    def fail(self, error: Exception) -> None:
        """Ends the session for what one of its methods raised: here, and not inside of Tune.

        Raised there it would be buried under Tune's own clean-up.
        """
        self.error, self.stopping = self.error or error, True
        self._handed_out.clear()
        with suppress(OSError):
            self.folder.stop_file.touch()

    def on_interruption(self) -> str:
        """What an interruption now leads to, in words."""
        lacking = stages.shortfall(self.table, self.scenario.baseline)
        if self.verdict_now and self.closable and lacking is None:
            return "ending the search here; the verdict is next"
        return "stopping: what is under way saves its state"

    def heed(self) -> None:
        """Does what an interruption asks for."""
        if not self._interrupted:
            return
        self._interrupted = False
        if self.verdict_now and self.closable:
            self.lacking = stages.shortfall(self.table, self.scenario.baseline)
            if self.lacking is None:
                self.close_search()
                return
        self.stopping = True

    @property
    def closable(self) -> bool:
        """Whether there is something left of the search that can be ended."""
        searched = self.table.of_stage(SEARCH)
        going_on = any(trial.status in (Status.RUNNING, Status.PAUSED) for trial in searched)
        return self.table.plan is None and (trials_left(self.table) > 0 or going_on)

    def close_search(self) -> None:
        """Ends the search with the trials that there are; those under way are given up."""
        searched, asked = len(self.table.of_stage(SEARCH)), self.table.budget
        self.write(events.Close(budget=searched, asked=asked))
        self._waiting.clear()
        self._closing = True

    # What is to be done next.

    def ask(self) -> TrialRequest | None:
        """The next training, or None while there is nothing to begin: see `finished`."""
        self.heed()
        if self.stopping or (self._closing and self._handed_out):
            return None
        if self._closing:
            self._closing = False
            self.folder.stop_file.unlink(missing_ok=True)
        if self._waiting:
            return self._request(self.table.trials[self._waiting.pop(0)])
        trial = self._next_trial()
        return None if trial is None else self._request(trial)

    def _next_trial(self) -> Trial | None:
        """The trial that is trained next, once all that the strategy says before is noted."""
        while True:
            step = self.strategy.next_step(self.table, time.time())
            match step:
                case Wait():
                    return None
                case Begin() | Repeat():
                    number = len(self.table.trials)
                    self.write(asked(step, number))
                    return self.table.trials[number]
                case Promote():
                    self.write(events.Promote(number=step.trial.number))
                    return step.trial
                case GiveUp():
                    for trial in step.trials:
                        self._end(trial, Status.STOPPED, "the search ended", trial.compute)
                case events.Plan():
                    self.write(step)

    @property
    def finished(self) -> bool:
        """Whether nothing is running and nothing will be asked for again."""
        if self._handed_out:
            return False
        return self.over

    @property
    def over(self) -> bool:
        """Whether nothing will be asked for again, whatever is still under way."""
        return self.stopping or self.complete

    @property
    def complete(self) -> bool:
        """Whether every training up to the verdict has ended."""
        return stages.complete(self.table)

    def out_of_budget(self) -> bool:
        """Whether the search has used up its time or its compute."""
        return out_of_budget(self.table, time.time())

    def left_out(self) -> list[str]:
        """The arms that will not be tried, since there are fewer trials than arms."""
        return self.strategy.left_out(self.table)

    def front(self) -> list[Trial]:
        """The finished search trials that nothing beats in the metric and all objectives."""
        mine = self.scenario
        objectives = self.objectives or objectives_of(mine.metric, {}, WITHOUT_ANY)
        return pareto_front(self.table.trials, mine.mode, objectives)

    def _request(self, trial: Trial) -> TrialRequest:
        self._handed_out.add(trial.number)
        return request_for(trial, self.table, self.spec, self.folder, self.journal.run)

    def distrust(self, plan: events.Plan) -> bool:
        """Has those of a plan's trainings begin again whose weights are not what they left.

        Returns:
            Whether there are any.

        Raises:
            StorageError: if the weights of one come back otherwise again and again.
        """
        trials = [
            trial
            for number in stages.contestants(plan)
            for trial in stages.verdict_trials(self.table, plan, number)
            if trial.weights is not None
        ]
        found = damaged(trials, self.folder, self.journal.run)
        for trial, what in found:
            if trial.damaged >= MOST_DAMAGED:
                words = f"the weights of training {trial.number} do not stay what they are: {what}"
                self.error = StorageError(errno.EIO, words, str(self.folder))
                raise self.error
            self.write(events.Damaged(number=trial.number, what=what, weights=trial.weights))
            self._waiting.append(trial.number)
        if found:
            told = "; ".join(f"training {trial.number}: {what}" for trial, what in found)
            self.announce(f"weights for the verdict are trained again, seed by seed ({told})")
        return bool(found)

    # What comes back.

    def report(self, report: RungReport) -> bool:
        """Takes a trial's report and says whether it goes on; telling twice does nothing."""
        self.revision += 1
        self.heed()
        trial = self.table.trials[report.number]
        attempt = attempt_of(self.table, trial)
        at_work = trial.number in self._handed_out and report.attempt == attempt
        if not at_work or report.rung != len(trial.rungs):
            return at_work
        if report.damage is not None:
            self.write(events.Damaged(number=trial.number, what=report.damage))
            self.announce(f"trial {trial.number} ({trial.arm}): {report.damage}")
        goes_on = self._record(trial, report)
        if not goes_on:
            self._handed_out.discard(trial.number)
        to_go_on = report.status == "interrupted" or report.status in GIVEN_BACK
        if not to_go_on or trial.status != Status.RUNNING:
            self.retention.clear(trial)
        return goes_on

    def _record(self, trial: Trial, report: RungReport) -> bool:
        given_back = GIVEN_BACK.get(report.status)
        if report.status == "interrupted" and trial.status == Status.RUNNING:
            self._waiting.append(trial.number)
            return False
        if report.status == "out_of_memory" and trial.status == Status.RUNNING:
            return self._out_of_memory(trial, report)
        if given_back is not None and trial.status == Status.RUNNING:
            self.lost(trial.number, report.reason or "", given_back)
            return False
        if report.status in ("interrupted", "out_of_memory") or given_back is not None:
            report = replace(report, status=Status.STOPPED, reason=CLOSED)
        if report.status == Status.FAILED:
            require_room(self.folder, report.reason or "")
            self.folder.keep_traceback(trial.number, report.traceback)
        if report.status in (*BROKEN, Status.STOPPED):
            status = Status(report.status)
            self._end(trial, status, report.reason, report.compute, report.memory)
            return False
        value, level = report.metrics[self.scenario.metric], trial.levels[report.rung]
        decision = Decision.DONE
        if report.status == Status.RUNNING:
            decision = self.strategy.decide(self.table, trial, value, level, time.time())
        self.write(rung_event(report, level, value, decision))
        if decision == Decision.PAUSED:
            self._give_up_one_too_many(trial.arm)
        return decision == Decision.CONTINUE

    def _give_up_one_too_many(self, arm: str) -> None:
        last = self.strategy.one_too_many(self.table, arm)
        if last is not None:
            count = len(self.table.arms[arm].paused)
            self._end(last, Status.STOPPED, f"the last of {count} paused trials", last.compute)

    def _out_of_memory(self, trial: Trial, report: RungReport) -> bool:
        """Has a trial begin again at its last rung, once, with batches computed in parts."""
        why_not = infeasible_for_memory(trial, report.batch_size, report.whole)
        config = trial.config
        if why_not is None:
            config = in_parts(config)
            # What it saved inside of the rung was computed from whole batches.
            self.retention.remove_inside(trial)
        self.write(out_of_memory_event(report, config))
        if why_not is None:
            self._waiting.append(trial.number)
        else:
            reason = f"{report.reason}; {why_not}"
            self._end(trial, Status.INFEASIBLE, reason, trial.compute, report.memory)
        return False

    def lost(
        self,
        number: int,
        reason: str,
        cause: Cause = Cause.CRASHED,
        traceback: str | None = None,
    ) -> None:
        """Takes note of a trial without a process; it goes on from its newest checkpoint.

        Args:
            number: the trial's.
            reason: what happened, in words.
            cause: a key of a trial's `losses`; it decides how often the trial may go on.
            traceback: all that is known of it, which is kept if the trial has failed by it.
        """
        self.revision += 1
        trial = self.table.trials[number]
        if number not in self._handed_out:
            return
        self._handed_out.discard(number)
        if trial.status != Status.RUNNING:
            return
        words = failed_by_loss(trial, cause, reason)
        if words is None:
            self.write(events.Lost(number=number, reason=reason, cause=cause))
            self._waiting.append(number)
            return
        self.folder.keep_traceback(number, traceback)
        self._end(trial, Status.FAILED, words, trial.compute)

    def _end(
        self,
        trial: Trial,
        status: Status,
        reason: str | None,
        compute: float,
        memory: int | None = None,
    ) -> None:
        end = events.End(
            number=trial.number,
            status=status,
            reason=reason,
            compute=compute,
            weights=None,
            memory=memory,
        )
        self.write(end)
        self.retention.clear(trial)

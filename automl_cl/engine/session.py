"""A session: one life of a driver on a run. Journal in, requests out; knows nothing of Tune.

Every decision is a function of the trial table, and the table is a function of the journal, so a
new session goes on exactly where the journal ends.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from automl_cl.run import events
from automl_cl.run.events import Cause, Decision, Event, Stage, Status
from automl_cl.run.folder import RunFolder, name_of
from automl_cl.run.journal import Journal
from automl_cl.run.trial_table import (
    BROKEN,
    CLOSED,
    CONFIRM,
    CRASHED,
    HUNG,
    NODE_LOST,
    PREEMPTED,
    SEARCH,
    VERDICT,
    ArmTrials,
    Trial,
    TrialTable,
)
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy import stages
from automl_cl.strategy.allocator import next_arm, without_a_trial
from automl_cl.strategy.objectives import WITHOUT_ANY, objectives_of, pareto_front
from automl_cl.strategy.proposals import Proposals
from automl_cl.strategy.sampler import Sampler
from automl_cl.strategy.scheduler import Arm, Scheduler
from automl_cl.strategy.stages import Repeat
from search_spaces import Config, FlatSpace, InputError, Space, coordinates, decode, encode, option
from trainables.foundation.seeds import derive_seed
from trainables.foundation.storage import StorageError, names, remove_folder
from trainables.learning.artefacts import Maker
from trainables.learning.weights import damage_of
from trainables.parts.sections.computing import Computing
from trainables.scenarios.scenario import Scenario
from trainables.trials.trial_run import RungReport, TrialRequest

E = TypeVar("E", bound=Event)

MOST_LOST = {CRASHED: 3, HUNG: 2, NODE_LOST: 20}
"""With so many losses of a kind a trial has failed. That nodes are taken away is never its fault;
a node that is lost without a notice may be, since it may take all of the node's memory."""
GIVEN_BACK = {"preempted": PREEMPTED, "hung": HUNG}
"""What a trial reports that has to go on in another process, and why."""
MOST_PAUSED = 48
PARTS = 8
"""Into how many parts a batch is divided for which there was not enough memory."""
MOST_DAMAGED = 3
"""With so many weights that were not what it had left a trial is not trained again."""
READ_AT_ONCE = 4
WEIGHTS = "-weights.safetensors"
LEAST_FREE = 2**25
"""Bytes: with fewer, a trial that fails does so for want of room."""


class Session:
    """Asks for trials, takes their reports, and writes down both.

    Args:
        spec: the search.
        folder: its run folder.
        journal: its journal, open.
        scenario: what is searched.
        space: the narrowed space, the baseline's arm in it.

    Attributes:
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
        self.scenario, self.least_horizon = scenario, least_horizon
        self.observers: list[Callable[[Event], None]] = []
        self.arms = {name: space.only("algorithm", name) for name in space.options("algorithm")}
        self.scheduler = option(Scheduler, spec.scheduler)()  # type: ignore[type-abstract]
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
        self.proposals = {name: self._proposals(name) for name in self.arms}
        self._anything_to_choose = any(each.space.ranges for each in self.proposals.values())
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

    def _proposals(self, name: str) -> Proposals:
        arm, warm = self.arms[name], self.table.warm_start
        sampler = option(Sampler, self.spec.sampler)()  # type: ignore[type-abstract]
        return Proposals(
            FlatSpace(coordinates(arm)),
            encode(arm, arm.default()),
            sampler,
            self.spec.prior_share,
            self.objectives,
            () if warm is None else tuple(warm.points.get(name, ())),
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
        going_on = any(trial.status in ("running", "paused") for trial in searched)
        return self.table.plan is None and (len(searched) < self.table.budget or going_on)

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
        """The next new trial; a stage begins when nothing of the one before it is running."""
        if self._search_open():
            return self._search_trial()
        promoted = self._promoted_at_the_end()
        if promoted is not None:
            return promoted
        if self._running(SEARCH):
            return None
        for trial in self.table.trials:
            if trial.status == "paused":
                self._end(trial, Status.STOPPED, "the search ended", trial.compute)
        mode, seed = self.scenario.mode, self.spec.seed
        confirmations = stages.confirmations(self.table, mode, seed)
        for repeat in stages.missing(self.table, confirmations):
            return self._new_repeat(repeat)
        if self._running(CONFIRM):
            return None
        plan = self.table.plan
        if plan is None or not stages.stands(self.table, plan):
            plan = self._make_plan()
        for repeat in stages.missing(self.table, stages.verdict_repeats(self.table, plan)):
            return self._new_repeat(repeat)
        return None

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
        plan = self.table.plan
        if plan is None or self.table.running() or not stages.stands(self.table, plan):
            return False
        return not stages.missing(self.table, stages.verdict_repeats(self.table, plan))

    def out_of_budget(self) -> bool:
        """Whether the search has used up its time or its compute."""
        return self._spent_of_limits() > 1.0

    def _spent_of_limits(self) -> float:
        """What is spent of the limit on time or on compute, whichever is nearer."""
        shares = [0.0]
        table = self.table
        if table.time_limit is not None:
            shares.append(table.searched_for(time.time()) / table.time_limit)
        if table.total_compute is not None:
            shares.append(table.search_compute() / table.total_compute)
        return max(shares)

    def _spent(self) -> float:
        """The share of the search's budget that is spent, of whatever ends it first."""
        before = self.table.taken_over
        own = max(1, self.table.budget - before)
        begun = (len(self.table.of_stage(SEARCH)) - before) / own
        return min(1.0, max(begun, self._spent_of_limits()))

    def _search_open(self) -> bool:
        if self.table.plan is not None:
            return False
        searched = len(self.table.of_stage(SEARCH))
        # However little there is to spend, every arm runs its published default.
        whole = self.table.arms.keys() >= self.arms.keys()
        over = self.out_of_budget() or not self._anything_to_choose
        return searched < self.table.budget and not (whole and over)

    def _running(self, stage: Stage) -> bool:
        return any(trial.stage == stage for trial in self.table.running())

    def front(self) -> list[Trial]:
        """The finished search trials that nothing beats in the metric and all objectives."""
        mine = self.scenario
        objectives = self.objectives or objectives_of(mine.metric, {}, WITHOUT_ANY)
        return pareto_front(self.table.trials, mine.mode, objectives)

    def _make_plan(self) -> events.Plan:
        """Writes down who is put to the test. The same again is not put to it again."""
        mode = self.scenario.mode
        informed = [
            t.number
            for t in self.table.of_stage(SEARCH)
            if self.scenario.extra_information(t.config) is not None
        ]
        contest = stages.verdict_plan(self.table, self.scenario.baseline, mode, informed)
        before = self.table.opened
        same = [each for each in before if contest.items() <= events.told(each).items()]
        opening = same[0].opening if same else 1 + self.table.openings
        seeds = stages.verdict_seeds(self.spec.seed, opening, self.spec.seeds)
        budget = self.table.budget
        return self.write(events.Plan(**contest, opening=opening, seeds=seeds, budget=budget))

    # New trials.

    def _search_trial(self) -> Trial:
        """The arm whose turn it is goes on with a paused trial, or begins one."""
        arms, baseline, told = list(self.arms), self.scenario.baseline, self.table.arms
        waiting = self.without_a_trial()
        if waiting:
            name = waiting[0]
        else:
            name = next_arm(arms, baseline, told, self._spent(), self.scenario.mode)
        arm = self._arm(name)
        paused = self.scheduler.promoted(arm)
        return self._begin(name, arm) if paused is None else self._promote(paused)

    def without_a_trial(self) -> list[str]:
        """The arms that have had no trial yet, in the order in which they get one."""
        left = self.table.budget - len(self.table.of_stage(SEARCH))
        told, baseline = self.table.arms, self.scenario.baseline
        return without_a_trial(list(self.arms), baseline, told, left, self.spec.seed)

    def left_out(self) -> list[str]:
        """The arms that will not be tried, since there are fewer trials than arms."""
        left = self.table.budget - len(self.table.of_stage(SEARCH))
        return sorted(self.without_a_trial()[max(0, left) :])

    def _begin(self, name: str, arm: Arm) -> Trial:
        number, seed = len(self.table.trials), self.spec.seed
        point, origin = self.proposals[name].next(arm.trials.trials, number, seed, arm.mode)
        space = self.arms[name]
        config = space.default() if origin == "default" else decode(space, point)
        if self._lengthened(config, arm.cap):
            point = encode(space, config)
        return self._asked(
            SEARCH,
            name,
            config,
            point,
            origin,
            None,
            derive_seed(seed, "trial", number) % 2**31,
            self.scheduler.levels(config["training"]["epochs"], arm.cap, number),
            origin == "default" or self.scheduler.uncompared(arm),
        )

    def _lengthened(self, config: Config, cap: float) -> bool:
        """Makes a horizon long enough for what comes before the first step, if it may be."""
        training = config["training"]
        needed = min(cap, math.ceil(1000.0 * self.least_horizon(config["algorithm"])) / 1000.0)
        longer = {**config, "training": {**training, "epochs": needed}}
        space = self.arms[config["algorithm"]["name"]]
        if training["epochs"] >= needed or not space.contains(longer):
            return False
        training["epochs"] = needed
        return True

    def _promote(self, trial: Trial) -> Trial:
        self.write(events.Promote(number=trial.number))
        return trial

    def _promoted_at_the_end(self) -> Trial | None:
        """A paused trial that goes on once no more are begun.

        Each arm first gets as many to their end as it may send to confirmation, those that got
        furthest and are the best there; then whoever has earned it goes on.
        """
        if self.table.plan is not None or self.table.closed is not None or self.out_of_budget():
            return None
        for name in self.arms:
            arm = self._arm(name)
            paused = list(arm.trials.paused.values())
            ending = sum(trial.status in ("running", "done") for trial in arm.trials.trials)
            if paused and ending < stages.FINALISTS:
                furthest = max(trial.rungs[-1].level for trial in paused)
                there = [trial for trial in paused if trial.rungs[-1].level == furthest]
                best = min(there, key=lambda trial: arm.loss(trial.rungs[-1].value))
                return self._promote(best)
            earned = self.scheduler.promoted(arm)
            if earned is not None:
                return self._promote(earned)
        return None

    def _arm(self, name: str) -> Arm:
        told, cap, seed = self.table.arms, self.spec.cap, self.spec.seed
        return Arm(told.get(name) or ArmTrials(), told, self.scenario.mode, cap, seed)

    def _new_repeat(self, repeat: Repeat) -> Trial:
        source = repeat.source
        origin = f"trial {source.number}"
        return self._asked(
            repeat.stage,
            source.arm,
            source.config,
            source.point,
            origin,
            source.number,
            repeat.seed,
            [source.horizon],
            True,
        )

    def _asked(
        self,
        stage: Stage,
        arm: str,
        config: dict[str, Any],
        point: dict[str, Any],
        origin: str,
        source: int | None,
        seed: int,
        levels: list[float],
        uncompared: bool,
    ) -> Trial:
        number = len(self.table.trials)
        self.write(
            events.Ask(
                number=number,
                stage=stage,
                arm=arm,
                config=config,
                point=point,
                origin=origin,
                source=source,
                seed=seed,
                levels=levels,
                uncompared=uncompared,
            )
        )
        return self.table.trials[number]

    def _request(self, trial: Trial) -> TrialRequest:
        self._handed_out.add(trial.number)
        # A verdict needs all of its trainings; what it is about has kept within the limits.
        limited = trial.stage != VERDICT
        return TrialRequest(
            number=trial.number,
            scenario=self.spec.scenario,
            config=trial.config,
            seed=trial.seed,
            levels=trial.levels,
            fidelity=self.spec.fidelity,
            folder=str(self.folder.of_trial(trial.number)),
            attempt=self._attempt(trial),
            from_rung=len(trial.rungs),
            checkpoint=self._last_checkpoint(trial),
            digest=trial.rungs[-1].digest if trial.rungs else None,
            run=self.journal.run,
            compute=trial.compute,
            keep_weights=trial.stage == VERDICT,
            searching=trial.stage != VERDICT,
            max_compute=self.spec.max_compute if limited else None,
            max_memory=self.spec.max_memory if limited else None,
            hang_seconds=self.spec.hang_seconds,
        )

    def _last_checkpoint(self, trial: Trial) -> str | None:
        noted = trial.rungs[-1].checkpoint if trial.rungs else None
        return None if noted is None else str(self.folder.checkpoint(trial.number, noted))

    def _attempt(self, trial: Trial) -> int:
        # Whoever is left over from an earlier start or a lost actor must not be taken for this.
        return self.table.starts * 1000 + trial.lost + trial.damaged

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
        with ThreadPoolExecutor(READ_AT_ONCE) as pool:
            checked = zip(trials, pool.map(self._damage, trials), strict=True)
            found = [(trial, what) for trial, what in checked if what is not None]
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

    def _damage(self, trial: Trial) -> str | None:
        """What is wrong with the weights of a trial, in words; None if nothing is."""
        assert trial.weights is not None
        try:
            weights = self.folder.checkpoint(trial.number, trial.weights)
        except InputError as error:
            return str(error)
        maker = Maker.of(self.journal.run, trial.number, trial.seed, trial.config)
        return damage_of(weights, trial.rungs[-1].digest, maker)

    # What comes back.

    def report(self, report: RungReport) -> bool:
        """Takes a trial's report and says whether it goes on; telling twice does nothing."""
        self.revision += 1
        self.heed()
        trial = self.table.trials[report.number]
        at_work = trial.number in self._handed_out and report.attempt == self._attempt(trial)
        if not at_work or report.rung != len(trial.rungs):
            return at_work
        if report.damage is not None:
            self.write(events.Damaged(number=trial.number, what=report.damage))
            self.announce(f"trial {trial.number} ({trial.arm}): {report.damage}")
        goes_on = self._record(trial, report)
        if not goes_on:
            self._handed_out.discard(trial.number)
        to_go_on = report.status == "interrupted" or report.status in GIVEN_BACK
        if not to_go_on or trial.status != "running":
            self._clear_checkpoints(trial)
        return goes_on

    def _record(self, trial: Trial, report: RungReport) -> bool:
        given_back = GIVEN_BACK.get(report.status)
        if report.status == "interrupted" and trial.status == "running":
            self._waiting.append(trial.number)
            return False
        if report.status == "out_of_memory" and trial.status == "running":
            return self._out_of_memory(trial, report)
        if given_back is not None and trial.status == "running":
            self.lost(trial.number, report.reason or "", given_back)
            return False
        if report.status in ("interrupted", "out_of_memory") or given_back is not None:
            report = replace(report, status="stopped", reason=CLOSED)
        if report.status == "failed":
            self._require_room(report.reason or "")
            self.folder.keep_traceback(trial.number, report.traceback)
        if report.status in (*BROKEN, Status.STOPPED):
            status = Status(report.status)
            self._end(trial, status, report.reason, report.compute, report.memory)
            return False
        value, level = report.metrics[self.scenario.metric], trial.levels[report.rung]
        running = report.status == "running"
        decision = self._decide(trial, value, level) if running else Decision.DONE
        self.write(
            events.Rung(
                number=trial.number,
                rung=report.rung,
                level=level,
                value=value,
                metrics=report.metrics,
                compute=report.compute,
                seconds=round(report.seconds, 3),
                checkpoint=None if report.checkpoint is None else name_of(report.checkpoint),
                weights=None if report.weights is None else name_of(report.weights),
                decision=decision,
                digest=report.digest,
                memory=report.memory,
                model_size=report.model_size,
            )
        )
        if decision == Decision.PAUSED:
            self._give_up_the_hindmost(trial.arm)
        return decision == Decision.CONTINUE

    def _out_of_memory(self, trial: Trial, report: RungReport) -> bool:
        """Has a trial begin again at its last rung, once, with batches computed in parts."""
        why_not = self._once_only(trial, report)
        config = trial.config
        if why_not is None:
            config = Computing.of(config).divided(PARTS).in_config(config)
            # What it saved inside of the rung was computed from whole batches.
            self._remove(trial, (f"-inside-{len(trial.rungs)}.pt",))
        self.write(
            events.OutOfMemory(
                number=trial.number,
                rung=report.rung,
                reason=report.reason,
                memory=report.memory,
                asked=report.asked,
                batch_size=report.batch_size,
                config=config,
            )
        )
        if why_not is None:
            self._waiting.append(trial.number)
        else:
            reason = f"{report.reason}; {why_not}"
            self._end(trial, Status.INFEASIBLE, reason, trial.compute, report.memory)
        return False

    @staticmethod
    def _once_only(trial: Trial, report: RungReport) -> str | None:
        """Why a trial that was refused memory does not begin again, or None if it does."""
        if trial.out_of_memory:
            return "for the second time"
        if (report.batch_size or 1) < 2:
            return "such a batch has no parts"
        why_not = report.whole
        return None if why_not is None else f"the batch cannot be computed in parts: {why_not}"

    def _require_room(self, reason: str) -> None:
        """Takes no failure down that a full disk explains: every further trial would fail too."""
        if not isinstance(self.folder.place, Path):
            if StorageError.__name__ in reason:
                raise StorageError(errno.EIO, f"a trial says: {reason}", str(self.folder))
            return
        free = shutil.disk_usage(self.folder.path).free
        if free < LEAST_FREE or os.strerror(errno.ENOSPC) in reason:
            words = f"{os.strerror(errno.ENOSPC)}; make room"
            raise OSError(errno.ENOSPC, words, str(self.folder.path))

    def _decide(self, trial: Trial, value: float, level: float) -> Decision:
        if trial.stage != SEARCH:
            return Decision.CONTINUE
        if trial.status != "running":
            return Decision.STOPPED
        if self.out_of_budget() and trial.origin != "default":
            return Decision.STOPPED
        return self.scheduler.decide(trial, value, level, self._arm(trial.arm))

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
        if trial.status != "running":
            return
        times, most = trial.losses.get(cause, 0) + 1, MOST_LOST.get(cause)
        if most is None or times < most:
            self.write(events.Lost(number=number, reason=reason, cause=cause))
            self._waiting.append(number)
            return
        words = reason if cause == HUNG else f"lost its process {times} times: {reason}"
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
        number = trial.number
        self.write(
            events.End(
                number=number,
                status=status,
                reason=reason,
                compute=compute,
                weights=None,
                memory=memory,
            )
        )
        self._clear_checkpoints(trial)

    def _give_up_the_hindmost(self, arm: str) -> None:
        """Keeps as many paused trials of an arm as may reasonably be taken up again.

        Each holds a checkpoint, and a long search pauses hundreds.
        """
        mine = self._arm(arm)
        paused = list(mine.trials.paused.values())
        if len(paused) <= MOST_PAUSED:
            return
        last = min(
            paused,
            key=lambda trial: (trial.rungs[-1].level, -mine.loss(trial.rungs[-1].value)),
        )
        self._end(last, Status.STOPPED, f"the last of {len(paused)} paused trials", last.compute)

    def _clear_checkpoints(self, trial: Trial) -> None:
        """Removes what no resumption can ask for any more."""
        with suppress(StorageError):  # what is left over does no harm
            self._remove_unneeded(trial)

    def _remove_unneeded(self, trial: Trial) -> None:
        folder = self.folder.of_trial(trial.number)
        if trial.status not in ("running", "paused") and trial.weights is None:
            remove_folder(folder)
            return
        left_over = [
            f"-{kind}-{rung}.pt" for kind in ("inside", "rung") for rung in range(len(trial.rungs))
        ]
        if trial.damaged:
            left_over.append(WEIGHTS)
        if left_over:
            self._remove(trial, tuple(left_over))

    def _remove(self, trial: Trial, endings: tuple[str, ...]) -> None:
        """Removes a trial's files whose names end so."""
        folder = self.folder.of_trial(trial.number)
        for name in names(folder):
            if name.endswith(endings) and name != trial.weights:
                (folder / name).unlink(missing_ok=True)

"""What a search does next. Trial table in, decision out; nothing is written here.

A step is one of six: begin a search trial, promote a paused one, repeat a trial with a new seed,
give up what is paused, note the plan of the verdict, or wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from automl_cl.run import events
from automl_cl.run.arm_trials import ArmTrials
from automl_cl.run.events import Decision, Plan, Stage, Status
from automl_cl.run.trial import CONFIRM, SEARCH, Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.strategy import stages
from automl_cl.strategy.allocator import next_arm, without_a_trial
from automl_cl.strategy.budget import out_of_budget, spent, trials_left
from automl_cl.strategy.horizons import long_enough
from automl_cl.strategy.proposals import Proposals
from automl_cl.strategy.scheduler import Arm, Scheduler
from automl_cl.strategy.stages import Repeat
from search_spaces import Config, Space, decode, encode
from trainables.foundation.seeds import derive_seed
from trainables.scenarios.scenario import Scenario

MOST_PAUSED = 48
"""Of an arm: each holds a checkpoint, and a long search pauses hundreds."""


@final
@dataclass(frozen=True)
class Begin:
    """A new search trial; the fields are those of the `ask` event."""

    arm: str
    config: Config
    point: dict[str, Any]
    origin: str
    seed: int
    levels: list[float]
    uncompared: bool


@final
@dataclass(frozen=True)
class Promote:
    """A paused trial goes on."""

    trial: Trial


@final
@dataclass(frozen=True)
class GiveUp:
    """Paused trials end, for the search has."""

    trials: list[Trial]


@final
@dataclass(frozen=True)
class Wait:
    """Nothing is to begin now: trials of the stage are under way, or all is done."""


Step = Begin | Promote | Repeat | GiveUp | Plan | Wait


@dataclass(frozen=True)
class Strategy:
    """How a search is carried out. Whoever replays its journal decides the same again.

    Attributes:
        scenario: what is searched.
        arms: the space of each algorithm, the baseline's among them.
        proposals: how the points of each arm are proposed.
        scheduler: what says where a trial reports, and what becomes of it there.
        cap: the most compute that a trial may spend.
        seed: of the search.
        verdict_seeds: with how many seeds each contestant is trained for the verdict.
        least_horizon: the epochs that an algorithm needs before its first step.
    """

    scenario: Scenario
    arms: Mapping[str, Space]
    proposals: Mapping[str, Proposals]
    scheduler: Scheduler
    cap: float
    seed: int
    verdict_seeds: int
    least_horizon: Callable[[Config], float]

    def next_step(self, table: TrialTable, now: float) -> Step:
        """The next step; a stage begins when nothing of the one before it is running.

        Args:
            table: all trials so far.
            now: the time in seconds, for a search whose time is limited.

        Raises:
            VerdictImpossible: if the trials that there are allow no verdict.
        """
        if self._search_open(table, now):
            return self._search_step(table, now)
        promoted = self._promoted_at_the_end(table, now)
        if promoted is not None:
            return Promote(promoted)
        if _is_running(table, SEARCH):
            return Wait()
        paused = [trial for trial in table.trials if trial.status == Status.PAUSED]
        return GiveUp(paused) if paused else self._later_step(table)

    def _later_step(self, table: TrialTable) -> Step:
        """The next step once the search has ended: a confirmation, the plan, a training for it."""
        confirmations = stages.confirmations(table, self.scenario.mode, self.seed)
        for repeat in stages.missing(table, confirmations):
            return repeat
        if _is_running(table, CONFIRM):
            return Wait()
        plan = table.plan
        if plan is None or not stages.stands(table, plan):
            return self._plan(table)
        for repeat in stages.missing(table, stages.verdict_repeats(table, plan)):
            return repeat
        return Wait()

    def decide(
        self, table: TrialTable, trial: Trial, value: float, level: float, now: float
    ) -> Decision:
        """What becomes of a trial that reports `value` at `level`, its last rung still to come."""
        if trial.stage != SEARCH:
            return Decision.CONTINUE
        if trial.status != Status.RUNNING:
            return Decision.STOPPED
        if out_of_budget(table, now) and trial.origin != "default":
            return Decision.STOPPED
        return self.scheduler.decide(trial, value, level, self._arm(table, trial.arm))

    def one_too_many(self, table: TrialTable, name: str) -> Trial | None:
        """The paused trial of an arm that is given up, as the arm has paused more than it may."""
        arm = self._arm(table, name)
        paused = list(arm.trials.paused.values())
        if len(paused) <= MOST_PAUSED:
            return None
        return min(
            paused,
            key=lambda trial: (trial.rungs[-1].level, -arm.loss(trial.rungs[-1].value)),
        )

    def without_a_trial(self, table: TrialTable) -> list[str]:
        """The arms that have had no trial yet, in the order in which they get one."""
        baseline, left = self.scenario.baseline, trials_left(table)
        return without_a_trial(list(self.arms), baseline, table.arms, left, self.seed)

    def left_out(self, table: TrialTable) -> list[str]:
        """The arms that will not be tried, since there are fewer trials than arms."""
        return sorted(self.without_a_trial(table)[max(0, trials_left(table)) :])

    def _arm(self, table: TrialTable, name: str) -> Arm:
        mine = table.arms.get(name) or ArmTrials()
        return Arm(mine, table.arms, self.scenario.mode, self.cap, self.seed)

    # The search.

    def _search_open(self, table: TrialTable, now: float) -> bool:
        if table.plan is not None:
            return False
        # However little there is to spend, every arm runs its published default.
        whole = table.arms.keys() >= self.arms.keys()
        over = out_of_budget(table, now) or not self._anything_to_choose()
        return trials_left(table) > 0 and not (whole and over)

    def _anything_to_choose(self) -> bool:
        return any(each.space.ranges for each in self.proposals.values())

    def _search_step(self, table: TrialTable, now: float) -> Begin | Promote:
        """The arm whose turn it is goes on with a paused trial, or begins one."""
        waiting, scenario = self.without_a_trial(table), self.scenario
        if waiting:
            name = waiting[0]
        else:
            share = spent(table, now)
            name = next_arm(list(self.arms), scenario.baseline, table.arms, share, scenario.mode)
        arm = self._arm(table, name)
        paused = self.scheduler.promoted(arm)
        return self._begin(table, name, arm) if paused is None else Promote(paused)

    def _begin(self, table: TrialTable, name: str, arm: Arm) -> Begin:
        number, space = len(table.trials), self.arms[name]
        point, origin = self.proposals[name].next(arm.trials.trials, number, self.seed, arm.mode)
        proposed = space.default() if origin == "default" else decode(space, point)
        least = self.least_horizon(proposed["algorithm"])
        config = long_enough(space, proposed, least, self.cap)
        return Begin(
            arm=name,
            config=config,
            point=point if config is proposed else encode(space, config),
            origin=origin,
            seed=derive_seed(self.seed, "trial", number) % 2**31,
            levels=self.scheduler.levels(config["training"]["epochs"], self.cap, number),
            uncompared=origin == "default" or self.scheduler.uncompared(arm),
        )

    def _promoted_at_the_end(self, table: TrialTable, now: float) -> Trial | None:
        """A paused trial that goes on once no more are begun.

        Each arm first gets as many to their end as it may send to confirmation, those that got
        furthest and are the best there; then whoever has earned it goes on.
        """
        if table.plan is not None or table.closed is not None or out_of_budget(table, now):
            return None
        for name in self.arms:
            arm = self._arm(table, name)
            trial = _promising(arm) or self.scheduler.promoted(arm)
            if trial is not None:
                return trial
        return None

    # The verdict.

    def _plan(self, table: TrialTable) -> Plan:
        """Who is put to the test. The same again is not put to it again."""
        mode = self.scenario.mode
        informed = [
            trial.number
            for trial in table.of_stage(SEARCH)
            if self.scenario.extra_information(trial.config) is not None
        ]
        contest = stages.verdict_plan(table, self.scenario.baseline, mode, informed)
        same = [each for each in table.opened if contest.items() <= events.told(each).items()]
        opening = same[0].opening if same else 1 + table.openings
        seeds = stages.verdict_seeds(self.seed, opening, self.verdict_seeds)
        return Plan(**contest, opening=opening, seeds=seeds, budget=table.budget)


def _promising(arm: Arm) -> Trial | None:
    """The paused trial that got furthest and is the best there, if too few come to their end."""
    paused = list(arm.trials.paused.values())
    going = (Status.RUNNING, Status.DONE)
    if not paused or sum(t.status in going for t in arm.trials.trials) >= stages.FINALISTS:
        return None
    furthest = max(trial.rungs[-1].level for trial in paused)
    there = [trial for trial in paused if trial.rungs[-1].level == furthest]
    return min(there, key=lambda trial: arm.loss(trial.rungs[-1].value))


def _is_running(table: TrialTable, stage: Stage) -> bool:
    return any(trial.stage == stage for trial in table.running())


def asked(step: Begin | Repeat, number: int) -> events.Ask:
    """The event with which a trial is asked for.

    Args:
        step: what it is.
        number: the trial's.
    """
    if isinstance(step, Begin):
        return events.Ask(number=number, stage=SEARCH, source=None, **vars(step))
    source = step.source
    return events.Ask(
        number=number,
        stage=step.stage,
        arm=source.arm,
        config=source.config,
        point=source.point,
        origin=f"trial {source.number}",
        source=source.number,
        seed=step.seed,
        levels=[source.horizon],
        uncompared=True,
    )

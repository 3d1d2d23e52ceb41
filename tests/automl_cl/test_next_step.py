"""What a search does next: a table in, a decision out, and nothing changed by asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from automl_cl.engine.strategy_of import strategy_of
from automl_cl.run.events import Cause, Decision, Plan, Stage, Status
from automl_cl.run.trial import Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy import next_step as steps
from automl_cl.strategy import stages
from automl_cl.strategy.next_step import Begin, GiveUp, Promote, Strategy, Wait, asked
from automl_cl.strategy.retries import failed_by_loss, in_parts, infeasible_for_memory
from automl_cl.strategy.stages import Repeat
from search_spaces import Space, narrowed
from trainables.scenarios.scenario import load_scenario

from .happened import happened

SCENARIO = load_scenario("curriculum")
SPACE = narrowed(
    Space.of(SCENARIO.recipe),
    {"model": "mlp", "algorithm": ["plain", "superloss"], "training.epochs": {"default": 9}},
)
ARMS = {name: SPACE.only("algorithm", name) for name in SPACE.options("algorithm")}
MakeTrial = Callable[..., Trial]
NOW = 1000.0


def strategy(least_horizon: float = 0.0, **given: Any) -> Strategy:
    given = {"trials": 6, "max_epochs": 9.0, "seeds": 3, "seed": 5, **given}
    spec = SearchSpec("curriculum", "digits", **given)
    return strategy_of(spec, SCENARIO, ARMS, (), None, lambda algorithm: least_horizon)


def table_with(*trials: Trial, budget: int = 6, **limits: Any) -> TrialTable:
    table = TrialTable()
    table.apply(happened("search", spec={"trials": budget, **limits}))
    for trial in trials:
        table.add(trial)
    return table


def next_step(mine: Strategy, table: TrialTable) -> steps.Step:
    """Asks twice: the first time changes nothing, so that the second says the same."""
    before = [asdict(trial) for trial in table.trials], list(table.plans), table.budget
    step = mine.next_step(table, NOW)
    assert ([asdict(trial) for trial in table.trials], table.plans, table.budget) == before
    assert mine.next_step(table, NOW) == step
    return step


def finished_search(make_trial: MakeTrial) -> list[Trial]:
    arms, values = ["plain", "superloss"] * 3, [0.5, 0.6, 0.52, 0.7, 0.51, 0.65]
    config = ARMS["plain"].default()
    return [
        make_trial(number, arm, [0.1, 0.2, value], config=config)
        for number, (arm, value) in enumerate(zip(arms, values, strict=True))
    ]


def confirm(mine: Strategy, table: TrialTable, make_trial: MakeTrial) -> None:
    """Lets all confirmations come to their sources' values."""
    while isinstance(step := next_step(mine, table), Repeat) and step.stage == Stage.CONFIRM:
        add_repeat(table, step, make_trial, values=[step.source.value])


def add_repeat(table: TrialTable, step: Repeat, make_trial: MakeTrial, **given: Any) -> None:
    source = step.source
    places = {"stage": step.stage, "source": source.number, "seed": step.seed, "levels": [9.0]}
    table.add(make_trial(len(table.trials), source.arm, **places, **given))


def test_the_baseline_begins_with_its_published_config() -> None:
    step = next_step(strategy(), table_with())
    assert isinstance(step, Begin)
    assert (step.arm, step.origin, step.uncompared) == ("plain", "default", True)
    assert step.config == ARMS["plain"].default()
    assert step.levels[-1] == 9.0


def test_every_arm_begins_before_one_begins_again(make_trial: MakeTrial) -> None:
    step = next_step(strategy(), table_with(make_trial(0, "plain", [0.5, 0.6, 0.7])))
    assert isinstance(step, Begin) and (step.arm, step.origin) == ("superloss", "default")


def test_a_horizon_is_made_longer_where_it_pays_for_no_step() -> None:
    short, longer = (
        next_step(strategy(least, max_epochs=20.0), table_with()) for least in (0.0, 12.5)
    )
    assert isinstance(short, Begin) and isinstance(longer, Begin)
    assert (short.config["training"]["epochs"], longer.config["training"]["epochs"]) == (9, 12.5)
    assert longer.levels[-1] == 12.5
    assert longer.point != short.point


def test_without_any_time_left_every_arm_still_begins_once(make_trial: MakeTrial) -> None:
    first = make_trial(0, "plain", [0.5, 0.6, 0.7], compute=9.0)
    table = table_with(first, total_compute=1.0)
    step = next_step(strategy(), table)
    assert isinstance(step, Begin) and step.arm == "superloss"
    table.add(make_trial(1, "superloss", [0.5, 0.6, 0.7], compute=9.0))
    step = next_step(strategy(), table)
    assert isinstance(step, Repeat) and step.stage == Stage.CONFIRM


def test_a_stage_waits_for_the_one_before_it(make_trial: MakeTrial) -> None:
    trials = finished_search(make_trial)
    trials[5].rungs.pop()
    trials[5].status = Status.RUNNING
    assert next_step(strategy(), table_with(*trials)) == Wait()


def test_the_best_that_got_furthest_goes_on_once_no_more_begin(make_trial: MakeTrial) -> None:
    trials = finished_search(make_trial)
    for number, values in ((1, [0.1]), (3, [0.1, 0.3]), (5, [0.1, 0.4])):
        arm, config = trials[number].arm, trials[number].config
        trials[number] = make_trial(number, arm, values, status=Status.PAUSED, config=config)
    assert next_step(strategy(), table_with(*trials)) == Promote(trials[5])


def test_what_is_paused_is_given_up_when_the_budget_is_spent(make_trial: MakeTrial) -> None:
    trials = finished_search(make_trial)
    trials[2] = make_trial(2, "plain", [0.1], status=Status.PAUSED)
    table = table_with(*trials, total_compute=1.0)
    assert next_step(strategy(), table) == GiveUp([trials[2]])
    assert trials[2].status == Status.PAUSED


def test_from_confirmation_to_the_end(make_trial: MakeTrial) -> None:
    mine, table = strategy(), table_with(*finished_search(make_trial))
    confirm(mine, table, make_trial)
    assert len(table.of_stage(Stage.CONFIRM)) == 2 * 3 * 3
    plan = next_step(mine, table)
    assert isinstance(plan, Plan)
    assert (plan.baseline, plan.challenger, plan.opening, plan.budget) == (2, 3, 1, 6)
    assert plan.seeds == stages.verdict_seeds(5, 1, 3)
    assert table.plan is None, "it is decided, and not noted"
    table.apply(plan)
    found = []
    while isinstance(step := next_step(mine, table), Repeat):
        found.append((step.source.number, step.seed))
        add_repeat(table, step, make_trial, values=[0.5])
    assert found == [(number, seed) for seed in plan.seeds for number in (2, 3)]
    assert step == Wait() and stages.complete(table)


def test_another_plan_is_made_where_the_challenger_comes_to_nothing(
    make_trial: MakeTrial,
) -> None:
    trials = finished_search(make_trial)
    trials.append(make_trial(6, "superloss", [0.1, 0.2, 0.69], config=trials[0].config))
    mine, table = strategy(), table_with(*trials, budget=7)
    confirm(mine, table, make_trial)
    plan = next_step(mine, table)
    assert isinstance(plan, Plan) and plan.challenger == 3
    table.apply(plan)
    repeat = Repeat(Stage.VERDICT, table.trials[3], plan.seeds[0])
    add_repeat(table, repeat, make_trial, status=Status.FAILED)
    again = next_step(mine, table)
    assert isinstance(again, Plan)
    assert again.challenger == 6
    assert (again.opening, again.seeds) == (plan.opening, plan.seeds)


def test_a_confirmation_goes_on_whatever_it_says(make_trial: MakeTrial) -> None:
    confirmation = make_trial(0, "plain", stage=Stage.CONFIRM, source=0)
    table = table_with(total_compute=1.0)
    assert strategy().decide(table, confirmation, 0.0, 1.0, NOW) == Decision.CONTINUE


@pytest.mark.parametrize(
    ("origin", "expected"), [("default", Decision.CONTINUE), ("random", Decision.STOPPED)]
)
def test_over_budget_only_published_configs_go_on(
    make_trial: MakeTrial, origin: str, expected: Decision
) -> None:
    spent = make_trial(0, "plain", [0.5, 0.6, 0.7], compute=9.0)
    late = make_trial(1, "superloss")
    late.origin = origin
    table = table_with(spent, late, total_compute=1.0)
    mine = strategy(scheduler="none")
    assert mine.decide(table, late, 0.1, 1.0, NOW) == expected


def test_the_last_of_too_many_paused_trials(make_trial: MakeTrial) -> None:
    paused = [
        make_trial(n, "plain", [0.5 + n / 1000], status=Status.PAUSED)
        for n in range(steps.MOST_PAUSED)
    ]
    table = table_with(*paused)
    assert strategy().one_too_many(table, "plain") is None
    table.add(make_trial(len(paused), "plain", [0.9], status=Status.PAUSED))
    assert strategy().one_too_many(table, "plain") == paused[0]


def test_a_step_is_asked_for_with_its_own_fields(make_trial: MakeTrial) -> None:
    begin = next_step(strategy(), table_with())
    assert isinstance(begin, Begin)
    event = asked(begin, 4)
    assert (event.number, event.stage, event.source) == (4, Stage.SEARCH, None)
    assert (event.arm, event.config, event.levels) == (begin.arm, begin.config, begin.levels)
    source = make_trial(2, "superloss", [0.1, 0.2, 0.3], config={"a": 1}, point={"a": 1})
    event = asked(Repeat(Stage.VERDICT, source, 77), 9)
    assert (event.stage, event.source, event.seed) == (Stage.VERDICT, 2, 77)
    assert (event.config, event.levels, event.origin) == ({"a": 1}, [9.0], "trial 2")


def test_how_often_a_lost_trial_goes_on(make_trial: MakeTrial) -> None:
    trial = make_trial()
    assert failed_by_loss(trial, Cause.CRASHED, "gone") is None
    trial.losses = {Cause.CRASHED: 2, Cause.PREEMPTED: 100}
    assert failed_by_loss(trial, Cause.CRASHED, "gone") == "lost its process 3 times: gone"
    assert failed_by_loss(trial, Cause.PREEMPTED, "gone") is None


def test_how_often_a_trial_that_was_refused_memory_goes_on(make_trial: MakeTrial) -> None:
    trial = make_trial()
    assert infeasible_for_memory(trial, 64, None) is None
    assert infeasible_for_memory(trial, 1, None) == "such a batch has no parts"
    assert "as it is" in (infeasible_for_memory(trial, 64, "it is as it is") or "")
    trial.out_of_memory = 1
    assert infeasible_for_memory(trial, 64, None) == "for the second time"
    assert in_parts({})["computing"]["micro_batches"] == 8

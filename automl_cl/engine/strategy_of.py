"""The strategy of a search, made from its spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from automl_cl.run import events
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.next_step import Strategy
from automl_cl.strategy.objectives import Objective
from automl_cl.strategy.proposals import proposals_of
from automl_cl.strategy.sampler import Sampler
from automl_cl.strategy.scheduler import Scheduler
from search_spaces import Config, Space, option
from trainables.scenarios.scenario import Scenario


def strategy_of(
    spec: SearchSpec,
    scenario: Scenario,
    arms: Mapping[str, Space],
    objectives: Sequence[Objective],
    warm_start: events.WarmStart | None,
    least_horizon: Callable[[Config], float],
) -> Strategy:
    """The strategy of a search.

    Args:
        spec: the search.
        scenario: what is searched.
        arms: the space of each algorithm, the baseline's among them.
        objectives: those beside the metric.
        warm_start: what an earlier history advised; None without one.
        least_horizon: the epochs that an algorithm needs before its first step.
    """
    sampler = option(Sampler, spec.sampler)()  # type: ignore[type-abstract]
    points = {} if warm_start is None else warm_start.points
    share = spec.prior_share
    return Strategy(
        scenario=scenario,
        arms=arms,
        proposals={
            name: proposals_of(arm, sampler, share, objectives, points.get(name, ()))
            for name, arm in arms.items()
        },
        scheduler=option(Scheduler, spec.scheduler)(),  # type: ignore[type-abstract]
        cap=spec.cap,
        seed=spec.seed,
        verdict_seeds=spec.seeds,
        least_horizon=least_horizon,
    )

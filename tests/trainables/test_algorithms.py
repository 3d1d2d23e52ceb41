"""One contract per algorithm, from few trainings, in one setting that rotates over algorithms.

`make test` runs this. `make test-all` also runs every combination, in `test_contract*.py`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
import yaml

from search_spaces import Config, InputError, from_config, options, to_config, to_yaml
from search_spaces.configs import in_effect
from tests.trainables.fields import config_with, leaves, replaced, root_of, wrong_values
from trainables.learning.checkpoint import read_checkpoint, write_checkpoint
from trainables.learning.flops import FlopCounter
from trainables.learning.learner import Learner
from trainables.scenarios.scenario import load_scenario, scenario_names

CPU = torch.device("cpu")
ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
HORIZON = 4.0
STOPS = (0.3, 1.1, 1.7, 2.6, 3.3)
"""Stops of the disturbed run. It is evaluated at each; at the third another learner goes on."""


@dataclass(frozen=True)
class Bench:
    """Makes learners of one algorithm in its setting."""

    make: Callable[..., Learner]
    scenario: str
    algorithm: str
    setting: str
    horizon: float

    def learner(self, **given: Any) -> Learner:
        """A learner of the algorithm's defaults in the setting."""
        return self.make(self.scenario, self.algorithm, self.setting, **given)


@pytest.fixture(params=ALGORITHMS, ids="-".join)
def bench(request: pytest.FixtureRequest, make_learner: Any, tiny: Any, settings: Any) -> Bench:
    scenario, algorithm = request.param
    possible = settings(scenario, algorithm)
    setting = possible[crc32(f"{scenario}/{algorithm}".encode()) % len(possible)]
    horizon = tiny(scenario).HORIZONS.get(algorithm, HORIZON)
    return Bench(make_learner, scenario, algorithm, setting, horizon)


@contextmanager
def random_states_left_alone() -> Iterator[None]:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    yield
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def straight(bench: Bench) -> Learner:
    """A run without a stop, whose compute is that of a counter which is always on."""
    with FlopCounter() as building:
        learner = bench.learner()
    assert building.total == 0, "what is done before a run begins would never be paid for"
    with FlopCounter() as ran:
        learner.begin(bench.horizon)
        learner.advance(bench.horizon)
    # Nobody pays for finding out what things cost: the unit, and one step of each kind.
    with FlopCounter() as measuring, torch.random.fork_rng():
        bench.learner().measure_unit()
    steps = learner.state_dict()["step_flops"].values()
    assert steps and all(cost > 0 for cost in steps)
    assert learner.compute == (ran.total - measuring.total - sum(steps)) / learner.unit
    assert learner.spent <= learner.horizon == int(bench.horizon * learner.unit)
    return learner


def disturbed(bench: Bench, checkpoint: Path) -> Learner:
    """The same run in slices, evaluated in between, and continued by another learner."""
    learner, spent = bench.learner(horizon=bench.horizon), [0]
    for number, stop in enumerate(STOPS):
        learner.advance(stop * bench.horizon / HORIZON)
        learner.evaluate()
        spent.append(learner.spent)
        if number == len(STOPS) // 2:
            write_checkpoint(checkpoint, learner.state_dict())
            learner = bench.learner(horizon=bench.horizon)
            learner.advance(0.4)
            learner.load_state_dict(read_checkpoint(checkpoint, CPU))
    assert spent == sorted(spent) and spent[-1] > spent[1]
    learner.advance(bench.horizon)
    return learner


def result_of(learner: Learner) -> dict[str, Any]:
    """All that a run leads to, but for what evaluations in between add."""
    state = learner.state_dict()
    del state["evaluated"], state["memory"]
    return {**state, "weights": dict(learner.weights())}


def assert_reports(bench: Bench, learner: Learner, view: Any) -> None:
    promised = load_scenario(bench.scenario).for_view(view)
    metrics = learner.evaluate()
    assert {promised.metric, *promised.secondary} <= set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
    assert not learner.diverged
    first = bench.learner().weights()
    trained = learner.weights()
    kept = [torch.equal(trained[name], value) for name, value in first.items()]
    assert not all(kept), "nothing was trained"


def test_the_contract_of_an_algorithm(
    bench: Bench, view_for: Any, assert_equal: Any, tmp_path: Path
) -> None:
    view = view_for(bench.scenario, bench.setting)
    with random_states_left_alone():
        learner = straight(bench)
        other = disturbed(bench, tmp_path / "state.pt")
    assert_equal(result_of(other), result_of(learner))
    assert_reports(bench, learner, view)


def test_a_step_never_waits_for_the_device(bench: Bench, no_waiting: Any) -> None:
    learner = bench.learner(horizon=24.0)
    reached = 2.0
    while learner.step_in_epoch in (0, learner.steps_per_epoch - 1):
        learner.advance(reached)
        reached += 0.05
        assert reached < 24.0
    with no_waiting():
        learner.step()


def test_the_config_of_an_algorithm(bench: Bench) -> None:
    recipe = load_scenario(bench.scenario).recipe
    whole = config_with(bench.scenario, {"algorithm": bench.algorithm})
    assert from_config(recipe, yaml.safe_load(to_yaml(whole))) == from_config(recipe, whole)
    section = root_of(bench.scenario).fields["algorithm"].options[bench.algorithm]
    for path, node, choices in leaves(section, "algorithm", {"algorithm": bench.algorithm}):
        config = config_with(bench.scenario, choices)
        assert to_config(from_config(recipe, config)) == as_written(recipe, config)
        for value in wrong_values(node):
            with pytest.raises(InputError, match=rf"^{re.escape(path)}: got .+, expected "):
                from_config(recipe, replaced(config, path, value))


def as_written(recipe: type, config: Config) -> Config:
    """The config without an optional section that is at its defaults, and what has no effect."""
    written = {name: value for name, value in config.items() if name != "computing"}
    return in_effect(recipe, written)


def test_the_seed_decides_and_nothing_else_is_shared(bench: Bench) -> None:
    first, other = (bench.learner(seed=seed, horizon=bench.horizon) for seed in (1, 2))
    weights = [learner.weights() for learner in (first, other)]
    drawn = [
        name for name, value in weights[0].items() if name.endswith("weight") and value.ndim > 1
    ]
    assert drawn
    assert not any(torch.equal(weights[0][name], weights[1][name]) for name in drawn)
    assert first.algorithm.state is not other.algorithm.state


def test_a_nan_marks_the_learner_and_stops_it(bench: Bench, view_for: Any) -> None:
    view = view_for(bench.scenario, bench.setting)
    broken = with_fields(view, train=with_fields(view.train, inputs=view.train.inputs * np.nan))
    learner = bench.learner(horizon=20.0, view=broken)
    learner.advance(20.0)
    assert learner.diverged
    assert learner.progress < 0.5

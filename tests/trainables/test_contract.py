"""What every algorithm of every scenario keeps: one suite, no list of names to extend."""

from __future__ import annotations

import dataclasses
import gc
import random
from dataclasses import replace
from itertools import pairwise
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import Categorical, option, options
from search_spaces.space import Choice, Group, Leaf
from trainables.data import DataSpec
from trainables.learning.checkpoint import read_checkpoint, write_checkpoint
from trainables.learning.learner import Learner
from trainables.scenarios.scenario import load_scenario, scenario_names

CPU = torch.device("cpu")
pytestmark = pytest.mark.exhaustive

ALGORITHMS = [
    (scenario, algorithm)
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
SETTINGS = ["adamw", "sgd", "cnn"]
HORIZON = 5.0
IMAGES = SimpleNamespace(
    input_shape=(1, 6, 6), train=SimpleNamespace(columns={}), mirror_keeps_class=None
)


def alternatives(group: Group, path: str) -> list[dict[str, Any]]:
    """Each choice below an algorithm that is not its default, as a change of the config."""
    found: list[dict[str, Any]] = []
    for name, node in group.fields.items():
        here = f"{path}.{name}"
        if isinstance(node, Leaf) and isinstance(node.allowed, Categorical):
            others = [choice for choice in node.allowed.choices if choice != node.default]
            found += [{here: choice} for choice in others]
        elif isinstance(node, Choice):
            found += [{f"{here}.name": other} for other in node.options if other != node.default]
    return found


def part_of(scenario: str, change: dict[str, Any]) -> tuple[str, ...]:
    """What an alternative is about: a part by its field and name, or else a field of its own."""
    ((path, value),) = change.items()
    section, _, field = path.rpartition(".")
    if field == "name":
        return scenario, section.rpartition(".")[2], value
    return scenario, path, str(value)


def variants() -> list[Any]:
    """Every algorithm in every setting, and each of its alternatives in one of them.

    A part that several algorithms of a scenario can have is tried with the first of them.
    """
    found = []
    tried = set()
    for scenario, algorithm in ALGORITHMS:
        section = load_scenario(scenario).space(IMAGES).root.fields["algorithm"]
        changes = alternatives(section.options[algorithm], f"algorithm.{algorithm}")
        new = {str(it): it for it in changes if part_of(scenario, it) not in tried}
        tried |= {part_of(scenario, it) for it in new.values()}
        cases = [(setting, {}) for setting in SETTINGS] + [("adamw", it) for it in new.values()]
        for setting, change in cases:
            name = "-".join([scenario, algorithm, setting, *(f"{v}" for v in change.values())])
            found.append(pytest.param(scenario, algorithm, setting, change, id=name))
    return found


every_algorithm = pytest.mark.parametrize(("scenario", "algorithm"), ALGORITHMS)
every_setting = pytest.mark.parametrize("setting", SETTINGS)
every_variant = pytest.mark.parametrize(
    ("scenario", "algorithm", "setting", "changes"), variants()
)


def whole_state(learner: Learner) -> dict[str, Any]:
    """All that a run leads to: state, weights and metrics."""
    state = learner.state_dict()
    return {**state, "weights": dict(learner.weights()), "metrics": learner.evaluate()}


def stops_of(learner: Learner, horizon: float) -> dict[str, list[float]]:
    """Where a run can be stopped: in the middle of epochs, and at openings done but not used."""
    found: dict[str, list[float]] = {"opening": [], "owed": [], "middle": []}
    seen = set()
    for compute in np.arange(0.0, horizon, 0.05):
        learner.advance(compute)
        owed = learner.compute * learner.unit > learner.spent + 0.5
        at = (learner.epoch, learner.step_in_epoch, owed)
        if at not in seen and learner.step_in_epoch in (0, 2):
            kind = "middle" if learner.step_in_epoch else "owed" if owed else "opening"
            found[kind].append(float(compute))
        seen.add(at)
    return found


def test_there_is_something_to_check() -> None:
    assert ("curriculum", "plain") in ALGORITHMS
    assert len(ALGORITHMS) >= 6


@every_algorithm
@every_setting
def test_it_learns(make_learner, view_for, tiny, scenario, algorithm, setting) -> None:
    if (algorithm, setting) in tiny(scenario).LEARNS_ELSEWHERE:
        pytest.skip("takes more than this test's time: the scenario's own tests show it")
    learner = make_learner(scenario, algorithm, setting, horizon=20.0)
    before = learner.evaluate()
    learner.advance(20.0)
    after, labels = learner.evaluate(), view_for(scenario, setting).validation.labels
    chance = tiny(scenario).CHANCE or np.bincount(labels).max() / len(labels)
    assert after["accuracy"] > chance + 0.15
    assert after["loss"] < before["loss"]
    assert not learner.diverged


@every_algorithm
def test_every_metric_that_its_scenario_promises_is_reported(
    make_learner, view_for, setting_of, scenario, algorithm
) -> None:
    setting = setting_of(scenario, algorithm)
    learner = make_learner(scenario, algorithm, setting, horizon=3.0)
    promised = load_scenario(scenario).for_view(view_for(scenario, setting))
    assert {promised.metric, *promised.secondary} <= set(learner.evaluate())
    sizes = [tensor.numel() for tensor in learner.weights().values()]
    assert learner.model_size == sum(sizes) > 0


@every_variant
def test_stopping_and_resuming_from_files_equals_not_stopping(
    make_learner, assert_equal, tiny, tmp_path, scenario, algorithm, setting, changes
) -> None:
    horizon = tiny(scenario).HORIZONS.get(algorithm, HORIZON)

    def make(until: float | None = None) -> Learner:
        return make_learner(scenario, algorithm, setting, horizon=until, changes=changes)

    undisturbed = make(horizon)
    undisturbed.advance(horizon)
    stops = stops_of(make(horizon), horizon)
    assert len(stops["opening"]) + len(stops["owed"]) >= 2
    assert sum(map(len, stops.values())) >= 4
    learner = make(horizon)
    for stop in sorted({some[end] for some in stops.values() if some for end in (0, -1)}):
        learner.advance(stop)
        write_checkpoint(tmp_path / "state.pt", learner.state_dict())
        learner = make()
        learner.load_state_dict(read_checkpoint(tmp_path / "state.pt", CPU))
    learner.advance(horizon)
    assert_equal(whole_state(learner), whole_state(undisturbed))


@every_algorithm
def test_resuming_forgets_what_the_new_learner_did_before(
    make_learner, assert_equal, scenario, algorithm
) -> None:
    learner = make_learner(scenario, algorithm, horizon=HORIZON)
    learner.advance(1.5)
    other = make_learner(scenario, algorithm, horizon=3.0)
    other.advance(2.0)
    other.load_state_dict(learner.state_dict())
    for each in (learner, other):
        each.advance(HORIZON)
    assert_equal(whole_state(other), whole_state(learner))


@every_algorithm
@every_setting
def test_a_state_in_memory_is_a_snapshot_that_nothing_shares(
    make_learner, assert_equal, scenario, algorithm, setting
) -> None:
    learner = make_learner(scenario, algorithm, setting, horizon=HORIZON)
    learner.advance(2.5)
    state = learner.state_dict()
    ends = []
    learner.advance(HORIZON)
    for _ in range(2):
        resumed = make_learner(scenario, algorithm, setting)
        resumed.load_state_dict(state)
        resumed.advance(HORIZON)
        ends.append(whole_state(resumed))
    assert_equal(ends[0], ends[1])
    assert_equal(ends[0], whole_state(learner))


@every_algorithm
@every_setting
def test_how_advance_is_sliced_changes_nothing(
    make_learner, assert_equal, scenario, algorithm, setting
) -> None:
    states = []
    for slices in (1, 7, 200):
        learner = make_learner(scenario, algorithm, setting, horizon=HORIZON)
        for upto in range(1, slices + 1):
            learner.advance(HORIZON * upto / slices)
        states.append(whole_state(learner))
    assert_equal(states[1], states[0])
    assert_equal(states[2], states[0])


@every_algorithm
@every_setting
def test_evaluating_in_between_changes_nothing_but_the_bill(
    make_learner, assert_equal, scenario, algorithm, setting
) -> None:
    alone, watched = (
        make_learner(scenario, algorithm, setting, horizon=HORIZON) for _ in range(2)
    )
    alone.advance(HORIZON)
    for stop in (0.0, 0.7, 1.9, 3.1, HORIZON):
        watched.advance(stop)
        watched.evaluate()
    states = [learner.state_dict() for learner in (alone, watched)]
    costs = [state.pop("evaluated") for state in states]
    assert costs[0] == 0 < costs[1]
    memory = [state.pop("memory") for state in states]
    assert 0 < memory[0] <= memory[1]
    assert_equal(states[1], states[0])


@every_algorithm
@every_setting
def test_the_seed_decides_everything(
    make_learner, assert_equal, scenario, algorithm, setting
) -> None:
    states = []
    for seed in (5, 5, 6):
        torch.manual_seed(torch.seed())
        learner = make_learner(scenario, algorithm, setting, seed=seed, horizon=4.0)
        learner.advance(4.0)
        states.append(learner.state_dict())
    assert_equal(states[0], states[1])
    weights, others = (states[i]["parts"]["model"] for i in (0, 2))
    drawn = [name for name in weights if name.endswith("weight") and weights[name].ndim > 1]
    assert drawn
    assert not any(torch.equal(weights[name], others[name]) for name in drawn)
    assert not torch.equal(states[0]["parts"]["order"], states[2]["parts"]["order"])


@every_algorithm
@every_setting
def test_global_random_states_are_left_alone(
    make_learner, monkeypatch, scenario, algorithm, setting
) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError("a run on the CPU seeded the GPUs")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    learner = make_learner(scenario, algorithm, setting, horizon=3.0)
    learner.advance(2.0)
    learner.evaluate()
    make_learner(scenario, algorithm, setting).load_state_dict(learner.state_dict())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


@every_algorithm
@every_setting
def test_a_nan_marks_the_learner_and_stops_it(
    make_learner, view_for, tmp_path, scenario, algorithm, setting
) -> None:
    view = view_for(scenario, setting)
    broken = replace(view, train=replace(view.train, inputs=view.train.inputs * np.nan))
    learner = make_learner(scenario, algorithm, setting, horizon=20.0, view=broken)
    assert not learner.diverged
    learner.advance(20.0)
    assert learner.diverged
    assert learner.epoch == 1, "it goes no further than the epoch in which it happened"
    assert learner.progress < 0.5
    resumed = make_learner(scenario, algorithm, setting, view=broken)
    resumed.load_state_dict(learner.state_dict())
    resumed.advance(20.0)
    assert resumed.diverged
    assert resumed.spent == learner.spent


@every_algorithm
def test_fields_are_frozen_and_each_learner_has_a_state_of_its_own(
    make_learner, scenario, algorithm
) -> None:
    cls = option(load_scenario(scenario).algorithm, algorithm)
    instance = cls()
    kept = {field.name for field in dataclasses.fields(cls) if not field.init}
    assert kept <= {"state", "networks", "optimizers", "seen"}
    for field in dataclasses.fields(cls):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(instance, field.name, None)
    first, second = (make_learner(scenario, algorithm, horizon=3.0, seed=s) for s in (0, 1))
    first.advance(2.0)
    untouched = {name: value.clone() for name, value in second.algorithm.state.items()}
    first.advance(2.0)
    assert first.algorithm.state is not second.algorithm.state
    assert set(vars(first.algorithm)) == {field.name for field in dataclasses.fields(cls)}
    assert all(isinstance(value, torch.Tensor) for value in first.algorithm.state.values())
    assert all(torch.equal(second.algorithm.state[name], untouched[name]) for name in untouched)


def reachable_memory(root: object) -> bytes:
    """All numbers that can be got at from an object: tensors' whole storages, arrays' bases."""
    seen: dict[int, object] = {}
    waiting, found = [root], []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | ModuleType):
            continue
        seen[id(item)] = item
        if isinstance(item, torch.Tensor):
            found.append(bytes(item.untyped_storage()))
        elif isinstance(item, np.ndarray):
            found.append(item.tobytes())
            waiting.append(item.base)
        elif isinstance(item, FunctionType):
            waiting += [item.__closure__, item.__defaults__]
            continue
        waiting += gc.get_referents(item)
    return b"".join(found)


@every_algorithm
def test_no_test_data_can_be_reached_from_a_learner(
    make_learner, view_for, setting_of, tiny, tmp_path, scenario, algorithm
) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % tiny(scenario).CLASSES
    shape = view_for(scenario, setting_of(scenario, algorithm)).train.inputs.shape[1:]
    inputs = rng.normal(size=(400, *shape)) + labels.reshape(400, *[1] * len(shape))
    np.savez(tmp_path / "data.npz", x=inputs, y=labels)
    spec, kind = DataSpec(str(tmp_path / "data.npz")), load_scenario(scenario)
    settings = kind.with_settings(tiny(scenario).OWN)
    view = kind.load(spec, settings)

    class Log:
        def record_opening(self, fingerprint: str) -> int:
            return 1

    test = kind.open_test(spec, settings, Log(), view.fingerprint)
    learner = make_learner(scenario, algorithm, horizon=3.0, view=view)
    learner.advance(2.0)
    memory = reachable_memory(learner)
    rows = {
        name: [row.tobytes() for row in part.inputs]
        for name, part in vars(view).items()
        if name in ("train", "validation")
    }
    assert all(row in memory for part in rows.values() for row in part), "the search looks nowhere"
    assert not any(row.tobytes() in memory for row in test.inputs)


@every_algorithm
@every_setting
def test_steps_follow_the_schedule_and_stay_within_the_horizon(
    make_learner, tiny, scenario, algorithm, setting
) -> None:
    horizon = tiny(scenario).HORIZONS.get(algorithm, HORIZON)
    learner = make_learner(scenario, algorithm, setting, horizon=horizon)
    rates, spent = [], []
    for compute in np.arange(0.1, horizon + 1.0, 0.1):
        learner.advance(compute)
        assert learner.spent <= compute * learner.unit
        rates.append(learner.optimizer.param_groups[0]["lr"])
        spent.append(learner.spent)
    assert len({round(rate, 9) for rate in rates}) > 10
    assert all(first <= second for first, second in pairwise(spent))
    assert learner.spent <= learner.horizon == int(horizon * learner.unit)
    unused = learner.horizon - learner.spent
    dearest = max(learner.state_dict()["step_flops"].values())
    assert unused < learner.state_dict()["owed"] + dearest, "and a step that fits is taken"

"""Where trials and their workers are placed, and what is said while there is no room for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cluster import TrialResources, concurrency, most_workers, said_while_waiting, waiting
from cluster.resources import DRIVER_CPUS
from cluster.waiting import words
from trainables.trials.group.worker_group import GroupResources
from trainables.trials.placement import room_for

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CPUS, GPUS = 4, 2


@pytest.fixture(scope="module", autouse=True)
def running() -> Iterator[None]:
    """Ray with GPUs that are only counted: placement is the same with real ones."""
    ray.init(
        address="local",
        num_cpus=CPUS,
        num_gpus=GPUS,
        include_dashboard=False,
        object_store_memory=100_000_000,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@ray.remote
class Trial:
    def device(self) -> str:
        return os.environ["CUDA_VISIBLE_DEVICES"]


def test_trials_that_share_a_gpu_see_the_same_one() -> None:
    trial = TrialResources(1, 0.5, 1)
    slots = concurrency(trial)
    assert slots == 4
    actor = Trial.options(num_cpus=trial.driver_cpus, num_gpus=trial.gpus)
    trials = [actor.remote() for _ in range(slots)]
    assert sorted(ray.get([each.device.remote() for each in trials])) == ["0", "0", "1", "1"]
    one_more = actor.remote()
    ready, _ = ray.wait([one_more.device.remote()], timeout=0.5)
    assert not ready
    for each in [*trials, one_more]:
        ray.kill(each)


def test_each_worker_of_a_trial_has_a_gpu_of_its_own() -> None:
    trial = TrialResources(2, 2, 2)
    assert concurrency(trial) == 1
    each = GroupResources(2, 2, trial.worker_cpus, trial.worker_gpus).bundle
    assert each == {"CPU": 1 - DRIVER_CPUS, "GPU": 1}
    made = placement_group([each] * 2)
    assert made.wait(10)
    workers = [
        Trial.options(
            num_cpus=each["CPU"],
            num_gpus=each["GPU"],
            scheduling_strategy=PlacementGroupSchedulingStrategy(made, index),
        ).remote()
        for index in range(2)
    ]
    assert sorted(ray.get([worker.device.remote() for worker in workers])) == ["0", "1"]
    remove_placement_group(made)


def test_room_is_what_is_free_on_each_node() -> None:
    half = {"CPU": 0.5, "GPU": 0.5}
    assert becomes_true(lambda: room_for(half, 6) == 4)
    assert room_for(half, 3) == 3
    assert room_for({"CPU": 3.0}, 6) == 1
    taken = placement_group([{"GPU": 1}])
    assert taken.wait(10)
    assert becomes_true(lambda: room_for(half, 6) == 2)
    remove_placement_group(taken)
    assert becomes_true(lambda: room_for(half, 6) == 4)


def becomes_true(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    return condition()


def test_an_elastic_trial_that_runs_alone_may_grow_and_others_share() -> None:
    elastic = TrialResources(2, 0, 2, 8)
    assert concurrency(elastic) == 1 or most_workers(elastic, 2) == 2
    assert most_workers(elastic, 1) == 8


def test_what_a_trial_waits_for_is_said_once_and_who_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.5)
    trial, said = TrialResources(2, 0, 2), list[str]()
    other = placement_group([{"CPU": 3}], name="a search that died", lifetime="detached")
    assert other.wait(10)
    with said_while_waiting(trial, said.append):
        time.sleep(1.0)
        assert said == []
        workers = placement_group([{"CPU": trial.worker_cpus}] * 2)
        time.sleep(2.0)
    remove_placement_group(workers)
    remove_placement_group(other)
    assert said == [
        "waiting for room for a trial (2 x 0.99 CPUs): 1 of 4 CPUs and 2 of 2 GPUs are free; "
        "placement group a search that died holds 3 CPUs"
    ]


def test_only_the_first_holders_are_named() -> None:
    trial = TrialResources(1, 0, 1)
    mine = {"state": "PENDING", "name": "", "bundles": {0: {"CPU": 1.0}}}
    other = {"state": "CREATED", "name": "", "bundles": {0: {"CPU": 0.5}, 1: {"GPU": 1.0}}}
    groups = {"m": mine} | {f"p{index}": other for index in range(5)}
    assert words(groups, trial, {"CPU": 0.0}, {"CPU": 2.0}) == (
        "waiting for room for a trial (1 x 1 CPU): 0 of 2 CPUs are free; "
        "placement group p0 holds 0.5 CPUs and 1 GPU, placement group p1 holds 0.5 CPUs and "
        "1 GPU, placement group p2 holds 0.5 CPUs and 1 GPU, and 2 more hold some"
    )

"""Several ranks with a part of the batch each give what one gives, for every algorithm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import torch

from search_spaces import options
from trainables.scenarios.scenario import load_scenario, scenario_names

Found = dict[str, dict[str, Any]]
# What training ends with, alone and divided: sums in another order differ in the last bits, and
# optimizers divide by small numbers.
TOLERANCE = {"rtol": 1e-2, "atol": 1e-3}

ALGORITHMS = [
    f"{scenario}/{algorithm}"
    for scenario in scenario_names()
    for algorithm in options(load_scenario(scenario).algorithm)
]
DIVISIBLE = [
    name
    for name in ALGORITHMS
    if load_scenario(name.split("/")[0]).needs_whole_model(name.split("/")[1]) is None
]
# Whose batches, classes, episodes and memories three ranks do not divide evenly.
OF_THREE = [
    "curriculum/meta_weight_net",
    "semi_supervised/flexmatch",
    "continual/slca",
    "continual/experience_replay",
    "meta_learning/maml",
    "meta_learning/protonet",
]


def jobs(tiny: Callable[[str], Any]) -> list[str]:
    """Every algorithm with each model that it can teach, as the contracts' settings say."""
    models = {"adamw": "mlp", "sgd": "mlp", "cnn": "cnn"}
    found = []
    for name in ALGORITHMS:
        scenario, algorithm = name.split("/")
        settings = tiny(scenario).ONLY.get(algorithm, models)
        found += [f"{model}:{name}" for model in sorted({models[each] for each in settings})]
    return found


def trained(
    folder: Path, size: int, jobs: list[str], *flags: str, checkpoints: Sequence[Path] = ()
) -> list[Found]:
    """What each of `size` ranks ends with, by job; those with a checkpoint go on from there."""
    folder.mkdir()
    for number, checkpoint in enumerate(checkpoints):
        shutil.copy(checkpoint, folder / f"{number}.pt")
    script = Path(__file__).with_name("one_rank.py")
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(size), folder, *jobs, *flags],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(size)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0] * size
    return [torch.load(folder / f"found-{rank}", weights_only=True) for rank in range(size)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny: Callable[[str], Any]) -> Found:
    """What one rank ends with that never stopped."""
    return trained(tmp_path_factory.mktemp("ranks") / "alone", 1, jobs(tiny))[0]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What nested mappings and lists hold, each by its path."""
    if isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in pairs:
            yield from leaves(each, f"{path}.{key}")
    else:
        yield path, value


def assert_alike(first: Any, second: Any, **tolerance: float) -> None:
    """Tensors and numbers within a tolerance, 0 if none is given, and all else equal."""
    tolerance = tolerance or {"rtol": 0.0, "atol": 0.0}
    pairs = dict(leaves(first)), dict(leaves(second))
    assert pairs[0].keys() == pairs[1].keys()
    for path, expected in pairs[0].items():
        found = pairs[1][path]
        if isinstance(expected, torch.Tensor | float):
            torch.testing.assert_close(
                found,
                expected,
                equal_nan=True,
                msg=lambda text, at=path: f"{at}: {text}",
                **tolerance,
            )
        else:
            assert found == expected, path


def assert_as_one(expected: dict[str, Any], found: list[dict[str, Any]], job: str) -> None:
    for other in found[1:]:
        assert_alike({job: found[0]}, {job: other})
    assert_like_one(expected, found[0], job)


def assert_like_one(expected: dict[str, Any], found: dict[str, Any], job: str) -> None:
    for key in ("spent", "evaluated"):
        assert expected[key] == found[key], (job, key)
    for key in ("metrics", "parts"):
        assert_alike({job: expected[key]}, {job: found[key]}, **TOLERANCE)


@pytest.mark.slow
def test_two_ranks_give_the_result_of_one(tmp_path: Path, tiny: Callable[[str], Any]) -> None:
    every = jobs(tiny)
    models = {name: [job for job in every if job.endswith(f":{name}")] for name in ALGORITHMS}
    rotated = [each[crc32(name.encode()) % len(each)] for name, each in models.items()]
    alone = trained(tmp_path / "alone", 1, rotated, "--until=1.6")[0]
    found = trained(tmp_path / "two", 2, rotated, "--until=1.6")
    for job, expected in alone.items():
        assert_as_one(expected, [rank[job] for rank in found], job)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_ranks_that_stop_and_resume_give_the_result_of_one(
    tmp_path: Path, alone: Found
) -> None:
    found = trained(tmp_path / "two", 2, [f"{job}:resumed" for job in alone])
    for job, expected in alone.items():
        assert_as_one(expected, [rank[f"{job}:resumed"] for rank in found], job)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_three_ranks_give_the_result_of_one_and_resume_to_the_last_bit(
    tmp_path: Path, alone: Found
) -> None:
    straight = [f"mlp:{name}" for name in OF_THREE]
    found = trained(tmp_path / "three", 3, straight + [f"{job}:resumed" for job in straight])
    for job in straight:
        assert_as_one(alone[job], [rank[job] for rank in found], job)
        assert_alike({job: found[0][job]}, {job: found[0][f"{job}:resumed"]})


@pytest.mark.exhaustive
@pytest.mark.slow
def test_ranks_that_divide_a_model_hold_a_part_each_and_one_can_go_on_from_there(
    tmp_path: Path, alone: Found
) -> None:
    # Every second algorithm, since it takes its time, each with one of its models in turns.
    names = DIVISIBLE[::2]
    models = {name: [job for job in alone if job.split(":")[1] == name] for name in names}
    jobs = [of_one[turn % len(of_one)] for turn, of_one in enumerate(models.values())]
    resumed = {job: f"{job}:resumed" for job in jobs[::3]}
    found = trained(tmp_path / "two", 2, [*jobs, *resumed.values()], "--sharded")
    for job in jobs:
        # What is divided is whole in the state of rank 0, which alone writes it.
        assert_like_one(alone[job], found[0][job], job)
        all_of_it, parts = alone[job]["held"], [rank[job]["held"] for rank in found]
        assert max(parts) < 0.55 * all_of_it, (job, all_of_it, parts)
        assert all_of_it <= sum(parts) < 1.1 * all_of_it, (job, all_of_it, parts)
    checkpoints = [tmp_path / "two" / f"{len(jobs) + number}.pt" for number in range(len(resumed))]
    whole = trained(tmp_path / "one", 1, list(resumed.values()), checkpoints=checkpoints)[0]
    for straight, again in resumed.items():
        assert_alike({straight: found[0][straight]}, {straight: found[0][again]})
        assert_like_one(alone[straight], whole[again], straight)


# Rank 1 leaves after a step; what rank 0 makes of its own error is its exit code.
LEFT_ALONE = """
import os
import sys
import torch
import torch.distributed as dist
from trainables.ranks.ranks import ProcessGroup, of_lost_rank
from trainables.ranks.sharding import shard

rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
ranks = ProcessGroup(torch.device("cpu"), sharded=True)
model = shard(torch.nn.Linear(8, 8), torch.device("cpu"))
ranks.divided(model, torch.ones(4, 8)).sum().backward()
if rank == 1:
    os._exit(0)
try:
    while True:
        ranks.divided(model, torch.ones(4, 8)).sum().backward()
except Exception as error:
    os._exit(0 if of_lost_rank(error) and not of_lost_rank(ValueError("shapes")) else 1)
"""


@pytest.mark.slow
def test_a_rank_that_is_gone_is_no_fault_of_the_model(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", LEFT_ALONE, str(rank), tmp_path / "store"])
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]

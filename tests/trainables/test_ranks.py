"""Two ranks with half a batch each give what one gives, for every algorithm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces import options
from trainables.scenario import load_scenario, scenario_names

ALGORITHMS = [
    f"{scenario}/{algorithm}"
    for scenario in scenario_names()
    if load_scenario(scenario).several_workers
    for algorithm in options(load_scenario(scenario).algorithm)
]

# Ranks are processes of their own: torch has one default process group each.
SCRIPT = """
import os
import sys
import numpy as np
import torch
import torch.distributed as dist
from search_spaces import from_config, narrowed
from trainables.data import DataView, Examples
from trainables.ranks import ALONE, ProcessGroup
from trainables.scenario import load_scenario

rank, size, store, out, model = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
torch.set_num_threads(1)
device = torch.device("cpu")
ranks = ALONE
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    ranks = ProcessGroup(device)
rng = np.random.default_rng(0)

def examples(count):
    labels = rng.integers(0, 3, count)
    inputs = rng.normal(size=(count, 1, 6, 6)) + labels[:, None, None, None]
    return Examples(inputs.astype(np.float32), labels)

view = DataView(examples(151), examples(53), ("a", "b", "c"), "made", "0", np.zeros(1), np.ones(1))
found = {}
for name in sys.argv[6:]:
    scenario, algorithm = load_scenario(name.split("/")[0]), name.split("/")[1]
    space, given = scenario.space(view).only("algorithm", algorithm), {
        "model": model, "augmentation": "shift", "training.batch_size": 17,
        "training.selection": "best", "schedule": "cosine",
    }
    given = {key: it for key, it in given.items() if key.split(".")[0] in space.root.fields}
    config = narrowed(space, given).default()
    learner = scenario.learner(config, scenario.on_device(view, device, ranks), 3, device)
    learner.begin(3.0)
    learner.advance(1.5)
    learner.evaluate()
    learner.advance(3.0)
    metrics = learner.evaluate()
    found[name] = {
        "spent": learner.spent, "evaluated": learner.evaluated, "metrics": metrics,
        "model": learner.model.state_dict(), "algorithm": dict(learner.algorithm.state),
    }
torch.save(found, f"{out}-{rank}")
if size > 1:
    dist.barrier()  # a rank that leaves early may take down one that is still at it
# Threads of gloo may still be at work while Python ends, which then ends in an abort.
os._exit(0)
"""


def taught(model: str, tiny: Callable[[str], Any]) -> list[str]:
    """The algorithms that can teach a model; the settings of the contracts say which."""
    models = {"adamw": "mlp", "sgd": "mlp", "cnn": "cnn"}
    found = []
    for name in ALGORITHMS:
        scenario, algorithm = name.split("/")
        if model in [models[each] for each in tiny(scenario).ONLY.get(algorithm, models)]:
            found.append(name)
    return found


def trained(
    folder: Path, size: int, model: str, algorithms: list[str]
) -> list[dict[str, dict[str, object]]]:
    """What each of `size` ranks ends with, by algorithm."""
    import torch

    out, store = folder / f"{model}-{size}", folder / f"store-{model}-{size}"
    command = [sys.executable, "-c", SCRIPT]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(size), str(store), str(out), model, *algorithms],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(size)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0] * size
    return [torch.load(f"{out}-{rank}", weights_only=True) for rank in range(size)]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_two_ranks_give_the_result_of_one(
    tmp_path: Path, tiny: Callable[[str], Any], model: str
) -> None:
    import torch

    algorithms = taught(model, tiny)
    alone = trained(tmp_path, 1, model, algorithms)[0]
    first, second = trained(tmp_path, 2, model, algorithms)
    for name in algorithms:
        for key in ("spent", "evaluated", "metrics"):
            assert first[name][key] == second[name][key], (name, key)
        for part in ("model", "algorithm"):
            for key, expected in alone[name][part].items():
                found = first[name][part][key]
                assert torch.equal(found, second[name][part][key]), (name, key)
                # Sums in another order differ in the last bits, and Adam divides by small numbers.
                torch.testing.assert_close(
                    found, expected, rtol=1e-2, atol=1e-3, msg=f"{name} {part} {key}"
                )
        assert first[name]["spent"] == alone[name]["spent"], name

"""One of the ranks of `test_ranks.py`: trains some algorithms, and writes what they end with.

A process of its own, since torch has one default process group in each.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from search_spaces import narrowed
from trainables.data import DataView, Examples
from trainables.learning.checkpoint import read_checkpoint, write_checkpoint
from trainables.learning.memory import bytes_held
from trainables.ranks.ranks import ALONE, ProcessGroup, Ranks
from trainables.scenarios.scenario import load_scenario

sys.path.insert(0, str(Path(__file__).parent))
from conftest import tiny_of

CPU = torch.device("cpu")
# A rank's own masks are the exception that the documentation names.
OWN_MASKS = {"maml"}
# A stream is to come to its end. Elsewhere training ends before, for one rank breaks off the
# opening of an epoch that does not fit the horizon, and several do not.
HORIZONS = {"continual": 3.0}
CHANGES: dict[str, dict[str, Any]] = {
    # The bias of an embedding has no gradient but rounding, of which Adam would make whole steps.
    "protonet": {"optimizer": "sgd"},
    "slca": {"algorithm.slca.samples": 16, "algorithm.slca.alignment_epochs": 2},
}


def plain_view() -> DataView:
    """Numbers of examples that neither batches nor ranks divide."""
    rng = np.random.default_rng(0)

    def examples(count: int) -> Examples:
        labels = rng.integers(0, 3, count)
        inputs = rng.normal(size=(count, 1, 6, 6)) + labels[:, None, None, None]
        return Examples(inputs.astype(np.float32), labels)

    parts = examples(151), examples(53)
    return DataView(*parts, ("a", "b", "c"), "made", "0", np.zeros(1), np.ones(1))


def learner_of(name: str, model: str, ranks: Ranks) -> Any:
    """A learner of an algorithm's defaults, as the scenario's tiny problems change them."""
    kind, algorithm = name.split("/")
    scenario, own = load_scenario(kind), tiny_of(kind)
    setting = {"mlp": "sgd", "cnn": "cnn"}[model]
    view = own.VIEWS[setting] if own.VIEWS else own.of(plain_view())
    space = scenario.space(view).only("algorithm", algorithm)
    dropout = 0.0 if algorithm in OWN_MASKS else 0.2
    sizes = {"mlp": {"width": 32, "dropout": dropout}, "cnn": {"width": 8}}
    given = {
        "model": {"name": model, model: sizes[model]},
        "augmentation": "shift",
        "training.batch_size": 50 if own.VIEWS else 17,
        "optimizer": {"mlp": "adamw", "cnn": "sgd"}[model],
        "schedule": "cosine",
    }
    given = {key: each for key, each in given.items() if key.split(".")[0] in space.root.fields}
    if "selection" in space.root.fields["training"].fields:
        given["training.selection"] = "best"
    changes = {**own.CHANGES.get(algorithm, {}), **CHANGES.get(algorithm, {})}
    config = narrowed(space, {**given, **changes}).default()
    return scenario.learner(config, scenario.on_device(view, CPU, ranks), 3, CPU)


def begun(name: str, model: str, ranks: Ranks) -> Any:
    """A learner half of whose training is over."""
    learner = learner_of(name, model, ranks)
    learner.begin(HORIZONS.get(name.split("/")[0], 4.0))
    learner.advance(1.5)
    learner.evaluate()
    return learner


def trained(
    name: str, model: str, ranks: Ranks, checkpoint: Path | None, until: float
) -> dict[str, Any]:
    """What training up to some compute ends with; by way of a checkpoint, if one is named.

    It is that of an earlier run if it is there, else rank 0 writes it.
    """
    if checkpoint is None:
        learner = begun(name, model, ranks)
    else:
        if not checkpoint.exists():
            state = begun(name, model, ranks).state_dict()
            if ranks.rank == 0:
                write_checkpoint(checkpoint, state)
            ranks.any(True)  # so that none reads before it is written
        learner = learner_of(name, model, ranks)
        learner.load_state_dict(read_checkpoint(checkpoint, CPU))
    learner.advance(until)
    metrics = learner.evaluate()
    return {
        "held": bytes_held([learner.parts_state()[part] for part in ("model", "optimizer")]),
        "spent": learner.spent,
        "evaluated": learner.evaluated,
        "metrics": metrics,
        "parts": learner.state_dict()["parts"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("rank", "size"):
        parser.add_argument(name, type=int)
    parser.add_argument("folder")
    parser.add_argument("jobs", nargs="+", help="MODEL:SCENARIO/ALGORITHM, :resumed if it is")
    parser.add_argument("--sharded", action="store_true")
    parser.add_argument("--until", type=float, default=3.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder, ranks = Path(given.folder), ALONE
    if given.size > 1:
        where = f"file://{folder}/store"
        dist.init_process_group("gloo", where, rank=given.rank, world_size=given.size)
        ranks = ProcessGroup(CPU, given.sharded)
    found = {}
    for number, job in enumerate(given.jobs):
        model, name, *how = job.split(":")
        found[job] = trained(
            name, model, ranks, folder / f"{number}.pt" if how else None, given.until
        )
    torch.save(found, folder / f"found-{given.rank}")
    if given.size > 1:
        dist.barrier()  # a rank that leaves early may take down one that is still at it
    # Threads of gloo may still be at work while Python ends, which then ends in an abort.
    os._exit(0)


if __name__ == "__main__":
    main()

"""Views of images: what they cost, and what shift and mirror do to few-label training.

    python -m benchmarks.views --time
    python -m benchmarks.views --algorithm fixmatch --steps 300 1000 --seeds 0 1 2

The second line trains on Fashion-MNIST with 400 labels at a fixed recipe, and tells the accuracy
on the 12,000 validation images after so many steps, for each way to shift and mirror.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch

from search_spaces import Config, narrowed
from trainables.data import DataSpec
from trainables.parts.views.image import ImageViews
from trainables.scenarios.scenario import load_scenario

CPU = torch.device("cpu")
LABELS = 400
SHIFTS = (0.0, 0.04, 0.125)


def config_of(
    algorithm: str, model: str | dict[str, Any], view: dict[str, Any], space: Any
) -> Config:
    """A fixed recipe: AdamW at its published rate, and an average of weights for short runs."""
    changes = {
        "model": model,
        "optimizer": "adamw",
        "schedule": "constant",
        "training.batch_size": 64,
        "view": {"name": "image", "image": view},
        f"algorithm.{algorithm}.average": 0.99,
    }
    return narrowed(space.only("algorithm", algorithm), changes).default()


def accuracies(
    algorithm: str,
    model: str | dict[str, Any],
    view: dict[str, Any],
    steps: list[int],
    seed: int,
) -> list[float]:
    """Validation accuracy of one training after each of these numbers of steps."""
    scenario = load_scenario("semi_supervised")
    settings = scenario.with_settings({"labels": LABELS})
    data = scenario.load(DataSpec("fashion_mnist", seed=seed), settings)
    config = config_of(algorithm, model, view, scenario.space(data))
    on_device = scenario.on_device(data, CPU)

    def learner() -> Any:
        return scenario.learner(config, on_device, seed, CPU)

    probe = learner()
    probe.begin(1000.0)
    probe.advance(0.0)  # opens the first epoch, without a step
    each = probe.flops_of(probe.step_kind(), lambda twin: twin.step()) / probe.unit
    trained = learner()
    trained.begin((max(steps) + 0.5) * each)
    found = []
    for count in steps:
        trained.advance((count + 0.5) * each)
        found.append(trained.evaluate()["accuracy"])
    return found


def milliseconds(work: Callable[[], object], repeats: int = 20) -> float:
    """CPU time of one call, the least of some."""
    work()
    spent = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return 1000.0 * min(spent)


def times(size: int, images: int) -> dict[str, float]:
    """CPU milliseconds of the views of a batch of square images of one channel."""
    inputs, indices = torch.randn(images, 1, size, size), torch.arange(images)
    views = ImageViews()
    return {
        "weak": milliseconds(lambda: views.weak(inputs, indices, 1)),
        "strong": milliseconds(lambda: views.strong(inputs, indices, 1)),
    }


def main() -> None:
    """Prints times, or accuracies, as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--algorithm", default="supervised")
    parser.add_argument("--model", default="mlp")
    parser.add_argument("--width", type=int, help="of the model, its default if not given")
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--shifts", type=float, nargs="+", default=SHIFTS)
    parser.add_argument("--mirror", type=int, nargs="+", default=[0, 1])
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.time:
        print(json.dumps(times(28, 448)))
        return
    model = given.model
    if given.width is not None:
        model = {"name": given.model, given.model: {"width": given.width}}
    for shift in given.shifts:
        for mirror in given.mirror:
            for seed in given.seeds:
                view = {"translation": shift, "mirror": bool(mirror)}
                found = accuracies(given.algorithm, model, view, given.steps, seed)
                about = {"algorithm": given.algorithm, "model": model, **view, "seed": seed}
                row = {**about, "accuracy": dict(zip(given.steps, found, strict=True))}
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

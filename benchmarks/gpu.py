"""How fast a GPU trains here: beside hand-written loops, shared by trials, and where time goes.

Each scenario's baseline trains a CNN on images of 28 x 28, in bfloat16 on a GPU, and beside it a
loop written by hand (`benchmarks/hand_written.py`) with the same model, optimizer, batches and
number format; told are images a second and the share of the loop's. Then searches whose trials
have the GPU to themselves or share it with 3 or 15 others, what compiling costs and saves, and
what share of a step is spent where.

Without a GPU nothing of that can be told. `--device cpu` measures the first table there, by CPU
time of one thread, and what compiling costs.
"""

from __future__ import annotations

import argparse
import copy
import functools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from benchmarks.curriculum_speed import view_of
from benchmarks.hand_written import LOOPS, Options
from benchmarks.measure import Measured, bootstrap, run
from search_spaces import Config, narrowed
from trainables.data import DataSpec
from trainables.parts.sections.computing import Computing
from trainables.scenarios.scenario import load_scenario

GOAL = 0.95
SHARING = (1, 4, 16)
BUSY = "curriculum: share of time that the GPU is busy"
PHASES = ("forward", "backward", "optimizer", "data and loss", "between steps")
SETTINGS: dict[str, dict[str, Any]] = {
    "curriculum": {},
    "semi_supervised": {"labels": 200},
    "continual": {"tasks": 2, "hpo_protocol": "oracle_stream"},
    "meta_learning": {"ways": 2, "validation_episodes": 10, "test_episodes": 10},
}
CHANGES: dict[str, dict[str, Any]] = {
    "semi_supervised": {"algorithm.supervised.average": 0.0},
}


class Baseline:
    """One scenario's baseline on images, trained by us or by hand.

    Args:
        scenario: its name.
        device: where to train.
        batch: examples in a step.
        size: training images, about.
        epochs: how long a training is.
        computing: how the network is computed.
    """

    def __init__(
        self,
        scenario: str,
        device: torch.device,
        batch: int,
        size: int,
        epochs: float,
        computing: Computing,
    ) -> None:
        self.kind, self.device, self.epochs = load_scenario(scenario), device, epochs
        images = view_of(size).train
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.npz"
            np.savez(path, x=images.inputs, y=images.labels)
            settings = self.kind.with_settings(SETTINGS[scenario], str(path))
            self.view = self.kind.load(DataSpec(str(path)), settings)
        self.data = self.kind.on_device(self.view, device)
        whole = self.kind.space(self.view).only("algorithm", self.kind.baseline)
        given = {
            "model": "cnn",
            "optimizer": "adamw",
            "training.batch_size": batch,
            **CHANGES.get(scenario, {}),
        }
        self.config: Config = computing.in_config(narrowed(whole, given).default())
        self.options = Options(1e-3, batch, computing.precision == "bfloat16")
        self.computing = computing
        self.costs: dict[str, int] = {}
        self.images = 0
        self.ours()  # what is counted, compiled or imported once is over then

    def learner(self) -> Any:
        """A learner that has been begun, and has its steps counted already if they were."""
        learner: Any = self.kind.learner(self.config, self.data, 0, self.device)
        learner.begin(self.epochs)
        learner.load_state_dict({**learner.state_dict(), "step_flops": dict(self.costs)})
        return learner

    def ours(self) -> float:
        """Images a second of a whole training."""
        learner, steps = self.learner(), 0
        step = learner.step

        def counted() -> Any:
            nonlocal steps
            steps += not learner.step_kind().startswith("end")
            return step()

        with mock.patch.object(learner, "step", counted):
            seconds = self._timed(lambda: learner.advance(self.epochs))
        self.costs = learner.state_dict()["step_flops"]
        self.steps, self.batch = steps, learner.batch_size
        return steps * learner.batch_size / seconds

    def by_hand(self) -> float:
        """Images a second of the loop written by hand, over as many steps."""
        options = Options(self.options.lr, self.batch, self.options.half)
        model, loop = self._model(), LOOPS[self.kind.name]
        seconds = self._timed(lambda: loop(self.data, model, options, self.steps))
        return self.steps * self.batch / seconds

    def _model(self) -> Any:
        learner: Any = self.kind.learner(self.config, self.data, 0, self.device)
        layout = torch.channels_last if self.computing.channels_last else torch.preserve_format
        if self.kind.name != "continual":
            return learner.plain_model().to(memory_format=layout)
        backbone, features = learner.recipe.model.build_backbone(self.data.input_shape)
        sizes = learner.stream.sizes
        heads = nn.ModuleList(nn.Linear(features, each) for each in sizes).to(self.device)
        return nn.ModuleList([backbone.to(self.device, memory_format=layout), heads])

    def _timed(self, work: Any) -> float:
        began = self._now()
        work()
        return self._now() - began

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()


def speeds(baseline: Baseline, name: str, rounds: int) -> list[Measured]:
    """Images a second of both, in turns, and the share."""
    pairs = [(baseline.ours(), baseline.by_hand()) for _ in range(rounds)]
    ours, hand = (float(np.median(each)) for each in zip(*pairs, strict=True))
    shares = [mine / theirs for mine, theirs in pairs]
    share = float(np.median(shares))
    interval = bootstrap(shares) if rounds > 1 else None
    words = f"at least {GOAL}"
    return [
        Measured(f"{name}: images a second", ours, rounds),
        Measured(f"{name}: images a second of a loop by hand", hand, rounds),
        Measured(
            f"{name}: share of the loop by hand", share, rounds, words, share >= GOAL, interval
        ),
    ]


@contextmanager
def phases_of(learner: Any, seconds: dict[str, float], now: Any) -> Iterator[None]:
    """Takes down how long the parts of each step take, the device waited for after each."""

    def told(name: str, work: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = now()
            try:
                return work(*args, **kwargs)
            finally:
                seconds[name] += now() - began

        return timed

    model, optimizer = learner.model, learner.optimizer
    with (
        mock.patch.object(model, "forward", told("forward", model.forward)),
        mock.patch.object(torch.Tensor, "backward", told("backward", torch.Tensor.backward)),
        mock.patch.object(optimizer, "step", told("optimizer", optimizer.step)),
        mock.patch.object(learner, "step", told("step", learner.step)),
    ):
        yield


def where_time_goes(baseline: Baseline) -> list[Measured]:
    """Shares of a training's time; the device is waited for in between, which adds a little."""
    learner, seconds = baseline.learner(), defaultdict[str, float](float)
    learner.advance(baseline.epochs / 4)
    with phases_of(learner, seconds, baseline._now):
        whole = baseline._timed(lambda: learner.advance(baseline.epochs))
    inside = sum(seconds[name] for name in PHASES[:3])
    seconds["data and loss"] = seconds["step"] - inside
    seconds["between steps"] = whole - seconds["step"]
    return [
        Measured(f"{baseline.kind.name}: share of time, {name}", seconds[name] / whole, 1)
        for name in PHASES
    ]


def busy(baseline: Baseline) -> Measured:
    """How much of a training's time kernels run on the GPU; the rest it waits for the host."""
    learner, seconds = baseline.learner(), 0.0
    learner.advance(baseline.epochs / 4)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        seconds = baseline._timed(lambda: learner.advance(baseline.epochs))
    kernels = sum(each.self_device_time_total for each in profile.key_averages()) / 1e6
    return Measured(BUSY, kernels / seconds, 1)


def compiling(eager: Baseline) -> list[Measured]:
    """What compiling takes, what it saves, and after how many steps it has paid."""
    compiled = copy.copy(eager)
    compiled.config = replace(eager.computing, compile="always").in_config(eager.config)
    learner, began = compiled.learner(), time.perf_counter()
    learner.advance(eager.epochs / eager.steps * 2.5)  # two steps
    if eager.device.type == "cuda":
        torch.cuda.synchronize()
    cost = time.perf_counter() - began
    seconds = []
    for each in (eager.learner(), learner):
        before, flops = each.spent, next(iter(eager.costs.values()))
        passed = eager._timed(functools.partial(each.advance, eager.epochs))
        seconds.append(passed / ((each.spent - before) / flops))
    saved = seconds[0] - seconds[1]
    return [
        Measured("compiling: seconds", cost, 1),
        Measured("compiling: milliseconds of a step that is not compiled", 1e3 * seconds[0], 1),
        Measured("compiling: milliseconds saved a step", 1e3 * saved, 1),
        Measured("compiling: pays from so many steps", cost / saved if saved > 0 else None, 1),
    ]


def trials_a_minute(sharing: int, quick: bool) -> Measured:
    """Trials of digits that end each minute where so many share the GPU."""
    from benchmarks.ray_search import digits, timed_search

    cpus = os.cpu_count() or 1
    shares = {"gpus_per_trial": 1 / sharing, "cpus_per_trial": min(1.0, cpus / sharing)}
    spec = digits(4 * sharing if quick else 16 + 8 * sharing, 30.0, 64, **shares)
    ends = [each.at for each in timed_search(spec) if each.ended]
    counted = ends[sharing:]  # by then all actors are up
    speed = 60 * (len(counted) - 1) / (counted[-1] - counted[0])
    return Measured(f"trials a minute, {sharing} sharing the GPU", speed, len(counted))


def names_of_all() -> list[str]:
    """What is measured on a GPU, by name."""
    shares = [f"{scenario}: share of the loop by hand" for scenario in LOOPS]
    shares += [f"trials a minute, {sharing} sharing the GPU" for sharing in SHARING]
    return [*shares, *(f"curriculum: share of time, {name}" for name in PHASES), BUSY]


def measure(given: argparse.Namespace) -> list[Measured]:
    """All that this machine and the options leave."""
    if given.device == "cuda" and not torch.cuda.is_available():
        print("No GPU here: nothing is measured; --device cpu measures the first table there.")
        return [
            Measured(name, None, 0, f"at least {GOAL}" if "loop" in name else None)
            for name in names_of_all()
        ]
    device, on_gpu = torch.device(given.device), given.device == "cuda"
    if not on_gpu:
        torch.set_num_threads(1)
    computing = Computing("bfloat16", channels_last=True) if on_gpu else Computing()
    batch, size = (512, 50_000) if on_gpu else (64, 2_000)
    epochs, rounds = (1.0, 1) if given.quick else (6.0 if on_gpu else 3.0, given.rounds)
    found = []
    baselines = {}
    for name in LOOPS:
        baselines[name] = Baseline(name, device, batch, size, epochs, computing)
        found += speeds(baselines[name], name, rounds)
        print(found[-1], flush=True)
    found += where_time_goes(baselines["curriculum"])
    if not given.quick:
        found += compiling(baselines["curriculum"])
    if on_gpu:
        found.append(busy(baselines["curriculum"]))
        found += [trials_a_minute(sharing, given.quick) for sharing in SHARING]
    return found


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--rounds", type=int, default=5, help="trainings of each, in turns")


if __name__ == "__main__":
    run(__doc__, measure, _options)

"""What one more trial costs beside its training: process, checkpoint, journal, decision.

A trial is a real learner on digits with one rung on the way, where its state is saved. Its cost is
the slope of wall time over trials, one slot; what the same trainings take in one process without
Ray, state and journal is taken off. Beside it stands stock Ray Tune with the same learner: a class
with `reuse_actors`, a function, and for two workers a `TorchTrainer` inside each trial.

Wall time is told as it is; on a machine that others use it is too high, for all alike.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from automl_cl.run.events import Decision
from automl_cl.run.trial import Trial
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.strategy.scheduler import Arm, Scheduler
from benchmarks.measure import Measured, run
from benchmarks.ray_search import digits, timed_search
from cluster import connect
from search_spaces import Config
from trainables.trials.trial_run import TrialRequest, TrialRun

CPU = torch.device("cpu")
EPOCHS, BATCH = 2.0, 256
SKIPPED = 5
"""Trials before the slope is taken: the actor starts, and what is used is imported."""


@final
@dataclass(frozen=True)
class Halfway(Scheduler):
    """Reports once on the way, and lets everybody go on."""

    def levels(self, horizon: float, cap: float, number: int) -> list[float]:
        return [horizon / 2, horizon]

    def decide(self, trial: Trial, value: float, level: float, arm: Arm) -> Decision:
        return Decision.CONTINUE


def marginal(ends: Sequence[float], skipped: int = SKIPPED) -> tuple[float, int]:
    """Seconds a further trial, and over how many: the slope of the times at which trials ended."""
    counted = np.asarray(ends[skipped:])
    slope, _ = np.polyfit(np.arange(len(counted)), counted, 1)
    return float(slope), len(counted)


def ours(trials: int, workers: int) -> list[float]:
    """When each trial of a search ended."""
    settings = {"workers_per_trial": workers, "cpus_per_trial": float(workers)}
    spec = digits(trials, EPOCHS, BATCH, **settings)
    moments = timed_search(spec, slots=1, scheduler=Halfway())
    return [each.at for each in moments if each.ended]


def request_of(config: Config, folder: Path, levels: list[float]) -> TrialRequest:
    """A trial as `TrialRun` takes it."""
    return TrialRequest(0, "curriculum", config, 1, levels, "prefix", str(folder), searching=True)


def training(prepared: Prepared, count: int) -> float:
    """Seconds of one training and its evaluation, in this process and with nothing else."""
    data, config = prepared.scenario.on_device(prepared.view, CPU), prepared.space.default()
    torch.set_num_threads(1)
    ends = []
    for _ in range(count):
        TrialRun(request_of(config, Path(), [EPOCHS]), data, CPU).next_rung()
        ends.append(time.perf_counter())
    return marginal(ends, 1)[0]


def _reported(prepared: Prepared, config: Config, report: Callable[..., None]) -> None:
    """Trains in two halves, reporting each with a checkpoint, as a stock function would."""
    from ray import tune

    data = prepared.scenario.on_device(prepared.view, CPU)
    with tempfile.TemporaryDirectory() as name:
        levels = [EPOCHS / 2, EPOCHS]
        trial = TrialRun(request_of(config, Path(name), levels), data, CPU)
        for _ in levels:
            found = trial.next_rung()
            report(found.metrics, checkpoint=tune.Checkpoint.from_directory(name))


def stock_function(prepared: Prepared, trials: int) -> list[float]:
    """Tune with a function that trains, reports and gives checkpoints."""
    from ray import tune

    def trainable(config: Config, prepared: Prepared) -> None:
        torch.set_num_threads(1)
        _reported(prepared, config["config"], tune.report)

    return _tuned(tune.with_parameters(trainable, prepared=prepared), prepared, trials, False)


def stock_class(prepared: Prepared, trials: int) -> list[float]:
    """Tune with a class whose actor is kept, the fastest that it has to offer."""
    from ray import tune

    class Stock(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: Config, prepared: Prepared) -> None:
            torch.set_num_threads(1)
            self.data = prepared.scenario.on_device(prepared.view, CPU)
            self.reset_config(config)

        def reset_config(self, config: Config) -> bool:
            self.place = tempfile.mkdtemp()
            request = request_of(config["config"], Path(self.place), [EPOCHS / 2, EPOCHS])
            self.trial = TrialRun(request, self.data, CPU)
            return True

        def step(self) -> dict[str, Any]:
            found = self.trial.next_rung()
            return {**found.metrics, "done": found.status == "done"}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            torch.save(self.trial.learner.state_dict(), Path(checkpoint_dir) / "state.pt")

        def load_checkpoint(self, checkpoint: Any) -> None:
            raise NotImplementedError

    return _tuned(tune.with_parameters(Stock, prepared=prepared), prepared, trials, True)


def stock_trainer(prepared: Prepared, trials: int) -> list[float]:
    """Tune with a `TorchTrainer` of two workers inside each trial, as Ray's guide has it."""
    import ray.train
    import ray.train.torch
    from ray import tune

    def work(config: Config) -> None:
        torch.set_num_threads(1)

        def report(metrics: dict[str, float], checkpoint: Any) -> None:
            first = ray.train.get_context().get_world_rank() == 0
            ray.train.report(metrics, checkpoint=checkpoint if first else None)

        _reported(config["prepared"], config["config"], report)

    def trainable(config: Config, prepared: Prepared) -> None:
        with tempfile.TemporaryDirectory() as storage:
            ray.train.torch.TorchTrainer(
                work,
                train_loop_config={"config": config["config"], "prepared": prepared},
                scaling_config=ray.train.ScalingConfig(num_workers=2),
                run_config=ray.train.RunConfig(storage_path=storage, name="trial"),
            ).fit()

    return _tuned(
        tune.with_parameters(trainable, prepared=prepared), prepared, trials, False, cpus=0.01
    )


def _tuned(
    trainable: Any, prepared: Prepared, trials: int, reuse: bool, cpus: float = 1.0
) -> list[float]:
    """Runs trials one after another under stock Tune; returns when each ended."""
    from ray import tune

    ends: list[float] = []

    class Ends(tune.Callback):  # type: ignore[misc]
        def on_trial_complete(self, *args: Any, **kwargs: Any) -> None:
            ends.append(time.monotonic())

    with tempfile.TemporaryDirectory() as storage:
        tune.Tuner(
            tune.with_resources(trainable, {"cpu": cpus}),
            param_space={"config": prepared.space.default()},
            tune_config=tune.TuneConfig(
                num_samples=trials, max_concurrent_trials=1, reuse_actors=reuse
            ),
            run_config=tune.RunConfig(
                storage_path=storage,
                name="stock",
                verbose=0,
                callbacks=[Ends()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1) if reuse else None,
            ),
        ).fit()
    return ends


def measure(given: argparse.Namespace) -> list[Measured]:
    """All that the options leave."""
    prepared = prepare(digits(1, EPOCHS, BATCH))
    load = os.getloadavg()[0]
    alone = training(prepared, 40)
    found = [
        Measured("load of the machine", load, 1),
        Measured("the training itself, in one process, ms", 1e3 * alone, 39),
    ]
    trials = 25 if given.quick else 120
    for workers, goal in ((1, 50), (2, 100)):
        if workers == 2 and given.quick:
            continue
        slope, count = marginal(ours(trials, workers))
        over = 1e3 * (slope - alone)
        words = f"at most {goal} ms"
        found.append(Measured(f"ours, {workers} worker(s), ms", over, count, words, over <= goal))
        print(found[-1], flush=True)
    stock: list[tuple[str, Callable[[Prepared, int], list[float]], int]] = [
        ("class, reuse_actors", stock_class, 20 if given.quick else 60),
        ("function", stock_function, 3 if given.quick else 6),
        ("TorchTrainer, 2 workers", stock_trainer, 2 if given.quick else 3),
    ]
    for name, strategy, trials in stock[: 1 if given.quick else None]:
        # A CPU more than workers, or a trial's own process leaves them too few and all hang.
        with connect(None, cpus=3, dashboard=True):
            slope, count = marginal(strategy(prepared, trials), min(SKIPPED, trials // 3))
        found.append(Measured(f"stock {name}, ms", 1e3 * (slope - alone), count))
        print(found[-1], flush=True)
    return found


if __name__ == "__main__":
    run(__doc__, measure)

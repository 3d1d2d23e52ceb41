from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import automl_cl
from automl_cl.results.tuned import Tuned
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss


@pytest.mark.parametrize("given", [Path, str])
def test_what_is_written_is_read(
    tuned: Tuned, tmp_path: Path, given: Callable[[Path], str | Path]
) -> None:
    path = tmp_path / "tuned.yaml"
    tuned.write(path)
    assert automl_cl.load(given(path)) == tuned
    assert [each.name for each in tmp_path.glob("*tuned*")] == ["tuned.yaml"]
    content = yaml.safe_load(path.read_text())
    assert next(iter(content)) == "automl_cl", "the format comes first"
    assert content["config"]["optimizer"]["lr"] == 0.02


def test_a_search_leaves_what_its_verdict_recommends(finished_run: Path) -> None:
    found = automl_cl.load(finished_run / "tuned.yaml")
    verdict = json.loads((finished_run / "verdict.json").read_text())
    winner = verdict[verdict["recommended"]]
    assert found.config == winner["config"]
    assert found.verdict["algorithm"] == winner["algorithm"]
    assert found.verdict["mean"] == winner["mean"]
    assert found.shape == {"classes": 3, "input_shape": [4]}
    assert (found.data["noise"], found.data["seed"]) == ("0.2", 0)
    assert found.data["fingerprint"] == found.view().fingerprint
    assert {"torch", "ray", "optuna", "automl-cl"} <= set(found.versions)


def test_the_optimizer_has_the_tuned_values(tuned: Tuned) -> None:
    parameters = list(torch.nn.Linear(4, 3).parameters())
    optimizer = tuned.optimizer(iter(parameters))
    assert type(optimizer) is torch.optim.AdamW
    (group,) = optimizer.param_groups
    assert group["params"] == parameters
    assert (group["lr"], group["weight_decay"]) == (0.02, 0.005)
    assert group["betas"] == (0.85, 0.999)


def test_the_schedule_moves_the_learning_rate_over_the_steps(tuned: Tuned) -> None:
    optimizer = tuned.optimizer(torch.nn.Linear(4, 3).parameters())
    schedule = tuned.schedule(optimizer, steps=8)
    assert isinstance(schedule, torch.optim.lr_scheduler.LRScheduler)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(8):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    # Up for a quarter of the run, then half a cosine over the six steps that are left.
    cosine = [0.5 * (1 + np.cos(np.pi * step / 6)) for step in range(7)]
    assert rates == pytest.approx([0.0, 0.01, *(0.02 * factor for factor in cosine)])


def test_the_curriculum_is_new_each_time(tuned: Tuned) -> None:
    first, second = tuned.curriculum(), tuned.curriculum()
    assert first == second == SuperLoss(lam=2.0, threshold="average")
    assert isinstance(first, SuperLoss)
    assert isinstance(second, SuperLoss)
    outputs, labels = torch.randn(16, 3), torch.arange(16) % 3
    criterion = torch.nn.CrossEntropyLoss(reduction="none")
    first.loss_curriculum(criterion, outputs, labels, torch.arange(16), torch.randn(16, 4))
    assert first.state
    assert not second.state


def test_fit_trains_as_its_seed_says(tuned: Tuned) -> None:
    fitted = tuned.fit(seed=1)
    assert fitted.metrics["accuracy"] > 0.75  # a tenth of the labels is wrong; chance is 0.33
    assert fitted.view.fingerprint == tuned.data["fingerprint"]
    assert fitted.learner.spent <= fitted.learner.horizon
    assert 7.0 < fitted.compute < 8.5
    again, other = tuned.fit(seed=1), tuned.fit(seed=2)
    assert again.metrics == fitted.metrics
    assert other.metrics["loss"] != fitted.metrics["loss"]


def test_fit_rebuilds_the_model_for_data_of_another_shape(
    tuned: Tuned, write_npz: Callable[..., Path]
) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 5
    images = rng.normal(size=(200, 6, 6))
    images[np.arange(200), labels, labels] += 8.0
    fitted = tuned.fit(str(write_npz("images.npz", x=images, y=labels)))
    assert fitted.view.input_shape == (1, 6, 6)
    assert fitted.view.num_classes == 5
    scores = fitted.learner.item_scores(
        TensorExamples.of(fitted.view.validation, torch.device("cpu"))
    )
    assert len(scores) == 40
    assert scores.mean() > 0.6
    clean = np.bincount(fitted.view.train.labels)
    assert clean.tolist() == [24] * 5, "other data gets no noise"

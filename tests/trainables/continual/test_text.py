"""Hashed text stays as it is in a stream too, where statistics are those of the first task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from search_spaces import narrowed
from trainables.data import DataSpec
from trainables.scenarios.continual.learner import ContinualLearner
from trainables.scenarios.scenario import load_scenario

WORDS = ["lost my card", "payment failed", "top up", "new pin please"]


def test_text_is_not_standardised_by_the_first_task(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal(5, 3):.3f},{WORDS[i % 4]} {i},c{i % 4}" for i in range(160)]
    (tmp_path / "t.csv").write_text("\n".join(["a,said,label", *lines]))
    scenario = load_scenario("continual")
    options = {"text_column": "said", "text_features": 32, "feature_columns": "a"}
    data, device = DataSpec(str(tmp_path / "t.csv"), options=options), torch.device("cpu")
    settings = scenario.with_settings({"tasks": 2, "hpo_protocol": "first_task"}, "")
    view = scenario.load(data, settings)
    space = narrowed(scenario.space(view), {"model": "mlp"})
    learner = scenario.learner(space.default(), scenario.on_device(view, device), 0, device)
    learner.begin(1.0)
    assert isinstance(learner, ContinualLearner)
    scale, mean = learner.network.scale, learner.network.mean
    assert (scale[:32] == 1).all() and (mean[:32] == 0).all()
    assert 2 < scale[32] < 4 and 4 < mean[32] < 6

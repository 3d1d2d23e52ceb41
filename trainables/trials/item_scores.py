"""Scores of trained weights on examples, item by item: what a verdict is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import Config
from trainables.data import DataView
from trainables.foundation import storage
from trainables.learning.weights import read_weights
from trainables.scenarios.scenario import load_scenario


@dataclass(frozen=True)
class Trained:
    """A config, the seed it was trained with, where the weights are, and the hash of that file."""

    config: Config
    seed: int
    weights: str
    digest: str | None = None


def score_items(
    scenario: str, trained: list[Trained], view: DataView, items: Any, device: str
) -> NDArray[np.float64]:
    """The metric of each item under each model.

    Args:
        scenario: the scenario's name.
        trained: the models.
        view: the data that they were trained on.
        items: what the scenario's `open_test` gave.
        device: where to compute.

    Returns:
        [models, items]; the mean of a row is that model's metric.
    """
    place, kind = torch.device(device), load_scenario(scenario)
    data, on_device = kind.on_device(view, place), kind.items_on_device(items, place)
    rows = []
    for each in trained:
        learner = kind.learner(each.config, data, each.seed, place)
        learner.load_weights(read_weights(storage.place(each.weights), place, each.digest))
        rows.append(learner.item_scores(on_device).cpu().numpy())
    return np.stack(rows)

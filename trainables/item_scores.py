"""Scores of trained weights on examples, item by item: what a verdict is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces import Config
from trainables.data import DataView, Examples
from trainables.scenario import load_scenario
from trainables.tensors import TensorExamples, TensorView
from trainables.trial_run import read_weights


@dataclass(frozen=True)
class Trained:
    """A config, the seed it was trained with, and where the weights are."""

    config: Config
    seed: int
    weights: str


def score_items(
    scenario: str, trained: list[Trained], view: DataView, examples: Examples, device: str
) -> NDArray[np.float64]:
    """The metric of each item under each model.

    Args:
        scenario: the scenario's name.
        trained: the models.
        view: the data that they were trained on.
        examples: the items.
        device: where to compute.

    Returns:
        [models, items]; the mean of a row is that model's metric.
    """
    place = torch.device(device)
    data, items = TensorView.of(view, place), TensorExamples.of(examples, place)
    rows = []
    for each in trained:
        learner = load_scenario(scenario).learner(each.config, data, each.seed, place)
        learner.load_weights(read_weights(Path(each.weights), place))
        rows.append(learner.item_scores(items).cpu().numpy())
    return np.stack(rows)

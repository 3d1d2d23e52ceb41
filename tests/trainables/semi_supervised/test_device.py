"""No step waits for the device, and what grows with the data stays on it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from search_spaces import options
from trainables.learning.tensors import TensorExamples
from trainables.parts.views.vector import VectorViews
from trainables.ranks.ranks import ALONE
from trainables.scenarios.semi_supervised import SemiSupervised
from trainables.scenarios.semi_supervised.average import Average
from trainables.scenarios.semi_supervised.batch import Batch
from trainables.scenarios.semi_supervised.networks import Networks

META = torch.device("meta")


@pytest.mark.parametrize("name", options(SemiSupervised))
def test_a_step_never_waits_for_the_device(name: str) -> None:
    # On the meta device there are no values, so whatever fetched one would fail.
    algorithm = options(SemiSupervised)[name]()
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).to(META)
    inputs = torch.zeros(50, 4, device=META)
    labels, indices = (torch.zeros(count, dtype=torch.int64, device=META) for count in (50, 20))
    average = Average(algorithm.state)
    algorithm.prepare(TensorExamples(inputs, labels), 3)
    average.begin(model)
    networks = Networks(model, average, ALONE)
    batch = Batch(inputs[indices], indices, VectorViews(), key=0)
    loss = algorithm.labelled_loss(batch, labels[indices], networks)
    added = algorithm.weighted_unlabelled_loss(batch, networks, progress=0.5)
    assert (added is None) == (algorithm.unlabelled_per_labelled() == 0)
    (loss if added is None else loss + added).backward()
    average.update(model, 0.9, step=3)
    assert loss.device == META
    assert all(value.device == META for value in algorithm.state.values())

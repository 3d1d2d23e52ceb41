"""Pre-training a backbone: plain supervised training, written as safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from search_spaces import InputError
from trainables.data import DataView
from trainables.models import Model
from trainables.randomness import derive_seed, permutation, seed_cpu
from trainables.scoring import evaluating, logits_of
from trainables.tensors import TensorView
from trainables.trial_run import read_weights, write_weights


@dataclass(frozen=True)
class Backbone:
    """A model without its classifier.

    Attributes:
        model: the model's name; its sizes are the defaults.
        weights: by name in the model.
        data: what it was trained on.
        fingerprint: of that data.
        accuracy: of the whole model on that data's validation examples.
    """

    model: str
    weights: dict[str, Tensor]
    data: str
    fingerprint: str
    accuracy: float


def pretrain(
    view: DataView, model: Model, epochs: int, seed: int, device: torch.device
) -> Backbone:
    """Trains a model with AdamW and a cosine schedule, and gives its backbone."""
    data = TensorView.of(view, device)
    with torch.random.fork_rng():
        seed_cpu(derive_seed(seed, "pre-training"))
        backbone, features = model.build_backbone(view.input_shape)
        network = nn.Sequential(backbone, nn.Linear(features, view.num_classes)).to(device)
        _train(network, data, epochs, seed)
    with evaluating(network):
        logits = logits_of(network, data.validation)
    accuracy = (logits.argmax(1) == data.validation.labels).float().mean().item()
    return Backbone(model.full_name, backbone.state_dict(), view.name, view.fingerprint, accuracy)


def _train(network: nn.Module, data: TensorView, epochs: int, seed: int) -> None:
    batch = min(64, len(data.train))
    steps = epochs * (len(data.train) // batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for epoch in range(epochs):
        order = permutation(len(data.train), derive_seed(seed, "order", epoch))
        for rows in order[: steps // epochs * batch].to(data.train.labels.device).split(batch):
            loss = F.cross_entropy(network(data.train.inputs[rows]), data.train.labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def write_backbone(path: Path, backbone: Backbone) -> None:
    """Writes a backbone as safetensors, with what it was trained on beside it."""
    about = {
        "model": backbone.model,
        "data": backbone.data,
        "fingerprint": backbone.fingerprint,
        "accuracy": repr(backbone.accuracy),
    }
    write_weights(path, backbone.weights, about)


def read_backbone(path: Path) -> Backbone:
    """Reads a backbone.

    Raises:
        InputError: if the file is missing, damaged or something else.
    """
    weights = read_weights(path, torch.device("cpu"))
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
        return Backbone(
            about["model"],
            weights,
            about["data"],
            about["fingerprint"],
            float(about["accuracy"]),
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not what `automl-cl pretrain` writes: {error}.") from error

"""Pre-training a backbone: plain supervised training, written as safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from search_spaces import InputError, from_config, option
from search_spaces.parts import hyperparameters
from trainables.data import DataSpec, hashes_of, load_view
from trainables.foundation.randomness import derive_seed, permutation, seed_cpu
from trainables.learning.model_check import check_model
from trainables.learning.scoring import evaluating, logits_of
from trainables.learning.tensors import TensorView
from trainables.learning.weights import read_weights, write_weights
from trainables.parts.find_model import find_model
from trainables.parts.model import Model

_ABOUT = "pretraining."  # before the names of what is no weight


@dataclass(frozen=True)
class Backbone:
    """A model without its classifier.

    Attributes:
        model: the name of the model's kind.
        sizes: the model's fields.
        weights: by name in the model.
        mean: what was taken off each raw input, broadcastable to [n, ...].
        scale: what it was then divided by, likewise.
        data: what it was trained on.
        examples: the numbers of those examples, see `content_hashes`.
        accuracy: of the whole model on that data's validation examples.
    """

    model: str
    sizes: dict[str, Any]
    weights: dict[str, Tensor]
    mean: Tensor
    scale: Tensor
    data: str
    examples: NDArray[np.uint64]
    accuracy: float

    def require(self, model: Model) -> None:
        """Refuses another model, or the same of other sizes.

        Raises:
            InputError: if it is one.
        """
        if model != self._model:
            raise InputError(
                f"model: got {model}, but the backbone is a {self.name} of sizes {self.sizes}; "
                "leave the model as it is, or pre-train another backbone."
            )

    def built(self, input_shape: Sequence[int]) -> tuple[nn.Module, int]:
        """A network of its sizes without its weights, and how many features it gives."""
        return self._model.build_backbone(input_shape)

    @property
    def name(self) -> str:
        """The model's name on the command line."""
        return self._model.full_name

    @property
    def _model(self) -> Model:
        kind = option(Model, self.model)  # type: ignore[type-abstract]
        return _sized(kind, self.sizes, self.model)


def pretrain(
    data: DataSpec,
    model: str,
    epochs: int,
    seed: int,
    device: torch.device,
    sizes: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> Backbone:
    """Trains a model with AdamW and a cosine schedule, and gives its backbone.

    Args:
        data: what to train on.
        model: the model's name on the command line.
        epochs: passes over the data.
        seed: decides initialisation and order.
        device: where to train.
        sizes: fields of the model; those not given are at their defaults.
        say: told what was guessed about the data, a line at a time, before anything is trained.

    Raises:
        InputError: if data or model are not there or do not suit each other, or the model has no
            such size or cannot be trained.
    """
    named = find_model(model)
    chosen = _sized(type(named), sizes_of(named) | dict(sizes or {}), model)
    view = load_view(data)
    for note in view.notes:
        say(note)
    if not chosen.suits(view.input_shape):
        raise InputError(f"--model: '{model}' does not suit inputs of {list(view.input_shape)}.")
    check_model(chosen, view.input_shape, view.num_classes)
    tensors = TensorView.of(view, device)
    with torch.random.fork_rng():
        seed_cpu(derive_seed(seed, "pre-training"))
        backbone, features = chosen.build_backbone(view.input_shape)
        network = nn.Sequential(backbone, nn.Linear(features, view.num_classes)).to(device)
        _train(network, tensors, epochs, seed)
    with evaluating(network):
        logits = logits_of(network, tensors.validation)
    accuracy = (logits.argmax(1) == tensors.validation.labels).float().mean().item()
    return Backbone(
        model=chosen.part_name(),
        sizes=sizes_of(chosen),
        weights=backbone.state_dict(),
        mean=torch.from_numpy(view.mean),
        scale=torch.from_numpy(view.scale),
        data=view.name,
        examples=hashes_of(replace(data, options=view.options), sealed=False),
        accuracy=accuracy,
    )


def _sized(kind: type[Model], sizes: Mapping[str, Any], name: str) -> Model:
    model: Model = from_config(kind, dict(sizes), f"sizes of {name}")
    return model


def sizes_of(model: Model) -> dict[str, Any]:
    """The fields of a model by name."""
    return {field.name: getattr(model, field.name) for field in hyperparameters(type(model))}


def _train(network: nn.Module, data: TensorView, epochs: int, seed: int) -> None:
    batch = min(64, len(data.train))
    steps = epochs * (len(data.train) // batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
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
        "sizes": json.dumps(backbone.sizes),
        "data": backbone.data,
        "accuracy": repr(backbone.accuracy),
    }
    beside = {
        f"{_ABOUT}mean": backbone.mean,
        f"{_ABOUT}scale": backbone.scale,
        f"{_ABOUT}examples": torch.from_numpy(backbone.examples.view(np.int64)),
    }
    write_weights(path, backbone.weights | beside, about)


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
            model=about["model"],
            sizes=json.loads(about["sizes"]),
            mean=weights.pop(f"{_ABOUT}mean"),
            scale=weights.pop(f"{_ABOUT}scale"),
            data=about["data"],
            examples=weights.pop(f"{_ABOUT}examples").numpy().view(np.uint64),
            accuracy=float(about["accuracy"]),
            weights=weights,
        )
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not what `automl-cl pretrain` writes: {error}.") from error

"""Training loops as one writes them by hand, one for each scenario's plain baseline.

What they have in common with ours is the model, the optimizer, the number format and the data on
the device. They know nothing of compute, schedules, states or divergence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Loop = Callable[[Any, nn.Module, "Options", int], None]


class Options:
    """What a loop is told.

    Args:
        lr: the learning rate.
        batch: examples in a step.
        half: whether passes are in bfloat16.
    """

    def __init__(self, lr: float, batch: int, half: bool) -> None:
        self.lr, self.batch, self.half = lr, batch, half

    def adamw(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of all loops."""
        return torch.optim.AdamW(model.parameters(), lr=self.lr, weight_decay=1e-2, fused=True)

    def logits(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """The forward pass."""
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.half):
            outputs = model(inputs)
        return outputs.float()


def classify(data: Any, model: nn.Module, options: Options, steps: int) -> None:
    """Epochs of shuffled batches and cross-entropy: `curriculum` and its baseline `plain`."""
    _epochs(data.train.inputs, data.train.labels, model, options, steps, lambda inputs: inputs)


def few_labels(data: Any, model: nn.Module, options: Options, steps: int) -> None:
    """The same on the examples with a label, shifted and mirrored: `semi_supervised`."""
    known = torch.nonzero(data.train.labels >= 0).flatten()
    inputs, labels = data.train.inputs[known], data.train.labels[known]
    _epochs(inputs, labels, model, options, steps, _shifted)


def tasks_in_turn(data: Any, model: nn.Module, options: Options, steps: int) -> None:
    """One task after another with a head for each: `continual`."""
    backbone, heads = model
    per_task = steps // len(heads)
    order, validation = torch.arange(data.num_classes).chunk(len(heads)), data.validation
    for task in range(len(heads)):
        classes = order[task].to(data.train.labels.device)
        rows = torch.isin(data.train.labels, classes).nonzero().flatten()
        inputs, labels = data.train.inputs[rows], data.train.labels[rows]
        mean, scale = inputs.mean(), inputs.std()
        known = nn.ModuleList(heads[: task + 1])
        parameters = nn.ModuleList([backbone, *known])
        optimizer = options.adamw(parameters)
        for batch in _batches(len(rows), options.batch, per_task, labels.device):
            features = options.logits(backbone, (inputs[batch] - mean) / scale)
            logits = torch.cat([head(features) for head in known], 1)
            optimizer.zero_grad()
            F.cross_entropy(logits, labels[batch]).backward()
            optimizer.step()
        # How much is forgotten, as everybody tells it who trains on a stream.
        seen = torch.isin(validation.labels, torch.cat(order[: task + 1]).to(labels.device))
        parameters.eval()
        with torch.no_grad():
            for part in validation.inputs[seen].split(validation.chunk):
                features = options.logits(backbone, (part - mean) / scale)
                torch.cat([head(features) for head in known], 1).argmax(1).sum().item()
        parameters.train()


def training_classes(data: Any, model: nn.Module, options: Options, steps: int) -> None:
    """Cross-entropy over all training classes: `meta_learning` and its baseline `simple_shot`."""
    tasks = data.training
    optimizer = options.adamw(model)
    model.train()
    for batch in _batches(tasks.examples, options.batch, steps, tasks.device):
        given = tasks.batch(batch, 0)
        optimizer.zero_grad()
        F.cross_entropy(options.logits(model, given.inputs), given.targets.flatten()).backward()
        optimizer.step()


def _epochs(
    inputs: Tensor,
    labels: Tensor,
    model: nn.Module,
    options: Options,
    steps: int,
    view: Callable[[Tensor], Tensor],
) -> None:
    optimizer = options.adamw(model)
    model.train()
    for batch in _batches(len(labels), options.batch, steps, labels.device):
        optimizer.zero_grad()
        logits = options.logits(model, view(inputs[batch]))
        F.cross_entropy(logits, labels[batch]).backward()
        optimizer.step()


def _batches(count: int, batch: int, steps: int, device: torch.device) -> Any:
    taken = 0
    while taken < steps:
        order = torch.randperm(count, device=device)
        for part in order[: count // batch * batch].split(batch):
            if taken == steps:
                return
            taken += 1
            yield part


def _shifted(images: Tensor, pixels: int = 3) -> Tensor:
    """Each image moved by up to some pixels and mirrored at random, by one gather."""
    count, _, height, width = images.shape
    device = images.device
    down, right = torch.randint(-pixels, pixels + 1, (2, count, 1), device=device)
    flip = torch.rand(count, 1, device=device) < 0.5
    rows = torch.arange(height, device=device) + down
    columns = torch.arange(width, device=device)
    columns = torch.where(flip, width - 1 - columns, columns) + right
    inside = ((rows >= 0) & (rows < height))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width))[:, None, :]
    places = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    flat = images.flatten(2).gather(2, places.view(count, 1, -1).expand(-1, images.shape[1], -1))
    return flat.view_as(images) * inside[:, None]


LOOPS: dict[str, Loop] = {
    "curriculum": classify,
    "semi_supervised": few_labels,
    "continual": tasks_in_turn,
    "meta_learning": training_classes,
}

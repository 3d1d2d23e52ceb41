"""Passes over examples that train nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.learning.tensors import TensorExamples


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and without gradients; its mode is put back after."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def logits_of(forward: Callable[[Tensor], Tensor], examples: TensorExamples) -> Tensor:
    """Logits [n, classes] of all examples, a chunk at a time, divided among the ranks."""
    own = torch.cat([forward(inputs) for inputs in examples.own_inputs()])
    return examples.ranks.gather(own, len(examples))


def losses_of(model: nn.Module, examples: TensorExamples) -> Tensor:
    """Cross-entropy of each example [n] under a model as it stands."""
    with evaluating(model):
        return F.cross_entropy(logits_of(model, examples), examples.labels, reduction="none")


def losses_at(model: nn.Module, examples: TensorExamples, rows: Tensor) -> Tensor:
    """Cross-entropy of the examples at some indices, [m], under a model as it stands."""
    logits = logits_at(model, examples, rows)
    return F.cross_entropy(logits, examples.labels[rows], reduction="none")


def logits_at(model: nn.Module, examples: TensorExamples, rows: Tensor) -> Tensor:
    """Logits [m, classes] of the examples at some indices [m], divided among the ranks."""
    if len(rows) == len(examples):
        with evaluating(model):
            return logits_of(model, examples)[rows]  # the inputs need not be gathered
    chunks = examples.ranks.chunks(rows, examples.chunk)
    with evaluating(model):
        parts = [model(examples.inputs[chunk]) for chunk in chunks]
    return examples.ranks.gather(torch.cat(parts), len(rows))

"""The data of a search on the training device."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.data import DataView, Examples


@dataclass(frozen=True)
class TensorExamples:
    """Inputs [n, ...] and labels int64 [n], on one device."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, examples: Examples, device: torch.device) -> TensorExamples:
        """Arrays as tensors on a device; on the CPU they are mapped, not copied."""
        with warnings.catch_warnings():
            # Arrays out of Ray's object store are read-only. Nothing here writes into them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            inputs, labels = torch.from_numpy(examples.inputs), torch.from_numpy(examples.labels)
        return cls(inputs.to(device), labels.to(device))

    def chunks(self, size: int = 1024) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and labels in order, `size` at a time."""
        return zip(self.inputs.split(size), self.labels.split(size), strict=True)


@dataclass(frozen=True)
class TensorView:
    """What a learner may see: training and validation examples, never the test."""

    train: TensorExamples
    validation: TensorExamples
    num_classes: int

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.train.inputs.shape[1:])

    @classmethod
    def of(cls, view: DataView, device: torch.device) -> TensorView:
        """A loaded view on a device."""
        return cls(
            TensorExamples.of(view.train, device),
            TensorExamples.of(view.validation, device),
            view.num_classes,
        )

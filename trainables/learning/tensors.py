"""The data of a search on the training device."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from trainables.data import DataView, Examples
from trainables.ranks.ranks import ALONE, Ranks


@dataclass(frozen=True)
class TensorExamples:
    """Inputs [n, ...] and labels int64 [n], on one device.

    Every one of `ranks` holds them all; passes over them are divided among the ranks. `columns`
    are what else is known of each example, [n] by name, as in `Examples`.
    """

    inputs: Tensor
    labels: Tensor
    ranks: Ranks = ALONE
    columns: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, examples: Examples, device: torch.device, ranks: Ranks = ALONE) -> TensorExamples:
        """Arrays as tensors on a device; on the CPU they are mapped, not copied."""
        with warnings.catch_warnings():
            # Arrays out of Ray's object store are read-only. Nothing here writes into them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            inputs, labels = torch.from_numpy(examples.inputs), torch.from_numpy(examples.labels)
            columns = {name: torch.from_numpy(each) for name, each in examples.columns.items()}
        on_device = {name: column.to(device) for name, column in columns.items()}
        return cls(inputs.to(device), labels.to(device), ranks, on_device)

    def take(self, rows: Tensor, labels: Tensor) -> TensorExamples:
        """Some of the examples, in memory of their own, under other labels.

        Args:
            rows: which, int64 [m].
            labels: theirs, [m].
        """
        columns = {name: column[rows] for name, column in self.columns.items()}
        return replace(self, inputs=self.inputs[rows], labels=labels, columns=columns)

    @property
    def chunk(self) -> int:
        """Number of inputs that a pass takes at a time.

        On the CPU the activations of 256 images stay in its caches: 1.5 times as fast as 1,024.
        """
        return 256 if self.inputs.device.type == "cpu" else 2048

    def own_inputs(self) -> list[Tensor]:
        """This rank's part of the inputs in order, a chunk at a time."""
        return self.ranks.chunks(self.inputs, self.chunk)


@dataclass(frozen=True)
class TensorView:
    """The data that a learner may see: training and validation examples, never the test."""

    train: TensorExamples
    validation: TensorExamples
    num_classes: int

    @property
    def ranks(self) -> Ranks:
        """The ranks that train together on it."""
        return self.train.ranks

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(self.train.inputs.shape[1:])

    @classmethod
    def of(cls, view: DataView, device: torch.device, ranks: Ranks = ALONE) -> TensorView:
        """A loaded view on a device."""
        return cls(
            TensorExamples.of(view.train, device, ranks),
            TensorExamples.of(view.validation, device, ranks),
            view.num_classes,
        )

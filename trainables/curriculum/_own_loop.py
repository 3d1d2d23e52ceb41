"""A curriculum in somebody's own training loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from search_spaces import InputError
from trainables.curriculum._curriculum import Criterion, Curriculum, cross_entropy
from trainables.randomness import derive_seed, shuffled_passes
from trainables.tensors import TensorExamples


class Batch(NamedTuple):
    """Examples of the training set: inputs [batch, ...], labels [batch], and which they are."""

    inputs: Tensor
    labels: Tensor
    indices: Tensor


class Teaching:
    """The batches that a curriculum chooses from a data set, and the losses that it makes of them.

    Iterating gives the batches of all epochs. They come through the data set itself, so that its
    transforms are drawn anew each time; what a curriculum scores are the examples as they are
    drawn once at the beginning, held in memory. An epoch is as many whole batches as fit into the
    data set, however few examples are let in.

    Args:
        curriculum: such as `tuned.curriculum()`; a copy is used.
        dataset: has a length, and gives an input (a tensor) and a label (a whole number from 0)
            for each index.
        model: gives logits [batch, classes]. Make its optimizer afterwards: a curriculum may add
            to it.
        epochs: how many passes over the data set to train.
        batch_size: examples in a batch.
        seed: decides the order, and all that the curriculum draws.
        workers: processes that load batches; 0 loads them here.
        criterion: the loss of each example [batch] from logits and labels.
        columns: what else is known of each example, [n] by name, such as `clean`, True for those
            whose labels can be relied on.

    Attributes:
        model: what to train in this epoch: the given model, or one around it.
        steps: batches in all epochs.

    Raises:
        InputError: if the data set or a number is not as told above, or the curriculum cannot
            teach the model.
    """

    def __init__(
        self,
        curriculum: Curriculum,
        dataset: Dataset[Any],
        model: nn.Module,
        epochs: int,
        batch_size: int = 32,
        seed: int = 0,
        workers: int = 0,
        criterion: Criterion = cross_entropy,
        columns: Mapping[str, Tensor] | None = None,
    ) -> None:
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if type(value) is not int or value < 1:
                raise InputError(
                    f"Teaching: {name}: got {value!r}, expected a whole number from 1."
                )
        self.curriculum = copy.deepcopy(curriculum)
        self.model = self._whole_model = model
        self._device = next(model.parameters()).device
        self._items, self._workers, self._criterion = _Indexed(dataset), workers, criterion
        self._seed, self._epochs = seed, epochs
        self._examples = self._drawn_once(batch_size, columns or {})
        self._batch_size = min(batch_size, len(self._examples))
        self._steps_per_epoch = len(self._examples) // self._batch_size
        self.steps = epochs * self._steps_per_epoch
        self._taken, self._order = 0, torch.empty(0, dtype=torch.int64)
        own = derive_seed(seed, "algorithm")
        self.curriculum.data_prepare(self._examples, own)
        self.curriculum.model_prepare(model, self._examples, own)

    def __iter__(self) -> Iterator[Batch]:
        while self._taken < self.steps:
            epoch, step = divmod(self._taken, self._steps_per_epoch)
            if step == 0:
                self._open(epoch)
            order = self._order[step * self._batch_size :].split(self._batch_size)
            for batch in self._loader([places.tolist() for places in order]):
                self._taken += 1
                yield Batch(*(each.to(self._device) for each in batch))

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of the model's outputs for a batch, a scalar; to be called once for each."""
        return self.curriculum.loss_curriculum(
            self._criterion, outputs, batch.labels, batch.indices, batch.inputs
        )

    def state_dict(self) -> dict[str, Any]:
        """All that another `Teaching` made alike needs to go on after the batch last given."""
        return {
            "taken": self._taken,
            "order": self._order,
            "curriculum": self.curriculum.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave; the model's weights are loaded by themselves."""
        self._taken, self._order = state["taken"], state["order"]
        self.curriculum.load_state_dict(copy.deepcopy(state["curriculum"]))
        if self._taken:
            self._choose_model((self._taken - 1) // self._steps_per_epoch)

    def _open(self, epoch: int) -> None:
        own = derive_seed(self._seed, "data_curriculum", epoch)
        chosen = self.curriculum.data_curriculum(
            self._examples, self._whole_model, epoch / self._epochs, own
        )
        count = len(self._examples) if chosen is None else len(chosen)
        needed = self._steps_per_epoch * self._batch_size
        places = shuffled_passes(count, needed, self._seed, "order", epoch)
        self._order = places if chosen is None else chosen.cpu()[places]
        self._choose_model(epoch)

    def _choose_model(self, epoch: int) -> None:
        progress = epoch / self._epochs
        self.model = self.curriculum.model_curriculum(self._whole_model, progress)

    def _loader(self, batches: list[list[int]]) -> DataLoader[Any]:
        return DataLoader(
            self._items,
            batch_sampler=batches,
            num_workers=self._workers,
            generator=torch.Generator().manual_seed(self._seed),  # else it draws from torch's own
        )

    def _drawn_once(self, size: int, columns: Mapping[str, Tensor]) -> TensorExamples:
        for name, column in columns.items():
            if column.shape != (len(self._items),):
                raise InputError(
                    f"Teaching: columns: '{name}' has shape {list(column.shape)}, expected "
                    f"[{len(self._items)}], one for each example."
                )
        places = torch.arange(len(self._items)).split(size)
        batches = [(x, y) for x, y, _ in self._loader([each.tolist() for each in places])]
        inputs, labels = (torch.cat(part).to(self._device) for part in zip(*batches, strict=True))
        known = {name: column.to(self._device) for name, column in columns.items()}
        return TensorExamples(inputs, labels, columns=known)


class _Indexed(Dataset[Any]):
    """A data set that says of each example which it is."""

    def __init__(self, dataset: Any) -> None:
        if not hasattr(dataset, "__len__") or len(dataset) == 0:
            raise InputError("Teaching: the data set must have a length, and examples.")
        self._dataset = dataset
        self[0]

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        item = self._dataset[index]
        try:
            inputs, label = item
            whole = int(label)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"Teaching: the data set's item {index} must be an input and a label, got "
                f"{type(item).__name__} ({error})."
            ) from error
        if not isinstance(inputs, Tensor) or whole != label or whole < 0:
            raise InputError(
                f"Teaching: the data set's item {index} must be a tensor and a whole number from "
                f"0, got {type(inputs).__name__} and {label!r}."
            )
        return inputs, whole, index

"""A curriculum in somebody's own training loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from search_spaces import InputError
from trainables.foundation.randomness import derive_seed
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.curriculum import Criterion, Curriculum, cross_entropy
from trainables.scenarios.curriculum.parts import Pace, Parts

_WHO = "Teaching:"


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
    data set, however few examples are let in; how many those are follows each batch.

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
            whose labels can be relied on: tensors, arrays or lists.

    Attributes:
        model: what to train on the batch last given: the given model, or one around it.
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
        columns: Mapping[str, Any] | None = None,
    ) -> None:
        _require_numbers(
            epochs=(epochs, 1), batch_size=(batch_size, 1), seed=(seed, 0), workers=(workers, 0)
        )
        if not isinstance(curriculum, Curriculum):
            raise InputError(f"{_WHO} curriculum: got {curriculum!r}, expected a Curriculum.")
        self.curriculum = copy.deepcopy(curriculum)
        self.model = self._whole_model = model
        self._device = _device_of(model)
        self._items, self._workers, self._criterion = _Indexed(dataset), workers, criterion
        self._seed, self._epochs = seed, epochs
        self._examples = self._drawn_once(batch_size, columns or {})
        _require_fit(model, criterion, self._examples)
        self._batch_size = min(batch_size, len(self._examples))
        self._parts = Parts(self.curriculum, self._examples, self._batch_size, seed)
        self.steps = epochs * self._parts.steps_in_pass
        self._taken = self._began = self._part = 0
        self._order = torch.empty(0, dtype=torch.int64)
        own = derive_seed(seed, "algorithm")
        self.curriculum.data_prepare(self._examples, own)
        self.curriculum.model_prepare(model, self._examples, own)

    def __iter__(self) -> Iterator[Batch]:
        while self._taken < self.steps:
            done = (self._taken - self._began) * self._batch_size
            if done == len(self._order):
                self._open()
                done = 0
            order = self._order[done:].split(self._batch_size)
            for batch in self._loaded([places.tolist() for places in order]):
                given = Batch(*(each.to(self._device) for each in batch))
                key = derive_seed(self._seed, "step", self._taken)
                progress = self._taken / self.steps
                self.curriculum.tell(progress=progress, indices=given.indices, key=key)
                self._taken += 1
                yield given

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of the model's outputs for a batch, a scalar; to be called once for each."""
        return self.curriculum.loss_curriculum(
            self._criterion, outputs, batch.labels, batch.indices, batch.inputs
        )

    def state_dict(self) -> dict[str, Any]:
        """All that another `Teaching` made alike needs to go on after the batch last given."""
        return {
            "taken": self._taken,
            "began": self._began,
            "part": self._part,
            "order": self._order,
            "curriculum": self.curriculum.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave; the model's weights are loaded by themselves."""
        self._taken, self._began = state["taken"], state["began"]
        self._part, self._order = state["part"], state["order"]
        self.curriculum.load_state_dict(copy.deepcopy(state["curriculum"]))
        if self._part:
            self._parts.tell_fewest()
            self._choose_model()

    def _open(self) -> None:
        """Has the curriculum choose what the steps until its next choice are on."""
        pace, own = self._pace(), derive_seed(self._seed, "data_curriculum", self._part)
        self._parts.tell_rows(self._taken, pace.progress, self._epochs, own)
        chosen = self.curriculum.data_curriculum(
            self._examples, self._whole_model, pace.progress, own
        )
        self._order = self._parts.plan(chosen, pace.progress, self._taken, pace, self._part).cpu()
        self._began, self._part = self._taken, self._part + 1
        self._choose_model()

    def _pace(self) -> Pace:
        return Pace(self._taken / self.steps, 1 / self.steps)

    def _choose_model(self) -> None:
        progress = self._began / self.steps
        self.model = self.curriculum.model_curriculum(self._whole_model, progress)

    def _loaded(self, batches: list[list[int]]) -> Iterator[list[Tensor]]:
        loader = DataLoader(
            self._items,
            batch_sampler=batches,
            num_workers=self._workers,
            generator=torch.Generator().manual_seed(self._seed),  # else it draws from torch's own
        )
        try:
            yield from loader
        except InputError as error:
            # Out of another process it comes with that process's traceback before it.
            said = str(error)
            raise InputError(said[said.rfind(_WHO) :].strip()) from None

    def _drawn_once(self, size: int, columns: Mapping[str, Any]) -> TensorExamples:
        known = _as_columns(columns, len(self._items))
        places = torch.arange(len(self._items)).split(size)
        batches = [(x, y) for x, y, _ in self._loaded([each.tolist() for each in places])]
        inputs, labels = (torch.cat(part).to(self._device) for part in zip(*batches, strict=True))
        on_device = {name: column.to(self._device) for name, column in known.items()}
        return TensorExamples(inputs, labels, columns=on_device)


class _Indexed(Dataset[Any]):
    """A data set that says of each example which it is."""

    def __init__(self, dataset: Any) -> None:
        if isinstance(dataset, type) or not hasattr(dataset, "__len__") or len(dataset) == 0:
            raise InputError(f"{_WHO} the data set must have a length, and examples.")
        self._dataset = dataset
        self._first: Tensor | None = None
        self._first = self[0][0]

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        try:
            item = self._dataset[index]
        except LookupError as error:
            raise InputError(
                f"{_WHO} the data set has {len(self)} items by its length, but gives no item "
                f"{index} ({type(error).__name__}: {_in_a_line(error)})."
            ) from error
        try:
            inputs, label = item
            whole = int(label)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise InputError(
                f"{_WHO} the data set's item {index} must be an input and a label, got "
                f"{type(item).__name__} ({_in_a_line(error)})."
            ) from error
        if not isinstance(inputs, Tensor) or whole != label or whole < 0:
            raise InputError(
                f"{_WHO} the data set's item {index} must be a tensor and a whole number from "
                f"0, got {type(inputs).__name__} and {label!r}."
            )
        first = self._first
        if first is not None and (inputs.shape, inputs.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"{_WHO} the data set's item {index} has an input of shape {list(inputs.shape)} "
                f"and {inputs.dtype}, item 0 one of {list(first.shape)} and {first.dtype}; all "
                "must be alike."
            )
        return inputs, whole, index


def _require_numbers(**given: tuple[object, int]) -> None:
    """Refuses what is no whole number, or below the least, by name."""
    for name, (value, least) in given.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InputError(
                f"{_WHO} {name}: got {value!r}, expected a whole number from {least}."
            )


def _device_of(model: nn.Module) -> torch.device:
    if not isinstance(model, nn.Module):
        raise InputError(f"{_WHO} model: got {type(model).__name__}, expected an nn.Module.")
    first = next((each for each in model.parameters() if each.requires_grad), None)
    if first is None:
        raise InputError(f"{_WHO} model: {type(model).__name__} has no parameters to train.")
    return first.device


def _as_columns(columns: Mapping[str, Any], count: int) -> dict[str, Tensor]:
    """The given columns of the examples, as tensors [count]."""
    if not isinstance(columns, Mapping):
        raise InputError(f"{_WHO} columns: got {type(columns).__name__}, expected a mapping.")
    found: dict[str, Tensor] = {}
    for name, given in columns.items():
        try:
            # A copy: arrays may be read-only, or run backwards.
            column = given if isinstance(given, Tensor) else torch.tensor(np.array(given))
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{_WHO} columns: '{name}' must be numbers, one for each example, got "
                f"{type(given).__name__} ({_in_a_line(error)})."
            ) from error
        if column.shape != (count,):
            raise InputError(
                f"{_WHO} columns: '{name}' has shape {list(column.shape)}, expected [{count}], "
                "one for each example."
            )
        found[name] = _as_marks(column) if name == "clean" else column
    return found


def _as_marks(clean: Tensor) -> Tensor:
    """Marks of clean labels as truth values; they may come as 0 and 1."""
    if not ((clean == 0) | (clean == 1)).all():
        raise InputError(f"{_WHO} columns: 'clean' must be True or False for each example.")
    return clean.bool()


def _require_fit(model: nn.Module, criterion: Criterion, examples: TensorExamples) -> None:
    """Tries the model: it takes the inputs, has a logit for each label, and each has a loss."""
    inputs = examples.inputs[:2]
    training = {module: module.training for module in model.modules()}
    devices = [inputs.device] if inputs.is_cuda else []
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            logits = model.eval()(inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{_WHO} the model cannot take the data set's items 0 and 1, {inputs.dtype} "
            f"{list(inputs.shape)}: {_in_a_line(error)}"
        ) from error
    finally:
        for module, was in training.items():
            module.training = was
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(inputs):
        got = (
            f"shape {list(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        )
        raise InputError(f"{_WHO} the model must give logits [batch, classes], got {got}.")
    largest = int(examples.labels.argmax())
    label, classes = int(examples.labels[largest]), logits.shape[1]
    if label >= classes:
        raise InputError(
            f"{_WHO} the data set's item {largest} has label {label}, but the model gives "
            f"{classes} logits: labels count from 0 to {classes - 1}."
        )
    losses = criterion(logits, examples.labels[:2])
    if not isinstance(losses, Tensor) or losses.shape != (len(inputs),):
        got = f"shape {list(losses.shape)}" if isinstance(losses, Tensor) else repr(losses)
        raise InputError(
            f"{_WHO} criterion: gave {got} for {len(inputs)} examples, expected a loss for each "
            '(of torch\'s own with reduction="none").'
        )


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

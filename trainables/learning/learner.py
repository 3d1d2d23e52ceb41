"""The learner: a config and data made trainable. The base owns the loop and the compute."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol, Self, final

import torch
from torch import Tensor

from search_spaces import InputError
from trainables.foundation.randomness import RandomState, derive_seed
from trainables.foundation.watchdog import note_progress
from trainables.learning.flops import FlopCounter, OutOfCompute
from trainables.learning.memory import bytes_held
from trainables.ranks.ranks import Ranks
from trainables.ranks.sharding import gathered

State = dict[str, Any]
SHARED = "several workers share it already"


class HorizonTooShort(InputError):
    """A horizon cannot pay for what a config needs before its first step."""


class DeviceData(Protocol):
    """A search's data on the training device."""

    @property
    def ranks(self) -> Ranks:
        """The ranks that train together on it; every one holds it all."""
        ...


class Learner(ABC):
    """Trains on compute, evaluates, and saves and restores the whole of its state.

    A run is `begin(horizon)` and then `advance(compute)` as often as one likes, up to the horizon:
    the steps taken do not depend on where it stopped in between. Compute is measured in FLOPs of
    the operations that really ran and told in units of `unit`, the FLOPs of one forward and
    backward pass of the plain baseline over every training example.

    Work between steps (an epoch's opening: scoring passes, validation for the best epoch) is done
    when it is reached and owed until it fits; nothing is trained before it is paid for.

    Memory is the most that tensors have held at once: the learner's state, and what its work adds,
    measured with its FLOPs. The data is not in it, which a process holds once for all its trials.

    Args:
        data: training and validation examples on `device`, and the ranks that train together;
            compute is that of all ranks.
        seed: decides initialisation, order and augmentation.
        device: where everything is.
    """

    def __init__(self, data: DeviceData, seed: int, device: torch.device) -> None:
        self.ranks = data.ranks
        self._shared = data
        self.seed = seed
        self.device = device
        self.unit = 0
        self.horizon = 0
        self.spent = 0
        self.evaluated = 0
        self.memory = 0
        self.micro_batches = 1
        self.epoch = 0
        self.step_in_epoch = 0
        self._owed = 0
        self._opened = False
        self._diverged = torch.zeros((), dtype=torch.bool, device=device)
        self._step_flops: dict[str, int] = {}
        self._random = RandomState(derive_seed(seed, "random"), device)

    # What a scenario's learner says.

    @abstractmethod
    def measure_unit(self) -> int:
        """FLOPs of one forward and backward pass of the plain baseline over the training data."""

    @abstractmethod
    def prepare(self) -> None:
        """Do the work before the first epoch. The horizon is known by then."""

    @abstractmethod
    def open_epoch(self) -> None:
        """Do the work before the steps of epoch number `self.epoch`."""

    @abstractmethod
    def epoch_paid(self) -> None:
        """Takes over what `open_epoch` found, now that its compute is paid for."""

    @property
    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Steps from one opening to the next."""

    @abstractmethod
    def step_kind(self) -> str:
        """A name for the kind of the next step: steps of one kind cost the same FLOPs."""

    @abstractmethod
    def step(self) -> Tensor:
        """Takes one step; returns its loss, a scalar on the device."""

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Metrics on the validation examples."""

    @abstractmethod
    def item_scores(self, items: Any) -> Tensor:
        """The metric of each test item [n]; their mean is the metric."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """The weights that count: what an export writes."""

    @abstractmethod
    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Takes over weights that `weights` gave, to score items with."""

    @abstractmethod
    def parts_state(self) -> State:
        """State of model, optimizer and algorithm."""

    @abstractmethod
    def load_parts_state(self, state: State) -> None:
        """Takes over what `parts_state` gave."""

    def settle(self) -> None:  # noqa: B027
        """Settles what hangs on the horizon alone, before anything is done."""

    @property
    def finished(self) -> bool:
        """True if training is complete although compute remains. Most learners never are."""
        return False

    # The loop.

    @property
    def progress(self) -> float:
        """Spent compute over the horizon, in [0, 1]."""
        return self.spent / self.horizon if self.horizon else 0.0

    @property
    def diverged(self) -> bool:
        """True if a loss was NaN, infinite or beyond all bounds. All ranks must agree on it."""
        return self.ranks.any(bool(self._diverged.item()))

    @property
    def compute(self) -> float:
        """All compute so far in units, with what is owed and evaluations that others asked for."""
        return (self.spent + self._owed + self.evaluated) / self.unit

    @property
    def model_size(self) -> int:
        """Numbers in the weights that count."""
        return sum(tensor.numel() for tensor in self.weights().values())

    @contextmanager
    def _measured(self, counter: FlopCounter) -> Iterator[FlopCounter]:
        """Counts some work, and takes its peak of memory down, if it was too much as well."""
        held = bytes_held(self.parts_state())
        try:
            with counter:
                yield counter
        finally:
            self.memory = max(self.memory, held + counter.peak)

    @final
    def begin(self, horizon: float) -> None:
        """Starts a run that may spend `horizon` units of compute."""
        with self._random.active():
            self.unit = self.measure_unit()
            self.horizon = int(horizon * self.unit)
            self.settle()
            self._owed = self._run_up(self.prepare)

    def why_whole(self, algorithm: str | None) -> str | None:
        """Return the reason that a batch is computed in one piece and not compiled, or None.

        Args:
            algorithm: the algorithm's own reason.
        """
        return SHARED if self.ranks.size > 1 else algorithm

    def unit_batch(self, examples: int, batch_size: int) -> int:
        """On how many examples a unit is measured: no more than are computed at once."""
        part = batch_size // self.micro_batches if self.micro_batches > 1 else examples
        return min(64, examples, max(2, part))

    def _run_up(self, work: Callable[[], None]) -> int:
        """Does what comes before steps; returns its FLOPs.

        What does not fit the horizon is broken off: nothing would be trained after it. (Only of
        one rank: several must end together.)
        """
        at_most = self.horizon - self.spent if self.ranks.size == 1 else None
        with self._measured(FlopCounter(at_most)) as counter, suppress(OutOfCompute):
            work()
        return self.ranks.total(counter.total)

    @final
    def advance(self, compute: float) -> None:
        """Trains until `compute` units are spent in all; a step that does not fit is not taken."""
        target = min(int(compute * self.unit), self.horizon)
        with self._random.active():
            while self._advance_once(target):
                pass

    def _advance_once(self, target: int) -> bool:
        if self.finished or self.spent + self._owed > target:
            return False
        if not self._opened:
            if self.diverged:
                return False
            self._owed += self._run_up(self.open_epoch)
            self._opened = True
        if self.spent + self._owed > target:
            return False
        if self._owed or self.step_in_epoch == 0:
            self.spent, self._owed = self.spent + self._owed, 0
            if self.step_in_epoch == 0:
                self.epoch_paid()
        flops = self._flops_of_next_step()
        if self.spent + flops > target:
            return False
        # Layers may have drawn more on one rank than on another; what a step draws is the same.
        self._random.restart(derive_seed(self.seed, "step", self.epoch, self.step_in_epoch))
        loss = self.step().detach()
        note_progress()
        self._diverged |= ~(loss.abs() < 1e6)
        self.spent += flops
        self.step_in_epoch += 1
        if self.step_in_epoch == self.steps_per_epoch:
            self.epoch, self.step_in_epoch, self._opened = self.epoch + 1, 0, False
        return True

    @final
    def end_epoch(self) -> None:
        """Makes the step that is being taken the last of its epoch."""
        self.step_in_epoch = self.steps_per_epoch - 1

    def _flops_of_next_step(self) -> int:
        return self.flops_of(self.step_kind(), lambda learner: learner.step())

    @final
    def flops_of(self, kind: str, work: Callable[[Any], object]) -> int:
        """FLOPs of a kind of work, counted the first time it is asked about.

        Args:
            kind: a name; work of one kind costs the same.
            work: does it, to the learner that it is called with.
        """
        if kind not in self._step_flops:
            # Counted on a copy: counting slows a step down, and nothing may be done twice.
            devices = [self.device] if self.device.type == "cuda" else []
            generators = torch.random.fork_rng(devices)
            with self._twin() as twin, generators, self._measured(FlopCounter()) as counter:
                work(twin)
            self._step_flops[kind] = self.ranks.total(counter.total)
            if not self._step_flops[kind]:
                # Such a run would never spend its horizon.
                raise RuntimeError(f"a step costs no counted compute (kind of step: '{kind}')")
        return self._step_flops[kind]

    @contextmanager
    def _twin(self) -> Iterator[Self]:
        """One like this learner; what is done to it leaves this one as it is."""
        yield self._copy_but()

    def _copy_but(self, *kept: object) -> Self:
        """A copy that shares what is kept, and the data, also by its parts."""
        shared = (self._shared, *vars(self._shared).values(), *kept)
        return copy.deepcopy(self, {id(each): each for each in shared})

    @final
    def evaluate(self) -> dict[str, float]:
        """Metrics on the validation examples; their compute is counted, not taken off the run."""
        with self._random.active(), self._measured(FlopCounter()) as counter:
            metrics = self.measure()
        self.evaluated += self.ranks.total(counter.total)
        return metrics

    @final
    def state_dict(self) -> State:
        """Everything that a learner built alike needs to go on as this one would; a copy.

        The parts of a model that is divided are put together on rank 0, and are on no other: all
        ranks have to ask for it, and rank 0 has what counts. It may be loaded divided or whole.
        """
        parts = self.parts_state()
        return {
            "unit": self.unit,
            "horizon": self.horizon,
            "spent": self.spent,
            "evaluated": self.evaluated,
            "memory": self.memory,
            "micro_batches": self.micro_batches,
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "owed": self._owed,
            "opened": self._opened,
            "diverged": bool(self._diverged.item()),
            "step_flops": dict(self._step_flops),
            "random": self._random.state_dict(),
            "parts": gathered(parts, self.ranks) if self.ranks.sharded else copy.deepcopy(parts),
        }

    @final
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over a saved state; the learner must have been built from the same config."""
        self.begin(state["horizon"] / state["unit"])
        self.unit, self.horizon = state["unit"], state["horizon"]
        self.spent, self.evaluated = state["spent"], state["evaluated"]
        self.memory = state["memory"]
        self.epoch, self.step_in_epoch = state["epoch"], state["step_in_epoch"]
        self._owed, self._opened = state["owed"], state["opened"]
        self._diverged.fill_(state["diverged"])
        # Parts of a batch cost more than the whole, and are counted anew.
        same = state.get("micro_batches", 1) == self.micro_batches
        self._step_flops = dict(state["step_flops"]) if same else {}
        self._random.load_state_dict(state["random"])
        self.load_parts_state(self._own_parts(state["parts"]))

    def _own_parts(self, parts: State) -> State:
        """A copy of saved parts, of which optimizers keep what they get."""
        return copy.deepcopy(parts)

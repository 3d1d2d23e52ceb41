"""The common base of learners that train one network with one optimizer."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.foundation.randomness import derive_seed, seed_cpu, shuffled_passes
from trainables.learning.algorithm import Algorithm
from trainables.learning.learner import DeviceData, Learner, State
from trainables.learning.passes import compile_passes, computed
from trainables.learning.scoring import evaluating
from trainables.parts.model import Model
from trainables.parts.optimizer import Optimizer
from trainables.parts.schedule import Schedule
from trainables.parts.sections.computing import Computing
from trainables.parts.sections.training import Training
from trainables.ranks.sharding import parted, shard, taking_parts, undone, with_weights


class Sections(Protocol):
    """The sections of a config that such a learner needs."""

    @property
    def optimizer(self) -> Optimizer:
        """The rule that changes weights."""
        ...

    @property
    def schedule(self) -> Schedule:
        """The learning-rate schedule."""
        ...

    @property
    def training(self) -> Training:
        """Length, batch size, and which weights count."""
        ...

    @property
    def model(self) -> Model:
        """The network's architecture."""
        ...

    @property
    def computing(self) -> Computing:
        """Number format, memory layout, compilation and micro-batches."""
        ...


class DescentLearner(Learner):
    """Hold network, optimizer, order and best epoch; subclasses define a step.

    Args:
        sections: the config.
        data: as in `Learner`.
        examples: how many there are to train on.
        seed: as in `Learner`.
        device: as in `Learner`.
    """

    algorithm: Algorithm

    def __init__(
        self, sections: Sections, data: DeviceData, examples: int, seed: int, device: torch.device
    ) -> None:
        super().__init__(data, seed, device)
        self.sections, self.examples = sections, examples
        self.micro_batches = sections.computing.micro_batches
        self.batch_size = min(sections.training.batch_size, examples)
        self.order = torch.empty(0, dtype=torch.int64, device=device)
        self.best: dict[str, Tensor] = {}
        self.best_merit = self._candidate = -math.inf
        with self._initialising():
            network = computed(self.build(), sections.computing)
            self.model = self._placed(self.prepared(network))
        whole = self.why_whole(self.algorithm.declared("indivisible"))
        sections.computing.require_divisible(whole, self.algorithm.part_name())
        self.optimizer = sections.optimizer.build(self.model.parameters())

    @contextmanager
    def _initialising(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=[]):
            seed_cpu(derive_seed(self.seed, "initialisation"))
            yield

    @property
    def training_progress(self) -> float:
        """Progress as the learning rate follows it."""
        return self.progress

    def settle(self) -> None:
        steps = self.horizon / self.unit * (self.examples // self.batch_size)
        whole = self.why_whole(self.algorithm.declared("indivisible"))
        if whole is None and self.sections.computing.pays_to_compile(steps):
            compile_passes(self.model)

    def plain_model(self) -> nn.Module:
        """A new network that no algorithm has touched, computed as a unit of compute is."""
        with self._initialising():
            return self._placed(self.build())

    def _placed(self, model: nn.Module) -> nn.Module:
        """The network on the device, or this rank's part of it."""
        if self.ranks.sharded:
            return shard(model, self.device)
        return model.to(self.device)

    def prepared(self, model: nn.Module) -> nn.Module:
        """The network as the algorithm wants it, before it goes to device and optimizer."""
        return model

    @abstractmethod
    def build(self) -> nn.Module:
        """The network that is trained; weights come from torch's generator."""

    @abstractmethod
    def metrics_of(self, weights: dict[str, Tensor]) -> dict[str, float]:
        """Validation metrics under some weights."""

    @abstractmethod
    def merit_of(self, metrics: dict[str, float]) -> float:
        """Return the score that selects the best epoch; higher is better."""

    def open_epoch(self) -> None:
        """Validates the epoch that is over, if the best one is wanted."""
        if self.sections.training.selection == "best" and self.pass_is_over():
            self._candidate = self.merit_of(self.metrics_of(self.current_weights()))

    def pass_is_over(self) -> bool:
        """Return True if this opening comes after a pass over the data."""
        return self.epoch > 0

    def epoch_paid(self) -> None:
        if self._candidate > self.best_merit:
            self.best_merit = self._candidate
            self.best = {k: v.clone() for k, v in self.current_weights().items()}

    def shuffled(self, count: int, needed: int, purpose: str = "order") -> Tensor:
        """Places below `count` for this epoch: shuffled passes until there are `needed`."""
        places = shuffled_passes(count, needed, self.seed, purpose, self.epoch)
        return places.to(self.device)

    def descend(self, loss: Tensor) -> None:
        """One step of the optimizer on a loss of the whole batch."""
        self.optimizer.zero_grad()
        loss.backward()
        self.ranks.sum_gradients(self.model.parameters())
        self.sections.schedule.apply(self.optimizer, self.training_progress)
        with taking_parts(self.optimizer) if self.ranks.sharded else nullcontext():
            self.optimizer.step()

    @contextmanager
    def answering(self, weights: dict[str, Tensor]) -> Iterator[Callable[[Tensor], Tensor]]:
        """The network under some weights, in evaluation mode and without gradients."""
        with evaluating(self.model):
            if self.ranks.sharded:
                with with_weights(self.model, weights):
                    yield self.model
            else:
                yield partial(functional_call, self.model, weights)

    @contextmanager
    def _twin(self) -> Iterator[Self]:
        if not self.ranks.sharded:
            with super()._twin() as twin:
                yield twin
        else:
            # What is divided cannot be copied: the work is done on it, and undone.
            with undone(self.model, self.optimizer):
                yield self._copy_but(self.model, self.optimizer, self.best)

    def current_weights(self) -> dict[str, Tensor]:
        """The weights that would count if this were the last step."""
        return self.model.state_dict()

    def weights(self) -> dict[str, Tensor]:
        return self.best or self.current_weights()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        self.best = {}
        self.model.load_state_dict(weights)

    def measure(self) -> dict[str, float]:
        return self.metrics_of(self.weights())

    def parts_state(self) -> State:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "algorithm": self.algorithm.state_dict(),
            "order": self.order,
            "best": self.best,
            "best_merit": self.best_merit,
            "candidate": self._candidate,
        }

    def load_parts_state(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.algorithm.load_state_dict(state["algorithm"])
        self.order = state["order"]
        self.best = dict(state["best"])
        self.best_merit, self._candidate = state["best_merit"], state["candidate"]

    def _own_parts(self, parts: State) -> State:
        if not self.ranks.sharded:
            return super()._own_parts(parts)
        weights, of_each = self.model.state_dict(), parts["optimizer"]["state"]
        moments = {
            number: dict.fromkeys(of_each.get(number, {}), parameter)
            for number, parameter in enumerate(self.model.parameters())
        }
        like = {
            "model": weights,
            "best": weights,
            "optimizer": {"state": moments},
            "algorithm": self.algorithm.state_dict(),
        }
        own: State = parted(parts, like, self.device)
        return own

"""Seeds and random states that are handed in; global state is left as it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from trainables.foundation.seeds import derive_seed

__all__ = [
    "RandomState",
    "derive_seed",
    "drawing_from",
    "keyed_normal",
    "keyed_uniform",
    "permutation",
    "seed_cpu",
    "shuffled_passes",
]


def permutation(size: int, seed: int) -> Tensor:
    """A random order of `size` items on the CPU, the same on every device and rank."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def shuffled_passes(size: int, needed: int, seed: int, *purpose: object) -> Tensor:
    """The first `needed` places of shuffled passes over `size` items, on the CPU."""
    passes = [
        permutation(size, derive_seed(seed, *purpose, repeat))
        for repeat in range(-(-needed // size))
    ]
    return torch.cat(passes)[:needed]


def seed_cpu(seed: int) -> None:
    """Seeds the CPU's default generator alone; `torch.manual_seed` reseeds every GPU as well."""
    torch.default_generator.manual_seed(seed)


@contextmanager
def drawing_from(seed: int) -> Iterator[None]:
    """New networks draw their weights from this seed; the default generator is put back after."""
    with torch.random.fork_rng(devices=[]):
        seed_cpu(seed)
        yield


class RandomState:
    """The state of torch's default generators, kept apart from everybody else's.

    Layers such as dropout draw from the default generators. Inside `active()` those hold this
    state; outside they are as they were.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        self._states: dict[str, Tensor] = {}
        with torch.random.fork_rng(devices=self._devices):
            self.restart(seed)
            self._store()

    def restart(self, seed: int) -> None:
        """Inside `active()`: what is drawn from here on depends on the seed alone."""
        seed_cpu(seed)
        for device in self._devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Draws from this state, and remembers where it got to."""
        with torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self._states["cpu"])
            for device in self._devices:
                torch.cuda.set_rng_state(self._states["cuda"], device)
            try:
                yield
            finally:
                self._store()

    def _store(self) -> None:
        self._states["cpu"] = torch.get_rng_state()
        for device in self._devices:
            self._states["cuda"] = torch.cuda.get_rng_state(device)

    def state_dict(self) -> dict[str, Tensor]:
        """The states by device type."""
        return dict(self._states)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Takes over saved states."""
        self._states = {device: value.cpu() for device, value in state.items()}


def keyed_uniform(indices: Tensor, key: int, draws: int) -> Tensor:
    """Uniform numbers in [0, 1) that depend on the key and each sample's index alone.

    Augmentation drawn so is the same however a batch is divided among ranks, and needs no state.
    A counter-based generator: splitmix64's finaliser (Steele, Lea, Flood, OOPSLA 2014) over
    (key, index, draw).

    Args:
        indices: sample indices, int64 [batch].
        key: a seed.
        draws: numbers wanted for each sample.

    Returns:
        float32 [batch, draws], on the device of `indices`.
    """
    counter = indices[:, None] * draws + torch.arange(draws, device=indices.device)
    mixed = _mix(counter + _wrap(key * 0x9E3779B97F4A7C15))
    return (_logical_shift(mixed, 40)).to(torch.float32) / float(1 << 24)


def keyed_normal(indices: Tensor, key: int, draws: int) -> Tensor:
    """Standard normal numbers in the manner of `keyed_uniform`; float32 [batch, draws]."""
    # The middle of each of the 2^24 cells of [-1, 1), exact in float32: neither end is drawn.
    centred = 2.0 * keyed_uniform(indices, key, draws) - 1.0 + 2.0**-24
    return math.sqrt(2.0) * torch.erfinv(centred)


def _mix(value: Tensor) -> Tensor:
    value = (value ^ _logical_shift(value, 30)) * _wrap(0xBF58476D1CE4E5B9)
    value = (value ^ _logical_shift(value, 27)) * _wrap(0x94D049BB133111EB)
    return value ^ _logical_shift(value, 31)


def _logical_shift(value: Tensor, bits: int) -> Tensor:
    # torch has no unsigned 64-bit arithmetic: shift with sign, then clear what came in.
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _wrap(value: int) -> int:
    """An integer modulo 2^64 as a signed 64-bit number."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value

"""A network's passes as `Computing` wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainables.batch_norm import SharedBatchNorm
from trainables.computing import Computing


def computed(network: nn.Module, computing: Computing) -> nn.Module:
    """Makes a network compute so from now on.

    It stays the same object, and its weights keep their names: its class becomes one derived from
    its own, as in torch's parametrizations, so copies and parts of a sequence compute so too.
    """
    if computing == Computing():
        return network
    if computing.channels_last:
        # Convolutions go by their weights: inputs are brought into that layout on the way.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kind: Any = type(network)
    network.__class__ = _class_for(kind, computing)
    return network


def compile_passes(network: nn.Module) -> None:
    """Has a network's training passes compiled, the first time that one of a shape comes."""
    if isinstance(network, Computed):
        # What another learner of this process has left would have shapes counted as dynamic, and
        # after some graphs no more compiled: the same run would not compute the same everywhere.
        torch.compiler.reset()
        network.compiled = torch.compile(network.run, dynamic=False)


class Computed(nn.Module):
    """What a network's class gets before it: passes by its `computing`."""

    computing: ClassVar[Computing]
    compiled: Callable[..., Tensor] | None = None

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the network gives for inputs [batch, ...], as float32."""
        trains = self.training and torch.is_grad_enabled()
        parts = self._parts(len(inputs[0])) if trains else 1
        if parts > 1:
            return self._in_parts(parts, inputs)
        return (self.compiled or self.run)(*inputs) if trains else self.run(*inputs)

    def run(self, *inputs: Tensor) -> Tensor:
        """One pass."""
        with self._autocast(inputs[0].device):
            outputs: Tensor = super().forward(*inputs)
        return outputs.float()

    def _autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        if self.computing.precision == "float32":
            return nullcontext()
        # A weight is used once in a pass; remembered casts would outlive torch.func's levels.
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)

    def _parts(self, size: int) -> int:
        """Of two examples at least: one alone has no variance for batch normalisation.

        Over several ranks parts must be as many on each, however uneven their shares are.
        """
        wanted = self.computing.micro_batches
        shared = any(isinstance(module, SharedBatchNorm) for module in self.modules())
        return wanted if shared or wanted == 1 else max(1, min(wanted, size // 2))

    def _in_parts(self, parts: int, inputs: tuple[Tensor, ...]) -> Tensor:
        divided = zip(*(each.tensor_split(parts) for each in inputs), strict=True)
        contexts = lambda: (nullcontext(), buffers_kept(self))  # noqa: E731
        return torch.cat(
            [
                checkpoint(self.run, *part, use_reentrant=False, context_fn=contexts)
                for part in divided
            ]
        )

    def __getstate__(self) -> dict[str, Any]:
        # A copy is for counting, or for another training: it runs as it is.
        return {k: v for k, v in super().__getstate__().items() if k != "compiled"}


@contextmanager
def buffers_kept(network: nn.Module) -> Iterator[None]:
    """A pass that has been before writes into copies: running statistics take it in once."""
    kept = [(module, dict(module._buffers)) for module in network.modules() if module._buffers]
    for module, buffers in kept:
        for name, buffer in buffers.items():
            module._buffers[name] = None if buffer is None else buffer.clone()
    try:
        yield
    finally:
        for module, buffers in kept:
            module._buffers.update(buffers)


@cache
def _class_for(network: type[nn.Module], computing: Computing) -> type[nn.Module]:
    attributes = {"computing": computing, "__module__": network.__module__}
    return type(network.__name__, (Computed, network), attributes)

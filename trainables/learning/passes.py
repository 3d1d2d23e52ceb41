"""A network's passes as `Computing` wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainables.parts.sections.computing import Computing


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
        network._compiled_pass = torch.compile(network._one_pass, dynamic=False)


class Computed(nn.Module):
    """A base put before a network's class; its names collide with no network's attributes."""

    _computing: ClassVar[Computing]
    _compiled_pass: Callable[..., Tensor] | None = None

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the network's outputs for inputs [batch, ...], as float32."""
        trains = self.training and torch.is_grad_enabled()
        evaluates = not self.training and not torch.is_grad_enabled()
        parts = self._parts_of(len(inputs[0])) if trains or evaluates else 1
        if parts > 1:
            divided = zip(*(each.tensor_split(parts) for each in inputs), strict=True)
            passed = self._checkpointed_pass if trains else self._one_pass
            return torch.cat([passed(*part) for part in divided])
        compiled = self._compiled_pass if trains else None
        return (compiled or self._one_pass)(*inputs)

    def _one_pass(self, *inputs: Tensor) -> Tensor:
        """One pass."""
        with self._autocast_on(inputs[0].device):
            outputs: Tensor = super().forward(*inputs)
        return outputs.float()

    def _autocast_on(self, device: torch.device) -> AbstractContextManager[Any]:
        if self._computing.precision == "float32":
            return nullcontext()
        # A weight is used once in a pass; remembered casts would outlive torch.func's levels.
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)

    def _parts_of(self, size: int) -> int:
        """Of two examples at least: one alone has no variance for batch normalisation."""
        return max(1, min(self._computing.micro_batches, size // 2))

    def _checkpointed_pass(self, *inputs: Tensor) -> Tensor:
        """One pass, done again on the way back in place of what it would have kept."""

        def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
            return nullcontext(), buffers_kept(self)

        outputs: Tensor = checkpoint(
            self._one_pass, *inputs, use_reentrant=False, context_fn=contexts
        )
        return outputs

    def __getstate__(self) -> dict[str, Any]:
        # A copy is for counting, or for another training: it runs as it is.
        return {k: v for k, v in super().__getstate__().items() if k != "_compiled_pass"}


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
    attributes = {"_computing": computing, "__module__": network.__module__}
    return type(network.__name__, (Computed, network), attributes)

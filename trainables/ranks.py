"""The ranks that train one model together, and the few collectives that they need.

Every rank holds all data and computes the whole batch's loss; only the forward and backward passes
are divided. So whatever an algorithm estimates from a batch or keeps for each example is the same
on all ranks by construction, and W ranks give the result of one up to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter


class RankLost(RuntimeError):
    """Another rank is no longer there; nothing is wrong with what this one does."""


@contextmanager
def _together() -> Iterator[None]:
    """Around a collective: tells its failure apart from everything else that can go wrong."""
    try:
        yield
    except RuntimeError as error:
        raise RankLost(str(error)) from error


class Ranks(ABC):
    """This rank among all that train one model.

    Attributes:
        rank: this one's number.
        size: how many there are.
    """

    rank: int
    size: int

    def share(self, total: int) -> slice:
        """This rank's part of `total` items; the last parts may be smaller, or empty."""
        width = -(-total // self.size)
        return slice(min(self.rank * width, total), min((self.rank + 1) * width, total))

    @abstractmethod
    def gather(self, part: Tensor, total: int) -> Tensor:
        """The parts of all ranks in order, [total, ...]; gradients flow to this rank's own."""

    @abstractmethod
    def sum(self, value: Tensor) -> Tensor:
        """The sum over ranks; gradients are summed too."""

    @abstractmethod
    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        """Makes each gradient its sum over ranks."""

    @abstractmethod
    def total(self, number: int) -> int:
        """The sum of a whole number over ranks."""

    @abstractmethod
    def highest(self, number: int) -> int:
        """The highest of a whole number over ranks."""

    def any(self, flag: bool) -> bool:
        """Whether it is so on any rank: what ranks decide alike they must know alike."""
        return self.total(int(flag)) > 0


class Alone(Ranks):
    """One process, nothing to agree with."""

    rank = 0
    size = 1

    def gather(self, part: Tensor, total: int) -> Tensor:
        return part

    def sum(self, value: Tensor) -> Tensor:
        return value

    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        """There is nothing to sum."""

    def total(self, number: int) -> int:
        return number

    def highest(self, number: int) -> int:
        return number


class ProcessGroup(Ranks):
    """The ranks of torch's default process group, which must be up."""

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = device

    def __deepcopy__(self, memo: dict[int, Any]) -> ProcessGroup:
        return self

    def gather(self, part: Tensor, total: int) -> Tensor:
        width = -(-total // self.size)
        padded = torch.zeros((width, *part.shape[1:]), dtype=part.dtype, device=part.device)
        padded[: len(part)] = part.detach()
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        with _together():
            dist.all_gather(parts, padded)
        own = self.share(total)
        whole = torch.cat(parts)[:total]
        return torch.cat([whole[: own.start], part, whole[own.stop :]])

    def sum(self, value: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(value)
        return summed

    def sum_gradients(self, parameters: Iterable[Parameter]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        with _together():
            dist.all_reduce(flat)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, summed in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def total(self, number: int) -> int:
        return self._reduced(number, dist.ReduceOp.SUM)

    def highest(self, number: int) -> int:
        return self._reduced(number, dist.ReduceOp.MAX)

    def _reduced(self, number: int, how: Any) -> int:
        counted = torch.tensor(number, dtype=torch.int64, device=self.device)
        with _together():
            dist.all_reduce(counted, how)
        return int(counted.item())


class _Sum(torch.autograd.Function):
    """A sum over ranks; linear, so its derivatives in either direction are sums as well."""

    @staticmethod
    def forward(value: Tensor) -> Tensor:
        summed = value.clone()
        with _together():
            dist.all_reduce(summed)
        return summed

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(gradient)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return _Sum.forward(tangent)


ALONE = Alone()

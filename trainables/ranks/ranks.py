"""The ranks that train one model together, and the few collectives that they need.

Every rank holds all data and computes the whole batch's loss; only the forward and backward passes
are divided. So whatever an algorithm estimates from a batch or keeps for each example is the same
on all ranks by construction, and W ranks give the result of one up to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class RankLost(RuntimeError):
    """Another rank is no longer there; nothing is wrong with what this one does."""


def of_lost_rank(error: BaseException) -> bool:
    """True if an error says that another rank is gone, also in the words of FSDP's collectives."""
    return isinstance(error, RankLost | dist.DistError) or "gloo/" in str(error)


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
        sharded: whether a model is divided among them, see `trainables.ranks.sharding`.
        part: while `divided` has items worked on, this rank's part of them and how many there are.
    """

    rank: int
    size: int
    sharded: bool = False
    part: tuple[slice, int] | None = None

    def share(self, total: int) -> slice:
        """This rank's part of `total` items; the last parts may be smaller, or empty."""
        width = -(-total // self.size)
        return slice(min(self.rank * width, total), min((self.rank + 1) * width, total))

    def chunks(self, items: Tensor, most: int) -> list[Tensor]:
        """This rank's part of items [n, ...], so many at a time.

        There are as many chunks on every rank, the last ones empty maybe: a model that is divided
        has to run everywhere or nowhere.
        """
        own, width = items[self.share(len(items))], -(-len(items) // self.size)
        return [own[start : start + most] for start in range(0, max(width, 1), most)]

    def divided(self, function: Callable[[Tensor], Tensor], items: Tensor) -> Tensor:
        """Compute a function of items [n, ...], of which each rank works on its part.

        Returns:
            [n, ...], the same on all ranks; gradients flow to this rank's own part.
        """
        own, outer = self.share(len(items)), self.part
        self.part = own, len(items)
        try:
            found = function(items[own])
        finally:
            self.part = outer
        return self.gather(found, len(items))

    @abstractmethod
    def gather(self, part: Tensor, total: int) -> Tensor:
        """The parts of all ranks in order, [total, ...]; gradients flow to this rank's own."""

    @abstractmethod
    def sum(self, value: Tensor) -> Tensor:
        """The sum over ranks; gradients are summed too."""

    def sum_of_each(self, values: Sequence[Tensor]) -> list[Tensor]:
        """The sums over ranks of several tensors of one type, at once; gradients as in `sum`."""
        flat = self.sum(torch.cat([value.flatten() for value in values]))
        parts = flat.split([value.numel() for value in values])
        return [part.view_as(value) for part, value in zip(parts, values, strict=True)]

    @abstractmethod
    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Makes each gradient its sum over ranks; what is divided has been summed on the way."""

    @abstractmethod
    def total(self, number: int) -> int:
        """The sum of a whole number over ranks."""

    @abstractmethod
    def highest(self, number: int) -> int:
        """The highest of a whole number over ranks."""

    def any(self, flag: bool) -> bool:
        """True if it is so on any rank, so that all ranks decide alike."""
        return self.total(int(flag)) > 0


class Alone(Ranks):
    """One process, nothing to agree with."""

    rank = 0
    size = 1

    def divided(self, function: Callable[[Tensor], Tensor], items: Tensor) -> Tensor:
        return function(items)

    def gather(self, part: Tensor, total: int) -> Tensor:
        return part

    def sum(self, value: Tensor) -> Tensor:
        return value

    def sum_of_each(self, values: Sequence[Tensor]) -> list[Tensor]:
        return list(values)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """There is nothing to sum."""

    def total(self, number: int) -> int:
        return number

    def highest(self, number: int) -> int:
        return number


class ProcessGroup(Ranks):
    """The ranks of torch's default process group, which must be up.

    Args:
        device: where each of them trains.
        sharded: whether they divide a model among them, rather than each hold all of it.
    """

    def __init__(self, device: torch.device, sharded: bool = False) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device, self.sharded = device, sharded

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

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        if self.sharded:
            from torch.distributed.tensor import DTensor

            parameters = [p for p in parameters if not isinstance(p, DTensor)]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        for gradient, summed in zip(gradients, self.sum_of_each(gradients), strict=True):
            gradient.copy_(summed)

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

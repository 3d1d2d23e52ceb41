"""Measured memory: the bytes of tensors that are alive at once, and what becomes of too many.

On a CPU the process's own figures tell little of one trial: a warm process keeps pages that
earlier trials had, and Python's and Ray's own come and go. What tensors hold is the same each
time.
"""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class LiveBytes:
    """Follows the storages that operations make, from their making to their end.

    Attributes:
        now: bytes alive of those that were made since this began.
        peak: the most that there were at once.
    """

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._alive: dict[int, int] = {}

    def note(self, results: Any, arguments: Any) -> None:
        """Takes in an operation's results; those that share memory with an argument are old."""
        old: set[int] | None = None
        for tensor in tensors_in(results):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key in self._alive:
                continue
            if old is None:
                old = {each.untyped_storage()._cdata for each in tensors_in(arguments)}
            if key not in old:
                self._alive[key] = storage.nbytes()
                self.now += storage.nbytes()
                weakref.finalize(storage, self._forget, key).atexit = False
        self.peak = max(self.peak, self.now)

    def _forget(self, key: int) -> None:
        self.now -= self._alive.pop(key)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested lists, tuples and mappings that have memory of their own."""
    if isinstance(value, Tensor):
        # Of a tensor that is divided over ranks, this rank's part: DTensor takes 0.6 s to import.
        value = value.to_local() if hasattr(value, "to_local") else value
        if value.layout == torch.strided and value.device.type != "meta":
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors_in(each)


def bytes_held(value: Any) -> int:
    """The bytes of all tensors in a value; those that share memory count once."""
    storages = {each.untyped_storage()._cdata: each for each in tensors_in(value)}
    return sum(each.untyped_storage().nbytes() for each in storages.values())


class DeviceMemory:
    """The memory that a trial takes on a GPU beyond what was held before it.

    Args:
        device: where it trains.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._before = device, 0
        if device.type == "cuda":
            # What an earlier trial left in cycles would count as held before, and go meanwhile.
            gc.collect()
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)

    @property
    def peak(self) -> int | None:
        """The most bytes at once so far; None where torch does not keep count of them."""
        if self.device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated(self.device) - self._before


class OutOfMemory(RuntimeError):
    """A trial asked for more memory than there was.

    Attributes:
        peak: the most bytes that it held until then.
        asked: the bytes that it asked for, None where nobody said.
        batch_size: of the batch that it trained on.
        micro_batches: the parts that the batch was in.
        whole: why it cannot be in more parts, or None if it can.
    """

    def __init__(
        self,
        peak: int,
        asked: int | None,
        batch_size: int,
        micro_batches: int,
        whole: str | None,
    ) -> None:
        wanted = "more" if asked is None else f"{asked:,} bytes more"
        parts = "" if micro_batches == 1 else f" in {micro_batches} parts"
        super().__init__(
            f"out of memory: {peak:,} bytes held, {wanted} asked for, with batches of "
            f"{batch_size}{parts}"
        )
        self.peak, self.asked = peak, asked
        self.batch_size, self.micro_batches, self.whole = batch_size, micro_batches, whole


# What allocators say that raise nothing of their own: the CPU's, cuBLAS's, and the driver's.
_REFUSALS = re.compile(
    r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory)"
    r"|CUBLAS_STATUS_ALLOC_FAILED|CUDA error: out of memory"
)
_ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+) (bytes|KiB|MiB|GiB|TiB)")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error says that there was not enough memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError | OutOfMemory):
        return True
    return isinstance(error, RuntimeError) and bool(_REFUSALS.search(str(error)))


def bytes_asked_for(error: BaseException) -> int | None:
    """The bytes that could not be had, where the error says so."""
    found = _ASKED.search(str(error))
    if found is None:
        return None
    return round(float(found[1]) * 1024 ** _UNITS.index(found[2]))


def free_memory(device: torch.device) -> None:
    """Gives back what nobody holds any more, so that others on a GPU can have it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()

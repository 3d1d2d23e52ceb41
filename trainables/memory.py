"""Measured memory: the bytes of tensors that are alive at once.

On a CPU the process's own figures tell little of one trial: a warm process keeps pages that
earlier trials had, and Python's and Ray's own come and go. What tensors hold is the same each
time.
"""

from __future__ import annotations

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

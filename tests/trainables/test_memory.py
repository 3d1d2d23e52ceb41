from __future__ import annotations

import gc

import pytest
import torch

from trainables.learning.flops import FlopCounter
from trainables.learning.memory import DeviceMemory, bytes_held

FLOAT = 4


def test_what_is_alive_at_once_counts_and_not_what_was_made() -> None:
    with FlopCounter() as counter:
        for _ in range(3):
            first = torch.ones(1000)
            second = first + 1  # the two are alive together
            del first
            third = second[:10]  # a view holds nothing of its own
            del second, third
    assert counter.peak == 2 * 1000 * FLOAT


def test_what_was_there_before_does_not_count() -> None:
    weights = torch.ones(500, 500)
    with FlopCounter() as counter:
        weights.add_(1)
        weights.view(-1)[:100].mul_(2)
    assert counter.peak == 0
    with FlopCounter() as counter:
        weights @ torch.ones(500, 1)
    assert counter.peak == 2 * 500 * FLOAT


def test_what_a_backward_pass_keeps_is_alive_until_it_has_run() -> None:
    weight = torch.ones(100, 100, requires_grad=True)
    inputs = torch.ones(1000, 100)
    with FlopCounter() as counter:
        hidden = torch.exp(inputs @ weight)  # the product and its exponential: the first goes
        del hidden
    without = counter.peak
    assert without == 2 * 1000 * 100 * FLOAT
    with FlopCounter() as counter:
        torch.exp(torch.exp(inputs @ weight)).sum().backward()
    # Both exponentials are kept for the gradients, which need as much again.
    assert counter.peak > without


def test_shared_memory_is_held_once() -> None:
    table = torch.ones(10, 10)
    state = {"a": table, "views": [table[0], (table.T, "text")], "b": {"c": torch.ones(5)}}
    assert bytes_held(state) == 105 * FLOAT


def test_on_a_gpu_only_this_trials_own_peak_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cycle:
        """What an earlier trial has left, held by itself alone."""

        def __init__(self) -> None:
            self.myself = self
            held["earlier"] = 700

        def __del__(self) -> None:
            held.pop("earlier")

    held, peaks = {"data": 100}, [10_000]
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: peaks.clear())
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: sum(held.values()))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: max(peaks))
    gc.disable()
    try:
        Cycle()
        memory = DeviceMemory(torch.device("cuda"))
    finally:
        gc.enable()
    peaks += [100 + 40, 100 + 90, 100 + 60]
    assert memory.peak == 90
    assert DeviceMemory(torch.device("cpu")).peak is None

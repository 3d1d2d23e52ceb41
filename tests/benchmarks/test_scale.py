"""Simulated nodes keep a driver busy, and the clock goes with them."""

from __future__ import annotations

from benchmarks.scale import FULL_TRIAL_SECONDS, simulated


def test_more_nodes_do_more_and_a_slow_driver_does_less() -> None:
    one, four = simulated(1, 24, 0.01), simulated(4, 24, 0.01)
    assert one.trials == four.trials == 24
    assert one.results == len(one.costs) >= 24
    assert 2.5 * four.minutes < one.minutes < 24 * 1.25 * FULL_TRIAL_SECONDS / 60
    assert 0.95 < one.busy <= 1.0
    slow = simulated(4, 24, FULL_TRIAL_SECONDS)
    assert slow.busy < 0.6 * four.busy
    assert min(slow.costs) > FULL_TRIAL_SECONDS

"""How much of the slots' time is spent training, after start-up; torch has one thread.

Trainings of about 0.25 s, and trainings of one rung of about 2 s. Where others use the machine
too, the time that its slots were free for the search is not known; so the share of training in
the CPU time of all processes of the search is told as well, which does not depend on them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from benchmarks.measure import Measured, run
from benchmarks.ray_search import Moment, digits, timed_search
from cluster import connect

SETTLED = 4
"""Reports before all slots' actors are at work."""


def slots_here() -> int:
    """Trials that fit on this machine at a time."""
    return os.cpu_count() or 1


def shares(moments: Sequence[Moment], slots: int) -> tuple[float, float, float, int]:
    """Training's share of the slots' time and of all CPU time; seconds a rung; rungs.

    Counted up to the last begun trial but `slots`: then slots stand empty for want of trials.
    """
    inside = list(moments[SETTLED : len(moments) - slots])
    start, end = inside[0], inside[-1]
    trained = sum(each.seconds for each in inside[1:])
    wall = (end.at - start.at) * slots
    return trained / wall, trained / (end.cpu - start.cpu), trained / len(inside), len(inside)


def measure(given: argparse.Namespace) -> list[Measured]:
    """Searches of short and of longer trainings."""
    load, slots = os.getloadavg()[0], slots_here()
    print(f"{slots} slots; load of the machine at the start: {load:.1f}", flush=True)
    with connect(None):
        pass  # Ray's files are in memory then, as they are where it is used
    short = digits(30 if given.quick else 120, 30.0, 48)
    longer = digits(16 if given.quick else 40, 60.0, 24, scheduler="none")
    found = []
    for name, spec, goal in (("digits-sized", short, 0.6), ("one rung", longer, 0.95)):
        moments = timed_search(spec, cpu_seconds=True)
        of_slots, of_cpu, seconds, count = shares(moments, slots)
        label = f"{name}, {seconds:.2f} CPU s a rung"
        found += [
            Measured(
                f"{label}: training / (wall x slots)", of_slots, count, f"at least {goal}",
                of_slots >= goal,
            ),
            Measured(f"{label}: training / CPU of all processes", of_cpu, count),
            Measured(
                f"{name}: seconds from the command to the first result", moments[0].at, 1,
                "at most 8", moments[0].at <= 8,
            ),
        ]  # fmt: skip
    found.append(Measured("load of the machine, at the end", os.getloadavg()[0], 1))
    return found


if __name__ == "__main__":
    run(__doc__, measure)

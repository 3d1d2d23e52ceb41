"""Says what trials wait for, where they would otherwise wait without a word."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster.resources import TrialResources, amounts

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 15.0

Groups = Mapping[str, Mapping[str, Any]]
"""Ray's table of placement groups, by their ids."""


@contextmanager
def said_while_waiting(trial: TrialResources, announce: Callable[[str], None]) -> Iterator[None]:
    """Meanwhile looks whether trials wait for room, and says once what for if it takes long."""
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(trial, announce, done), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _watch(trial: TrialResources, announce: Callable[[str], None], done: threading.Event) -> None:
    since: dict[str, float] = {}
    said = False
    while not done.wait(POLL_SECONDS):
        import ray

        if not ray.is_initialized():
            return
        groups, now = ray.util.placement_group_table(), time.monotonic()
        since = {each: since.get(each, now) for each in waiting(groups, trial)}
        if not since:
            said = False
        elif not said and now - min(since.values()) > PATIENCE_SECONDS:
            said = True
            announce(words(groups, trial, ray.available_resources(), ray.cluster_resources()))


def waiting(groups: Groups, trial: TrialResources) -> list[str]:
    """The placement groups of such trials that Ray has found no room for yet."""
    return [
        name
        for name, group in groups.items()
        if group["state"] in ("PENDING", "RESCHEDULING") and _is_of(group, trial)
    ]


def words(
    groups: Groups, trial: TrialResources, free: Mapping[str, float], total: Mapping[str, float]
) -> str:
    """One line on a waiting trial: the resources there are, and what others hold of them."""
    asked = list(groups[waiting(groups, trial)[0]]["bundles"].values())
    wanted = f"{len(asked)} x {amounts(asked[0])}"
    kinds = [kind for kind in ("CPU", "GPU") if total.get(kind)]
    left = " and ".join(f"{free.get(kind, 0.0):g} of {total[kind]:g} {kind}s" for kind in kinds)
    others = [
        f"placement group {group['name'] or name} holds {amounts(_sum(group))}"
        for name, group in groups.items()
        if group["state"] == "CREATED" and not _is_of(group, trial)
    ]
    held = f"; {', '.join(others[:3])}" if others else ""
    more = f", and {len(others) - 3} more hold some" if len(others) > 3 else ""
    return f"waiting for room for a trial ({wanted}): {left} are free{held}{more}"


def _is_of(group: Mapping[str, Any], trial: TrialResources) -> bool:
    """True if it is for the process of such a trial, or for its workers."""
    bundles = list(group["bundles"].values())
    gpus = 0.0 if trial.grouped else trial.gpus
    alone = [_same(bundle, trial.driver_cpus, gpus) for bundle in bundles]
    workers = [_same(bundle, trial.worker_cpus, trial.worker_gpus) for bundle in bundles]
    return bool(bundles) and (all(alone) or (trial.grouped and all(workers)))


def _same(bundle: Mapping[str, float], cpus: float, gpus: float) -> bool:
    asked = round(bundle.get("CPU", 0.0), 4), round(bundle.get("GPU", 0.0), 4)
    return asked == (round(cpus, 4), round(gpus, 4))


def _sum(group: Mapping[str, Any]) -> dict[str, float]:
    kinds = {kind for bundle in group["bundles"].values() for kind in bundle}
    return {
        kind: sum(bundle.get(kind, 0.0) for bundle in group["bundles"].values())
        for kind in sorted(kinds)
    }

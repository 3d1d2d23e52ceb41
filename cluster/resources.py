"""The number of trials that a cluster can run at once, and a refusal if it is none."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from cluster.errors import ClusterError

# Ray itself counts resources in steps of 1/10,000, which also keeps 2 / 0.1 at 20.
_STEPS = 10_000

DRIVER_CPUS = 0.01
"""CPUs of the process that drives a trial of several workers; Ray refuses a request for none."""

NodeResources = Mapping[str, float]


@dataclass(frozen=True)
class TrialResources:
    """The resources of one trial in all. Its workers share CPUs and GPUs equally.

    Attributes:
        cpus, gpus: of all of its workers, where there are no more than it needs.
        workers: how many it needs.
        most: up to so many it takes while there is room, each like the others; none if not given.

    Raises:
        ClusterError: The values make no sense together.
    """

    cpus: float
    gpus: float
    workers: int
    most: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 1:
            raise ClusterError(f"a trial needs a whole number of workers, not {self.workers!r}")
        object.__setattr__(self, "most", max(self.workers, self.most))
        if not math.isfinite(self.cpus) or self.cpus <= 0:
            raise ClusterError(f"a trial needs more than 0 CPUs, not {self.cpus}")
        if not math.isfinite(self.gpus) or self.gpus < 0:
            raise ClusterError(f"a trial needs 0 or more GPUs, not {self.gpus}")
        if _steps(self.worker_cpus) < 1:
            least = (DRIVER_CPUS + 1 / _STEPS) * self.workers if self.grouped else 1 / _STEPS
            raise ClusterError(
                f"{self.cpus:g} CPUs are too few for {_workers(self)}: "
                f"use --cpus-per-trial {least:g} or more"
            )
        if 0 < self.gpus and _steps(self.worker_gpus) < 1:
            raise ClusterError(f"{self.gpus:g} GPUs are too few for {_workers(self)}")
        if self.grouped and 0 < _steps(self.worker_gpus) < _STEPS:
            # NCCL, by which they speak to each other, refuses two on one GPU.
            raise ClusterError(
                f"{_amount(self.gpus, 'GPU')} for {_workers(self)}: workers of one trial need a "
                f"GPU each, use --gpus-per-trial {self.workers} or --workers-per-trial 1"
            )
        if _steps(self.worker_gpus) > _STEPS and _steps(self.worker_gpus) % _STEPS:
            raise ClusterError(
                f"{self.gpus:g} GPUs for {_workers(self)}: above one GPU a worker takes whole ones"
            )

    @property
    def grouped(self) -> bool:
        """True if its workers are processes beside its own."""
        return self.most > 1

    @property
    def driver_cpus(self) -> float:
        """CPUs of the trial's own process, which is the worker when there is only one."""
        return DRIVER_CPUS if self.grouped else self.cpus

    @property
    def worker_cpus(self) -> float:
        """CPUs of each worker.

        Each of several leaves room for a driver beside it: two workers that took a whole CPU each
        would never fit a machine with two.
        """
        room = DRIVER_CPUS if self.grouped else 0.0
        return _steps(self.cpus / self.workers - room) / _STEPS

    @property
    def worker_gpus(self) -> float:
        """GPUs of each worker."""
        return _steps(self.gpus / self.workers) / _STEPS


def slots(
    nodes: Iterable[NodeResources], trial: TrialResources, workers: int | None = None
) -> int:
    """Number of such trials that can run at once.

    Workers of one trial may sit on different nodes. Ray places the drivers of trials wherever it
    likes, so the answer holds for the placement that costs the most workers.

    Args:
        nodes: The total resources of each node, as Ray names them (``CPU``, ``GPU``).
        trial: What one trial asks for.
        workers: How many workers each has; as many as it needs by default.
    """
    nodes, workers = list(nodes), workers or trial.workers
    rooms = [_worker_room(node, trial) for node in nodes]
    if not trial.grouped:
        return sum(rooms)
    losses = list(accumulate(sorted(_drivers_per_lost_worker(nodes, rooms, trial))))
    trials = sum(rooms) // workers
    while trials * workers > sum(rooms) - bisect_right(losses, trials):
        trials -= 1
    return trials


def share(nodes: Sequence[NodeResources], trial: TrialResources, trials: int) -> int:
    """Number of workers that each of some trials may have without taking another's.

    A trial that runs alone may have all that it would take, on nodes that come later too.
    """
    if trials == 1:
        return trial.most
    larger = range(trial.workers + 1, trial.most + 1)
    return max((w for w in larger if slots(nodes, trial, w) >= trials), default=trial.workers)


def concurrency(trial: TrialResources) -> int:
    """Number of such trials that the connected cluster can run at once, never 0.

    Counts what living nodes have in all, not what happens to be free.

    Raises:
        ClusterError: Not even one fits; the message says what would.
    """
    usable = usable_nodes()
    if not slots(usable, trial) and slots(usable_nodes(leaving=True), trial):
        return 1  # those that are taken away show what kind there is: others may come
    return require_slots(usable, trial)


def most_workers(trial: TrialResources, trials: int) -> int:
    """`share` on the connected cluster."""
    return share(usable_nodes(), trial, trials)


def usable_nodes(leaving: bool = False) -> list[NodeResources]:
    """Resources of each living node of the connected cluster.

    Args:
        leaving: whether those count that are to be taken away.
    """
    import ray
    from ray._private.state import state

    out = {} if leaving else state.get_draining_nodes()
    alive = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] not in out]
    return [node["Resources"] for node in alive]


def require_slots(nodes: Sequence[NodeResources], trial: TrialResources) -> int:
    """`slots`, or a refusal that names what was asked for and what there is.

    Raises:
        ClusterError: Not even one trial fits.
    """
    count = slots(nodes, trial)
    if count == 0:
        raise ClusterError(refusal(nodes, trial))
    return count


def _worker_room(node: NodeResources, trial: TrialResources) -> int:
    """Workers that fit the node while no driver is on it."""
    room = _node_steps(node, "CPU") // _steps(trial.worker_cpus)
    share = _steps(trial.worker_gpus)
    if share == 0:
        return room
    gpus = _node_steps(node, "GPU") // _STEPS
    # Ray takes a fraction of a GPU from one GPU: two of 0.4 on each, however many there are.
    fitting = gpus * (_STEPS // share) if share < _STEPS else gpus // (share // _STEPS)
    return min(room, fitting)


def _drivers_per_lost_worker(
    nodes: Sequence[NodeResources], rooms: Sequence[int], trial: TrialResources
) -> Iterable[int]:
    """For each worker that drivers could push off a node, how many more drivers it takes."""
    worker, driver = _steps(trial.worker_cpus), _steps(trial.driver_cpus)
    for node, room in zip(nodes, rooms, strict=True):
        slack = _node_steps(node, "CPU") - room * worker
        before = 0
        for lost in range(room):
            needed = (slack + lost * worker) // driver + 1
            yield needed - before
            before = needed


def refusal(nodes: Sequence[NodeResources], trial: TrialResources) -> str:
    """The reason that no trial fits these nodes, in words."""
    most_gpus = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
    most_cpus = max((node.get("CPU", 0.0) for node in nodes), default=0.0)
    if trial.gpus > 0 and most_gpus == 0:
        return f"a trial asks for {_amount(trial.gpus, 'GPU')} but no node has any"
    if most_cpus == 0:
        return f"a trial asks for {_amount(trial.cpus, 'CPU')} but no node has any"
    if not trial.grouped and trial.cpus > most_cpus:
        return _too_large(trial.cpus, most_cpus, "CPU")
    if not trial.grouped and trial.gpus > most_gpus:
        return _too_large(trial.gpus, most_gpus, "GPU")
    asked = f"{_amount(trial.worker_cpus, 'CPU')}" + (
        f" and {_amount(trial.worker_gpus, 'GPU')}" if trial.gpus else ""
    )
    if not trial.grouped:
        return f"a trial asks for {asked} but no single node has both"
    fitting = sum(_worker_room(node, trial) for node in nodes)
    least = "at least " if trial.most > trial.workers else ""
    return (
        f"a trial asks for {least}{_workers(trial)} of {asked}, and its driver for "
        f"{DRIVER_CPUS:g} CPU, but the cluster has room for {_amount(fitting, 'such worker')}: "
        f"use fewer --workers-per-trial or a smaller --cpus-per-trial"
    )


def amounts(bundle: Mapping[str, float]) -> str:
    """Resources in words."""
    return " and ".join(_amount(round(each, 4), kind) for kind, each in bundle.items() if each)


def _too_large(asked: float, largest: float, unit: str) -> str:
    return (
        f"a trial asks for {_amount(asked, unit)} but the largest node has {largest:g}: "
        f"use --{unit.lower()}s-per-trial {largest:g} or fewer"
    )


def _workers(trial: TrialResources) -> str:
    return _amount(trial.workers, "worker")


def _amount(number: float, unit: str) -> str:
    return f"{number:g} {unit}" + ("" if number == 1 else "s")


def _node_steps(node: NodeResources, resource: str) -> int:
    return _steps(node.get(resource, 0.0))


def _steps(amount: float) -> int:
    # Rounded first, since 0.29 * 10,000 is 2899.9999999999995.
    return math.floor(round(amount * _STEPS, 6))

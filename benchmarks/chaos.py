"""A search on a cluster whose parts are killed at random, and what must still be true of it.

The cluster is Ray's own for tests: several nodes on this machine, each with processes of its own.
Killed, at random moments, are trial actors, Ray Train's workers, nodes (some after a notice) and
the driver, which is begun again with `automl-cl resume`. Searches of one slot, of two and of
trials with two workers follow each other until the time is over; a search that is under way then
ends undisturbed. Of each is then checked: nothing that was in the journal is gone, no trial passed
a rung twice, stages and totals agree, there is a verdict; and with one slot, that trial table and
verdict are those of a search that nobody disturbed.

A trial whose process died for the third time fails, as it should. Since that would change the
table, whoever's process died twice is spared.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from automl_cl.engine.interruption import descendants
from automl_cl.run.events import Ask, Event
from automl_cl.run.journal import read_events
from automl_cl.run.trial import CRASHED
from automl_cl.run.trial_table import replayed
from automl_cl.spec.search_spec import SearchSpec
from benchmarks.measure import Measured, run
from search_spaces import InputError

OBJECT_STORE = 100_000_000
# Ray misses a node after 5 times 3 seconds; here after 4 times 1, so that there is time for more.
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 4,
}
# How often each is killed, in comparison; workers only where there are several.
WEIGHTS = {"trial actor": 3, "Train worker": 3, "node": 1, "node after a notice": 1, "driver": 1}
NOTICE_SECONDS = 6.0
SPARED = 2
LONGEST = 900.0
"""Seconds that a search may take to its end once it is left alone."""


@dataclass(frozen=True)
class Kind:
    """A kind of search.

    Attributes:
        slots: trials at a time, each on a node of its own.
        workers: of a trial.
        trials: in the search.
    """

    slots: int
    workers: int
    trials: int

    @property
    def words(self) -> str:
        return f"{self.slots} slots" if self.workers == 1 else f"{self.workers} workers a trial"


@dataclass
class Tally:
    """What was done, and what came of it.

    Attributes:
        killed: how often each kind of thing.
        searches: that came to their end, of each kind.
        violations: of an invariant, in words.
        compared: tables that were compared with an undisturbed one.
    """

    killed: Counter[str] = field(default_factory=Counter)
    searches: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    compared: int = 0


class Nodes:
    """A cluster on this machine: a head without room for trials, and nodes that come and go."""

    def __init__(self, kind: Kind) -> None:
        from ray.cluster_utils import Cluster

        self.cpus = kind.workers
        grouped = kind.workers > 1
        self.cluster = Cluster(initialize_head=True, head_node_args={
            "num_cpus": 0,
            # Ray Train finds a dead group's resources through the dashboard.
            "include_dashboard": grouped,
            "object_store_memory": OBJECT_STORE,
            "_system_config": HEALTH,
        })  # fmt: skip
        self.alive = [self._added() for _ in range(kind.slots)]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def _added(self) -> Any:
        return self.cluster.add_node(num_cpus=self.cpus, object_store_memory=OBJECT_STORE)

    def replace(self, node: Any, notice: bool) -> None:
        """Takes a node away, with a notice some seconds before or without, and adds another."""
        if notice:
            self._drain(node)
            time.sleep(NOTICE_SECONDS)
        self.alive.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)
        self.alive.append(self._added())

    def _drain(self, node: Any) -> None:
        import ray
        from ray.core.generated import autoscaler_pb2

        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + NOTICE_SECONDS) * 1000)
        client = ray._raylet.GcsClient(address=self.address)
        client.drain_node(node.node_id, reason, "chaos", deadline)

    def processes(self, title: bytes) -> list[int]:
        """The worker processes of this cluster with a word in their titles."""
        found = []
        for process in descendants(os.getpid()):
            with suppress(OSError):
                if title in Path(f"/proc/{process}/cmdline").read_bytes():
                    found.append(process)
        return found

    def close(self) -> None:
        self.cluster.shutdown()


class Driver:
    """The command that carries a search out, begun again whenever it was killed."""

    def __init__(self, spec: Path, folder: Path, address: str) -> None:
        self.spec, self.folder, self.address = spec, folder, address
        self.log = folder.with_suffix(".log")
        self.begin()

    def begin(self) -> None:
        """Begins the search, or goes on with it."""
        there = (self.folder / "journal.jsonl").exists()
        what = ["resume", str(self.folder)] if there else [
            "search", "--from", str(self.spec), "--output", str(self.folder)
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "automl_cl", *what, "--address", self.address],
                stdout=log,
                stderr=log,
            )

    def kill(self) -> bytes:
        """Ends it as the kernel would, and returns what its journal holds."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return self.journal()

    def journal(self) -> bytes:
        path = self.folder / "journal.jsonl"
        return path.read_bytes() if path.exists() else b""

    def events(self) -> list[Event]:
        with suppress(InputError):
            return read_events(self.folder / "journal.jsonl")
        return []


class Chaos:
    """Disturbs one search until a moment.

    Args:
        nodes: the cluster.
        driver: of the search.
        draw: decides what is killed, and when.
        tally: of what was done.
        pause: seconds between two disturbances, on average.
    """

    def __init__(
        self, nodes: Nodes, driver: Driver, draw: random.Random, tally: Tally, pause: float
    ) -> None:
        self.nodes, self.driver, self.draw, self.tally = nodes, driver, draw, tally
        self.pause = pause
        self.kept: list[bytes] = []

    def run(self, until: float) -> None:
        """Disturbs until then, and waits for the search's end.

        Raises:
            RuntimeError: it did not end, or not as it should.
        """
        ends = max(until, time.monotonic()) + LONGEST
        due = self._next(until)
        while self.driver.process.poll() is None:
            now = time.monotonic()
            if now > ends:
                self.driver.kill()
                raise RuntimeError(f"the search does not end, see {self.driver.log}")
            if now >= due and self.driver.events():
                self._disturb()
                due = self._next(until)
            time.sleep(0.1)
        if self.driver.process.returncode != 0:
            code = self.driver.process.returncode
            raise RuntimeError(f"the search ended with {code}, see {self.driver.log}")

    def _next(self, until: float) -> float:
        due = time.monotonic() + self.draw.expovariate(1 / self.pause)
        return due if due < until else float("inf")

    def _disturb(self) -> None:
        weights = dict(WEIGHTS) if self.nodes.cpus > 1 else {**WEIGHTS, "Train worker": 0}
        what = self.draw.choices(list(weights), list(weights.values()))[0]
        if what == "driver":
            self.kept.append(self.driver.kill())
            self.driver.begin()
        elif what.startswith("node"):
            self.nodes.replace(self.draw.choice(self.nodes.alive), "notice" in what)
        else:
            # Tune wraps an actor's class in one of this name.
            title = b"RayTrainWorker" if what == "Train worker" else b"ResourceTrainable"
            found = self.nodes.processes(title)
            if not found or self._would_fail():
                return
            os.kill(self.draw.choice(found), signal.SIGKILL)
        self.tally.killed[what] += 1

    def _would_fail(self) -> bool:
        """Whether a trial under way has lost its process so often that once more is too often."""
        running = replayed(self.driver.events()).running()
        return any(trial.losses.get(CRASHED, 0) >= SPARED for trial in running)


def violations(folder: Path, kept: list[bytes]) -> list[str]:
    """What is not as it must be in the run folder of a search that has ended."""
    whole, found = (folder / "journal.jsonl").read_bytes(), []
    try:
        events = read_events(folder / "journal.jsonl")
    except InputError as error:  # such as a rung that was passed twice
        return [str(error)]
    for journal in kept:
        # A line that was torn when its driver was killed was never reported.
        if not whole.startswith(journal[: journal.rfind(b"\n") + 1]):
            found.append("something that was in the journal is gone")
    asked = [event.number for event in events if isinstance(event, Ask)]
    if asked != list(range(len(asked))):
        found.append("the numbers of trials are not those of a list")
    table = replayed(events)
    if table.running() or len(table.of_stage("search")) != table.budget or not table.verdicts:
        found.append("the search is not complete")
    repeats = Counter((t.stage, t.source, t.seed) for t in table.trials if t.source is not None)
    found += [f"{what} was trained twice" for what, times in repeats.items() if times > 1]
    for trial in table.trials:
        if trial.status == "failed":
            found.append(f"trial {trial.number} has failed: {trial.reason}")
    rows = pq.read_table(folder / "trials.parquet").to_pylist()
    sums = [sum(r["compute"] for r in rows), sum(trial.compute for trial in table.trials)]
    if len(rows) != len(table.trials) or abs(sums[0] - sums[1]) > 1e-6 * sums[1]:
        found.append("trials.parquet and the journal do not agree")
    if not (folder / "tuned.yaml").exists():
        found.append("there is no tuned config")
    return found


def differences(folder: Path, undisturbed: Path) -> list[str]:
    """What a disturbed search of one slot has that an undisturbed one has not."""
    tables = [
        pq.read_table(each / "trials.parquet").drop(["seconds"]).to_pylist()
        for each in (folder, undisturbed)
    ]
    found = [] if tables[0] == tables[1] else ["the trial table is another than undisturbed"]
    texts = [(each / "verdict.json").read_text() for each in (folder, undisturbed)]
    return found if texts[0] == texts[1] else [*found, "the verdict is another than undisturbed"]


@contextmanager
def cluster_of(kind: Kind) -> Iterator[Nodes]:
    """Nodes for a kind of search, gone afterwards."""
    nodes = Nodes(kind)
    try:
        yield nodes
    finally:
        nodes.close()


def spec_of(kind: Kind, seed: int) -> SearchSpec:
    """A search of small trials that all checkpoint and pause."""
    space = {"algorithm": ["superloss", "self_paced"], "training.batch_size": [32, 64]}
    return SearchSpec(
        "curriculum",
        "digits",
        noise="0.4",
        space=space,
        trials=kind.trials,
        max_epochs=6.0,
        seeds=3,
        seed=seed,
        workers_per_trial=kind.workers,
        cpus_per_trial=float(kind.workers),
        no_history=True,
    )


def undisturbed_run(kind: Kind, seed: int, place: Path) -> Path:
    """A search of the same kind and seed that nobody disturbs."""
    folder, spec = place / f"undisturbed-{seed}", place / f"undisturbed-{seed}.yaml"
    spec_of(kind, seed).write(spec)
    with cluster_of(kind) as nodes:
        driver = Driver(spec, folder, nodes.address)
        if driver.process.wait(LONGEST) != 0:
            raise RuntimeError(f"the undisturbed search failed, see {driver.log}")
    return folder


def disturbed_run(
    kind: Kind, seed: int, place: Path, chaos: argparse.Namespace, until: float, tally: Tally
) -> Path | None:
    """A search that is disturbed until then; None where it came to no end."""
    name = f"disturbed-{sum(tally.searches.values())}-{len(tally.violations)}"
    folder, spec = place / name, place / f"{name}.yaml"
    spec_of(kind, seed).write(spec)
    draw = random.Random(f"{chaos.seed} {name}")
    with cluster_of(kind) as nodes:
        driver = Driver(spec, folder, nodes.address)
        at_work = Chaos(nodes, driver, draw, tally, chaos.every)
        try:
            at_work.run(until)
        except RuntimeError as error:
            tally.violations.append(f"{kind.words}: {error}")
            return None
        finally:
            if driver.process.poll() is None:
                driver.kill()
    tally.searches[kind.words] += 1
    tally.violations += [f"{kind.words}: {each}" for each in violations(folder, at_work.kept)]
    return folder


def measure(given: argparse.Namespace) -> list[Measured]:
    """Searches until the time is over."""
    # As on a cluster that is not alone on its network.
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    trials = 6 if given.quick else 24
    kinds = [Kind(1, 1, trials), Kind(2, 1, trials), Kind(1, 2, trials)]
    if given.quick:
        kinds = kinds[:1]
    if given.workers_per_trial != 2:
        kinds = [kind for kind in kinds if kind.workers == 1]
    minutes = 0.7 if given.quick else given.minutes
    tally, place = Tally(), Path(tempfile.mkdtemp(prefix="chaos-"))
    calm = undisturbed_run(kinds[0], given.seed, place)
    until, turn = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < until or not turn:
        kind = kinds[turn % len(kinds)]
        turn += 1
        folder = disturbed_run(kind, given.seed, place, given, until, tally)
        if folder is not None and kind.slots * kind.workers == 1:
            tally.compared += 1
            tally.violations += [f"one slot: {each}" for each in differences(folder, calm)]
        print(
            f"{kind.words}: {dict(tally.killed)}, {len(tally.violations)} violations", flush=True
        )
    for each in tally.violations:
        print(f"VIOLATION: {each}")
    print(f"run folders and logs: {place}")
    return _rows(tally, minutes)


def _rows(tally: Tally, minutes: float) -> list[Measured]:
    count = sum(tally.killed.values())
    wrong = len(tally.violations)
    return [
        Measured("violations of an invariant", wrong, count, "0", wrong == 0),
        Measured("minutes of disturbance", minutes, count),
        *(Measured(f"killed: {what}", tally.killed[what], tally.killed[what]) for what in WEIGHTS),
        *(
            Measured(f"searches to their end, {words}", n, n)
            for words, n in sorted(tally.searches.items())
        ),
        Measured("of one slot, compared with an undisturbed one", tally.compared, tally.compared),
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0, help="how long to disturb")
    parser.add_argument("--seed", type=int, default=0, help="of the search and the disturbances")
    parser.add_argument("--every", type=float, default=8.0, help="seconds between disturbances")
    parser.add_argument(
        "--workers-per-trial",
        type=int,
        choices=(1, 2),
        default=2,
        help="2: every third search has two workers a trial",
    )


if __name__ == "__main__":
    run(__doc__, measure, _options)

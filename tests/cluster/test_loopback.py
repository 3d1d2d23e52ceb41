"""What a local Ray opens: nothing that another machine could reach."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cluster import connect

LISTENING = "0A"
# 127.0.0.1, alone and as IPv6 writes it, and ::1, as the kernel's tables have them here.
LOOPBACK = {
    "0100007F",
    "0000000000000000FFFF00000100007F",
    "00000000000000000000000001000000",
}


def listeners() -> set[tuple[str, str]]:
    """Address and port of what listens on this machine, by the socket's inode."""
    found = {}
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == LISTENING:
                found[f"socket:[{fields[9]}]"] = fields[1]
    places = set()
    for process in descendants(os.getpid()):
        with suppress(OSError):  # it has ended meanwhile
            for file in (Path("/proc") / str(process) / "fd").iterdir():
                with suppress(OSError):
                    address = found.get(os.readlink(file))
                    if address is not None:
                        places.add((address.split(":")[0], address.split(":")[1]))
    return places


def descendants(ancestor: int) -> set[int]:
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after_name = status.read_text().rpartition(")")[2].split()
            parents[int(status.parent.name)] = int(after_name[1])
    found = {ancestor}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.mark.ray
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
@pytest.mark.skipif(sys.byteorder != "little", reason="the addresses above are little-endian")
def test_a_local_ray_listens_on_loopback_only() -> None:
    with connect(cpus=1, dashboard=True, object_store_memory=100_000_000):
        import ray

        ray.get(ray.remote(lambda: 1).remote(), timeout=60)  # a worker listens too
        opened = listeners()
        assert len(opened) >= 5, "GCS, raylet, agents, dashboard, worker"
        assert {address for address, _ in opened} <= LOOPBACK


def test_the_dashboard_of_trials_listens_on_loopback_unless_told_otherwise() -> None:
    from inspect import signature

    from automl_cl.cli import dashboard

    assert signature(dashboard).parameters["host"].default == "127.0.0.1"

"""What a local Ray opens: nothing that another machine could reach."""

from __future__ import annotations

import os
import sys
import threading
import time
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


def group_of_two(folder: Path) -> threading.Thread:
    """A Ray Train group whose torch process group is up until there is a file `end`."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    from trainables.trials.one_machine import torch_config

    def wait(settings: dict[str, str]) -> None:
        import torch
        import torch.distributed as dist

        summed = torch.ones(1)
        dist.all_reduce(summed)
        assert summed.item() == 2
        (Path(settings["folder"]) / f"up-{dist.get_rank()}").touch()
        while not (Path(settings["folder"]) / "end").exists():
            time.sleep(0.1)

    trainer = TorchTrainer(
        wait,
        train_loop_config={"folder": str(folder)},
        torch_config=torch_config(),
        scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.5}),
        run_config=RunConfig(storage_path=str(folder)),
    )
    fitting = threading.Thread(target=trainer.fit, daemon=True)
    fitting.start()
    return fitting


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
@pytest.mark.skipif(sys.byteorder != "little", reason="the addresses above are little-endian")
def test_a_local_ray_listens_on_loopback_only(tmp_path: Path) -> None:
    with connect(cpus=2, dashboard=True, object_store_memory=100_000_000):
        fitting, patience = group_of_two(tmp_path), time.monotonic() + 150
        while len(list(tmp_path.glob("up-*"))) < 2:
            assert fitting.is_alive() and time.monotonic() < patience
            time.sleep(0.1)
        opened = listeners()
        (tmp_path / "end").touch()
        assert len(opened) >= 8, "GCS, raylet, agents, dashboard, workers, and gloo's ranks"
        assert {address for address, _ in opened} <= LOOPBACK
        fitting.join(60)
        assert not fitting.is_alive()


def test_the_dashboard_of_trials_listens_on_loopback_unless_told_otherwise() -> None:
    from inspect import signature

    from automl_cl.command.cli import dashboard

    assert signature(dashboard).parameters["host"].default == "127.0.0.1"

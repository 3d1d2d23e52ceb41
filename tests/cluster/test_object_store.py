"""Data for which Ray has no room, neither in its object store nor on its disk."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A share of 0 makes every disk a full one.
SCRIPT = """
import numpy as np
import ray
from cluster import ClusterError
from cluster.object_store import room_for

ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False,
         logging_level="CRITICAL", object_store_memory=80_000_000,
         _system_config={"local_fs_capacity_threshold": 0.0})
for size in (1_000_000, 15_000_000):
    try:
        with room_for("the data"):
            put = ray.put(np.ones(size))
        print("kept", int(ray.get(put).sum()))
    except ClusterError as error:
        print(error)
"""


@pytest.mark.ray
@pytest.mark.slow
def test_what_does_not_fit_is_refused_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    kept, refused = done.stdout.splitlines()
    assert kept == "kept 1000000"
    assert "no room for the data" in refused and "--object-store-memory" in refused

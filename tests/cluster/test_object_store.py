"""Data that is larger than Ray's object store: kept on disk, or refused in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import numpy as np
import ray
from cluster import ClusterError
from cluster.object_store import room_for

fullest = float(sys.argv[1])
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False,
         logging_level="CRITICAL", object_store_memory=80_000_000,
         _system_config={"local_fs_capacity_threshold": fullest})
try:
    with room_for("the data"):
        put = ray.put(np.ones(15_000_000))
    print("kept", int(ray.get(put).sum()))
except ClusterError as error:
    print(error)
"""


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fullest", "words"), [(1.0, "kept 15000000"), (0.0, "no room for the data")]
)
def test_what_does_not_fit_goes_to_disk_or_is_refused(fullest: float, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(fullest)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1 and words in lines[0], done.stdout

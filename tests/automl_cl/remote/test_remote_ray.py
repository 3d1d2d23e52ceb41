"""A real search on a local Ray whose run is on S3: killed in its midst, resumed by its address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.spec.search_spec import SearchSpec
from trainables.foundation.storage import RemotePath, names

from ..conftest import SMALL, search_here, toy, train_here
from .conftest import SECRET

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SCRIPT = """
import json, sys
import ray
from automl_cl.engine import driver
from automl_cl.spec.search_spec import SearchSpec

command, run, spec = sys.argv[1:]
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False,
         logging_level="ERROR", object_store_memory=100_000_000)
if command == "start":
    driver.start(SearchSpec(**json.loads(spec)), run)
else:
    driver.resume(run)
"""


def driver(command: str, run: RemotePath, spec: SearchSpec, folder: Path) -> subprocess.Popen[str]:
    given = json.dumps(spec.to_dict())
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, command, str(run), given],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "HF_TOKEN": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_at(process: subprocess.Popen[str], run: RemotePath, events: int) -> None:
    patience = time.monotonic() + 200
    while len(names(run / "journal")) < events:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < patience
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def test_killed_and_resumed_by_its_address_it_is_as_if_undisturbed(
    bucket: RemotePath, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    np.savez(tmp_path / "toy.npz", **toy())
    spec = SearchSpec(
        "curriculum", str(tmp_path / "toy.npz"), space=SMALL, trials=2, max_epochs=2.0, seeds=3
    )
    run, elsewhere = bucket / "run", tmp_path_factory.mktemp("elsewhere")
    kill_at(driver("start", run, spec, tmp_path), run, 7)
    before = read_events(run / "journal")
    resumed = driver("resume", run, spec, elsewhere)
    said = resumed.communicate(timeout=220)[0]
    assert resumed.returncode == 0, said
    assert read_events(run / "journal")[: len(before)] == before
    undisturbed = search_here(spec, tmp_path / "undisturbed", train_here)
    assert (run / "verdict.json").read_text() == (undisturbed / "verdict.json").read_text()
    assert not list(elsewhere.iterdir())
    assert RunFolder.existing(run).tuned.exists()
    everything = said + "".join(
        (RemotePath("s3", run.host, each.path.partition("/")[2])).read_bytes().decode("latin-1")
        for each in bucket.entries(recursive=True)
        if each.is_file
    )
    assert SECRET not in everything

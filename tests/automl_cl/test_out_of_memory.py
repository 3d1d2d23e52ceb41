"""A model that does not fit into memory, through a whole search on Ray."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import automl_cl
from automl_cl.run.journal import read_events
from automl_cl.strategy.retries import PARTS

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.exhaustive]

# Refused as an allocator does: where a training pass holds more than 64 inputs at a time.
CODE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        self.layer = nn.Linear(shape[0], classes)

    def forward(self, inputs):
        if len(inputs) > 64 and self.training and torch.is_grad_enabled():
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of ..."
            )
        return self.layer(inputs)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 200)
    np.savez(folder / "toy.npz", x=rng.normal(size=(600, 4)) + labels[:, None], y=labels)
    with pytest.MonkeyPatch.context() as patch:
        (folder / "large_model.py").write_text(CODE)
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        automl_cl.search(
            "curriculum",
            "toy.npz",
            model="large_model:Net",
            space={"algorithm": ["dds"], "training.batch_size": 256, "optimizer": "adamw"},
            trials=3,
            max_epochs=2.0,
            seeds=3,
            output=folder / "run",
        )
    return folder / "run"


def test_trials_begin_again_in_parts_and_the_result_says_so(run: Path) -> None:
    table = pq.read_table(run / "trials.parquet").to_pylist()
    plain = [trial for trial in table if trial["algorithm"] == "plain"]
    done = [trial for trial in plain if trial["status"] == "done"]
    assert done
    for trial in done:
        assert json.loads(trial["config"])["computing"]["micro_batches"] == PARTS
    told = [e for e in read_events(run / "journal.jsonl") if e.kind == "out_of_memory"]
    assert {each.asked for each in told} == {int(1.5 * 2**30)}
    assert {each.batch_size for each in told} == {256}
    assert all(each.memory > 0 for each in told)
    assert automl_cl.load(run / "tuned.yaml").config["computing"]["micro_batches"] == PARTS
    verdict = json.loads((run / "verdict.json").read_text())
    assert any("8 parts" in note for note in verdict["notes"])


def test_what_cannot_be_divided_is_infeasible_with_the_reason(run: Path) -> None:
    table = pq.read_table(run / "trials.parquet").to_pylist()
    dds = [trial for trial in table if trial["algorithm"] == "dds"]
    assert dds
    assert {trial["status"] for trial in dds} == {"infeasible"}
    assert "torch.func" in dds[0]["reason"]
    page = (run / "report.html").read_text()
    assert "out of memory" in page

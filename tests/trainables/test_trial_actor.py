from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from trainables.data import DataView
from trainables.trials.trial_actor import TrialActor
from trainables.trials.trial_run import RungReport, TrialRequest


class FailsAtItsSecondRung:
    """Stands in for a trial's run."""

    def __init__(self, request: TrialRequest, *rest: Any) -> None:
        self.request, self.rung = request, request.from_rung

    def next_rung(self) -> RungReport:
        if self.rung == 1:
            raise RuntimeError("CUDA out\nof memory")
        self.rung += 1
        return RungReport(self.request.number, self.request.attempt, 0, "running", 1.25, 0.0)


@pytest.fixture
def actor(tmp_path: Path, vectors: DataView, monkeypatch: pytest.MonkeyPatch) -> TrialActor:
    """An actor with a trial to begin, set up as Tune would, outside Ray."""
    monkeypatch.setattr("trainables.trials.trial_actor.TrialRun", FailsAtItsSecondRung)
    request = TrialRequest(7, "curriculum", {}, 0, [1.0, 3.0], "prefix", str(tmp_path), 1000)
    actor = TrialActor.__new__(TrialActor)
    config = {"request": json.dumps(request.to_dict())}
    settings = {"scenario": "curriculum", "device": "cpu", "stop_file": str(tmp_path / ".stop")}
    actor.setup(config, view=vectors, group=None, **settings)
    return actor


def test_an_error_is_reported_at_the_rung_where_it_came_up(actor: TrialActor) -> None:
    first, second = (RungReport(**json.loads(actor.step()["report"])) for _ in range(2))
    assert (first.rung, first.status) == (0, "running")
    assert (second.number, second.attempt, second.rung, second.status) == (7, 1000, 1, "failed")
    assert second.compute == 1.25
    assert second.reason is not None
    where, _, what = second.reason.partition(": ")
    assert re.search(r"test_trial_actor\.py:\d+$", where)
    assert what == "RuntimeError: CUDA out of memory"

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from automl_cl.run.events import Event
from automl_cl.run.trial_table import replayed


def test_the_command_shows_searches_tasks_and_bests(
    remember: Callable[..., Path | None],
    history: Path,
    command: Callable[..., Any],
    events: list[Event],
) -> None:
    remember()
    remember(search=1)
    remember(search=2, fingerprint="0" * 16)
    broken = history / "0-broken.parquet"
    broken.write_bytes(b"PAR1")
    shown, told = command("history", history), command("history", history, "--json")
    assert shown.code == told.code == 0
    trials = [trial for trial in replayed(events).trials if trial.stage != "verdict"]
    assert f"3 searches, 2 tasks, {3 * len(trials)} trials" in shown.out
    assert len(shown.err.splitlines()) == 1 and str(broken) in shown.err
    found = json.loads(told.out)
    assert (len(found["searches"]), found["tasks"], found["trials"]) == (3, 2, 3 * len(trials))
    assert len(found["left_out"]) == 1
    assert len(found["arms"]) == 2 * 3
    for row in found["arms"]:
        mine = [trial for trial in trials if trial.arm == row["algorithm"]]
        times = 1 if row["fingerprint"] == "0" * 16 else 2
        assert row["trials"] == times * len(mine)
        values = [t.value for t in mine if t.value is not None and t.stage == "search"]
        assert row["best"] == max(values)
        assert row["algorithm"] in shown.out
    assert all(row["first"] <= row["last"] for row in found["searches"])

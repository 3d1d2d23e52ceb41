"""A real journal from before lines were chained is read, resumed and extended."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl_cl.history.writing import search_id
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.trial_table import replayed
from automl_cl.spec.search_spec import spec_of
from search_spaces import InputError, Space, narrowed
from trainables.scenarios.scenario import load_scenario

from ..happened import happened

# A search of 4 trials, extended to 6: `search curriculum --trials 4 --seeds 2 --max-epochs 2`.
EARLIER = Path(__file__).parents[1] / "journals" / "before_chaining.jsonl"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copy(EARLIER, tmp_path / "journal.jsonl")
    return tmp_path


def test_it_is_read(run: Path) -> None:
    happened = read_events(EARLIER)
    lines = EARLIER.read_bytes().splitlines()
    assert len(happened) == len(lines) == 93
    table = replayed(happened)
    counts = Counter(trial.stage for trial in table.trials)
    assert counts == {"search": 6, "confirm": 18, "verdict": 4}
    assert table.budget == 6
    assert table.running() == []
    assert {trial.status for trial in table.trials} == {"done"}
    assert table.openings == 1
    (verdict,) = table.verdicts
    assert verdict.verdict["recommended"] == "baseline"
    assert len(table.plans) == 2


def test_its_search_is_known_by_the_same_name(run: Path) -> None:
    first = json.loads(EARLIER.read_bytes().splitlines()[0])
    del first["sum"]
    text = json.dumps(first, sort_keys=True)
    assert search_id(read_events(EARLIER)) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_what_is_appended_is_chained_to_all_of_it(run: Path) -> None:
    path = run / "journal.jsonl"
    with Journal.open(path) as journal:
        assert len(journal.run) == 16
        journal.append(happened("start"))
    whole = path.read_bytes()
    assert whole.startswith(EARLIER.read_bytes())
    assert read_events(path)[:-1] == read_events(EARLIER)
    # One that is sealed as the earlier version did has no place after it.
    body = json.dumps({"seq": 94, "time": 1.0, "event": "start", "pid": 1}).encode()
    line = body[:-1] + b', "sum": "%08x"}\n' % zlib.crc32(body)
    path.write_bytes(whole + line)
    with pytest.raises(InputError, match=r"line 95 of .* does not match"):
        read_events(path)
    # Nor does what was appended fit to another.
    lines = whole.splitlines(keepends=True)
    changed = json.loads(lines[1])
    del changed["sum"]
    body = json.dumps(changed | {"pid": 1}).encode()
    lines[1] = body[:-1] + b', "sum": "%08x"}\n' % zlib.crc32(body)
    path.write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=r"line 94 of .* does not match"):
        read_events(path)


def test_its_search_goes_on_and_is_extended(fake: Any, run: Path) -> None:
    before = replayed(read_events(EARLIER))
    spec = replace(spec_of(read_events(EARLIER), RunFolder(run)), seeds=3)
    scenario = load_scenario("curriculum")
    space = narrowed(
        Space.of(scenario.recipe),
        {
            "model": "mlp",
            "algorithm": ["plain", "superloss"],
            "optimizer": "adamw",
            "training.epochs": {"low": 0.5, "high": 2, "default": 2},
        },
    )
    with fake.session_on(run, spec, 9, space) as session:
        assert session.table.starts == before.starts + 1
        fake.work(session)
        assert session.complete
        table = session.table
    assert len(table.of_stage("search")) == 9
    assert fake.content(table)[: len(before.trials)] == fake.content(before)
    assert fake.content(fake.table_at(run)) == fake.content(table)
    assert len({trial.number for trial in table.trials}) == len(table.trials)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_cl.run.events import WarmStart
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal, read_events
from search_spaces import coordinates, decode, encode

from ..happened import happened


def points(fake: Any) -> dict[str, list[dict[str, Any]]]:
    """Two points for two of the arms, none for the third."""
    found: dict[str, list[dict[str, Any]]] = {"self_paced": []}
    for name in ("plain", "superloss"):
        arm = fake.SPACE.only("algorithm", name)
        point = encode(arm, arm.default())
        found[name] = [{**point, "training.epochs": epochs} for epochs in (5.0, 3.0)]
        assert found[name][0].keys() == coordinates(arm).keys()
    return found


@pytest.fixture
def warm(fake: Any, tmp_path: Path) -> Path:
    """A run at its beginning, with a warm start noted."""
    path = tmp_path / "warm"
    path.mkdir()
    with Journal.create(path / "journal.jsonl") as journal:
        journal.append(happened("search", spec=fake.SPEC.to_dict()))
        journal.append(WarmStart(points=points(fake), tasks=3, same_data=False, words="w"))
    return path


def test_each_arm_tries_its_portfolio_after_the_default(fake: Any, warm: Path) -> None:
    with fake.session_on(warm) as session:
        fake.work(session)
        fake.require_whole(session, fake.SPEC.trials)
        search = session.table.of_stage("search")
    for name, expected in points(fake).items():
        mine = [trial for trial in search if trial.arm == name]
        origins = [trial.origin for trial in mine]
        assert origins[: 1 + len(expected)] == ["default"] + ["portfolio"] * len(expected)
        assert "portfolio" not in origins[1 + len(expected) :]
        tried = mine[1 : 1 + len(expected)]
        assert [trial.point for trial in tried] == expected
        arm = fake.SPACE.only("algorithm", name)
        assert [trial.config for trial in tried] == [decode(arm, point) for point in expected]
        assert [trial.horizon for trial in tried] == [5.0, 3.0][: len(expected)]


def test_cut_off_anywhere_and_resumed_the_table_is_the_same(
    fake: Any, warm: Path, tmp_path: Path
) -> None:
    with fake.session_on(warm) as session:
        fake.work(session)
        expected = fake.content(session.table)
    lines = (warm / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for cut in (2, 9, 40):
        path = tmp_path / str(cut)
        path.mkdir()
        (path / "journal.jsonl").write_bytes(b"".join(lines[:cut]))
        for event in read_events(path / "journal.jsonl"):
            if getattr(event, "checkpoint", None):
                checkpoint = Path(RunFolder(path).checkpoint(event.number, event.checkpoint))
                checkpoint.parent.mkdir(parents=True, exist_ok=True)
                checkpoint.touch()
        with fake.session_on(path) as session:
            fake.work(session)
            assert fake.content(session.table) == expected

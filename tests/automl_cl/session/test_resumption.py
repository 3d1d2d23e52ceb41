from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.strategy import stages


def test_a_run_has_all_that_can_happen(fake: Any, undisturbed: Path) -> None:
    table = fake.table_at(undisturbed)
    search = table.of_stage("search")
    assert {trial.status for trial in search} == {"done", "stopped", "failed", "diverged"}
    assert {trial.origin for trial in search} == {"default", "random", "model"}
    assert [trial.arm for trial in search[:3]] == ["plain", "self_paced", "superloss"]
    assert {len(trial.rungs) for trial in search if trial.status == "done"} == {3, 4}
    assert all(trial.config["training"]["epochs"] == trial.horizon for trial in table.trials)
    assert len({trial.seed for trial in search}) == len(search)
    assert {trial.status for trial in table.of_stage("confirm")} >= {"done"}


def test_later_stages_repeat_configs_with_seeds_of_their_own(fake: Any, undisturbed: Path) -> None:
    table = fake.table_at(undisturbed)
    seeds = {stage: {t.seed for t in table.of_stage(stage)} for stage in ("search", "confirm")}
    verdict = table.of_stage("verdict")
    assert len(verdict) == 3 * 3
    assert {t.seed for t in verdict}.isdisjoint(seeds["search"] | seeds["confirm"])
    assert seeds["search"].isdisjoint(seeds["confirm"])
    for trial in [*table.of_stage("confirm"), *verdict]:
        assert trial.source is not None
        source = table.trials[trial.source]
        assert (trial.arm, trial.config) == (source.arm, source.config)
        assert trial.levels == [source.horizon]


def test_the_plan_stands_before_any_verdict_training(fake: Any, undisturbed: Path) -> None:
    events = read_events(undisturbed / "journal.jsonl")
    kinds = [event.kind for event in events]
    stages_asked = [getattr(event, "stage", None) for event in events]
    assert kinds.count("plan") == 1
    at = kinds.index("plan")
    assert "verdict" not in stages_asked[:at]
    assert set(stages_asked[at:]) == {None, "verdict"}
    plan = events[at]
    assert (plan.opening, len(plan.seeds), plan.budget) == (1, 3, fake.SPEC.trials)
    table = fake.table_at(undisturbed)
    arms = [table.trials[number].arm for number in stages.contestants(plan)]
    assert arms == ["plain", "superloss", "self_paced"]


def test_only_what_may_be_needed_again_is_kept(fake: Any, undisturbed: Path) -> None:
    table = fake.table_at(undisturbed)
    done = [trial for trial in table.of_stage("verdict") if trial.status == "done"]
    wanted = {RunFolder(undisturbed).checkpoint(t.number, t.weights or "") for t in done}
    assert {*undisturbed.rglob("*.pt")} == wanted


def test_cut_off_after_any_event_and_resumed_the_table_is_the_same(
    fake: Any, undisturbed: Path, tmp_path: Path
) -> None:
    lines = (undisturbed / "journal.jsonl").read_bytes().splitlines(keepends=True)
    expected = fake.content(fake.table_at(undisturbed))
    cuts = sorted({*range(1, len(lines), 9), len(lines) - 1, len(lines)})
    for cut in cuts:
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
            assert fake.content(session.table) == expected, f"cut after {cut} events"
            assert session.complete


class Killed(Exception):
    """The driver is no more."""


def test_killed_after_every_single_event_the_table_is_the_same(
    fake: Any, undisturbed: Path, tmp_path: Path
) -> None:
    def die(event: Any) -> None:
        raise Killed

    lives, over = 0, False
    while not over:
        with fake.session_on(tmp_path / "run") as session:
            session.observers.append(die)
            try:
                fake.work(session)
                over = True
            except Killed:
                lives += 1
    assert lives > 150
    assert fake.content(session.table) == fake.content(fake.table_at(undisturbed))
    fake.require_whole(session, fake.SPEC.trials)


@pytest.mark.parametrize("chance", range(6))
def test_more_slots_deaths_and_restarts_lose_nothing(
    fake: Any, tmp_path: Path, chance: int
) -> None:
    draw, slots = random.Random(chance), 2 + chance % 2
    lives, over = 0, False
    before: list[dict[str, Any]] = []
    while not over:
        with fake.session_on(tmp_path / "run") as session:
            lives += 1
            assert fake.content(session.table)[: len(before)] == before
            running: dict[int, Any] = {}
            for _ in range(draw.randrange(20, 60)):
                while len(running) < slots and (request := session.ask()) is not None:
                    assert request.number not in running
                    running[request.number] = fake.Training(request)
                over = session.finished
                if not running:
                    break
                number = draw.choice(list(running))
                if draw.random() < 0.03:
                    session.lost(number, "killed")
                    del running[number]
                elif not session.report(running[number].report()):
                    del running[number]
            before = fake.content(session.table)
    assert lives > 1
    fake.require_whole(session, fake.SPEC.trials)
    assert {trial.status for trial in session.table.trials} >= {"done", "stopped", "failed"}

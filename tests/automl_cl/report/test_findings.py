from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl_cl.results.report.figures import figures_of
from automl_cl.results.report.findings import Findings, gather
from automl_cl.results.report.importances import importance_rows
from automl_cl.run.events import plain
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import Journal, read_events
from automl_cl.run.trial import CONFIRM, SEARCH, VERDICT, Trial
from automl_cl.run.trial_table import TrialTable, replayed
from automl_cl.strategy.ranking import rank_correlation
from automl_cl.strategy.stages import confirmed
from search_spaces import InputError

from ..happened import happened

WriteRun = Callable[..., Path]


def findings_of(path: Path) -> Findings:
    folder = RunFolder.existing(path)
    return gather(folder, read_events(folder.journal))


def table_of_run(path: Path) -> TrialTable:
    return replayed(read_events(path / "journal.jsonl"))


def cut(path: Path, kind: str, which: int = 0, **fields: Any) -> None:
    """Ends a run's journal before the event of this kind."""
    journal = path / "journal.jsonl"
    found = [
        event.seq
        for event in read_events(journal)
        if event.kind == kind and fields.items() <= plain(event).items()
    ]
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: found[which]]))


def test_the_differences_are_those_of_the_verdict(finished_run: Path) -> None:
    verdict = json.loads((finished_run / "verdict.json").read_text())
    found = findings_of(finished_run)
    told = [verdict["challenger"], *verdict["secondaries"]]
    assert [each.number for each in found.contrasts] == [each["trial"] for each in told]
    assert [each.role for each in found.contrasts] == ["challenger", "secondary"]
    assert [[each.low, each.high] for each in found.contrasts] == [each["ci95"] for each in told]
    *drawn, baseline = figures_of(found)["differences"].data
    assert baseline.x == (0.0,)
    for trace, each in zip(drawn, told, strict=True):
        assert trace.x == (each["difference"],)
        low, high = each["ci95"]
        assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(low)
        assert trace.x[0] + trace.error_x.array[0] == pytest.approx(high)


def test_the_leaderboard_is_that_of_the_table(finished_run: Path) -> None:
    found, table = findings_of(finished_run), table_of_run(finished_run)
    means = {each.source.arm: each.mean for each in confirmed(table, "max")}
    assert [arm.name for arm in found.arms] == list(means)
    for arm in found.arms:
        mine = [trial for trial in table.of_stage(SEARCH) if trial.arm == arm.name]
        values = [trial.value for trial in mine if trial.value is not None]
        assert arm.trials == len(mine)
        assert arm.best == max(values) == arm.candidates[0].value
        assert arm.confirmed == means[arm.name]
        assert arm.candidates[0].config["algorithm.name"] == arm.name
    judged = {arm.name: arm.role for arm in found.arms}
    assert judged["plain"] == "baseline"
    assert sorted(judged.values()) == ["baseline", "challenger", "secondary"]


def test_compute_is_that_of_the_table(finished_run: Path) -> None:
    found, table = findings_of(finished_run), table_of_run(finished_run)
    traces = figures_of(found)["compute"].data
    for trace, stage in zip(traces, (SEARCH, CONFIRM, VERDICT), strict=True):
        spent = {arm: 0.0 for arm in trace.y}
        for trial in table.of_stage(stage):
            spent[trial.arm] += trial.compute
        assert dict(zip(trace.y, trace.x, strict=True)) == pytest.approx(spent)
    searched = sum(trial.compute for trial in table.of_stage(SEARCH))
    assert found.fair_share == pytest.approx(searched / 3)


def test_all_curves_of_a_small_search_are_drawn(finished_run: Path) -> None:
    found, table = findings_of(finished_run), table_of_run(finished_run)
    drawn = [
        (x, y)
        for trace in figures_of(found)["learning"].data
        for x, y in zip(trace.x, trace.y, strict=True)
        if x is not None
    ]
    rungs = [(r.compute, r.value) for t in table.of_stage(SEARCH) for r in t.rungs]
    assert sorted(drawn) == sorted(rungs)
    best = [curve.number for curve in found.learning.curves if curve.best]
    verdict = json.loads((finished_run / "verdict.json").read_text())
    assert best == [verdict[verdict["recommended"]]["trial"]]


def test_rungs_are_trusted_as_the_search_trusts_them(write_run: WriteRun) -> None:
    path = write_run(trials=60)
    found, table = findings_of(path), table_of_run(path)
    arms: dict[str, list[Trial]] = {}
    for trial in table.of_stage("search"):
        arms.setdefault(trial.arm, []).append(trial)
    assert [each.level for each in found.rungs] == pytest.approx([1 / 3, 1.0, 3.0])
    for each in found.rungs:
        assert each.ranking == rank_correlation(each.level, arms.values())
        assert each.ranking.tau > 0
        assert each.stopped == sum(
            t.status == "stopped" and t.rungs[-1].level == each.level for t in table.trials
        )
    trace = figures_of(found)["rungs"].data[0]
    assert list(trace.x) == [each.ranking.tau for each in found.rungs]


def test_trade_offs_are_those_of_the_table(write_run: WriteRun) -> None:
    run = write_run()
    trials = [t for t in table_of_run(run).of_stage("search") if t.value is not None]
    found = findings_of(run)
    (axis,) = found.trade_offs.axes  # nothing was said of memory and model size
    assert axis.title == "compute, in epochs of the plain baseline"
    assert {dot.number for dot in axis.dots} == {trial.number for trial in trials}
    front = {
        one.number
        for one in trials
        if not any(
            (o.value >= one.value and o.compute <= one.compute)
            and (o.value > one.value or o.compute < one.compute)
            for o in trials
        )
    }
    assert {dot.number for dot in axis.dots if dot.on_front} == front
    assert {row.number for row in found.trade_offs.front} == front
    drawn = figures_of(found)["trade-off-compute"]
    line = drawn.data[-1]
    assert sorted(line.x) == list(line.x)
    assert len(line.x) == len(front)


def test_pacing_curves_are_those_of_the_best_configs(write_run: WriteRun) -> None:
    found = findings_of(write_run(trials=60))
    paced = {"easy_to_hard", "anti_curriculum", "random_order", "self_paced", "baby_step"}
    assert {curve.arm for curve in found.pacings} >= paced
    for curve in found.pacings:
        arm = next(arm for arm in found.arms if arm.name == curve.arm)
        config = next(each.config for each in arm.candidates if each.number == curve.number)
        own = {k.rpartition(".pacing.")[2]: v for k, v in config.items() if ".pacing." in k}
        shares = [share for _, share in curve.points]
        assert shares[0] == pytest.approx(min(1.0, own["start"] + own.get("grow", 0.0)))
        assert shares == sorted(shares)
        full = [at for at, share in curve.points if share == 1.0]
        assert min(full) <= own.get("full_at", 1.0) + 1e-9


@pytest.mark.parametrize(
    ("scenario", "data", "settings"),
    [
        ("curriculum", "digits", {}),
        ("semi_supervised", "digits", {"labels": 100}),
        ("continual", "digits", {"tasks": 5}),
        ("meta_learning", "sinusoid", {}),
    ],
)
def test_every_scenario_has_a_report(
    write_run: WriteRun, scenario: str, data: str, settings: dict[str, Any]
) -> None:
    path = write_run(scenario, data, settings=settings, trials=30, max_epochs=4.0)
    found, table = findings_of(path), table_of_run(path)
    assert found.state is None
    assert found.sentences
    assert len(found.learning.curves) == sum(bool(t.rungs) for t in table.of_stage(SEARCH))
    assert {"differences", "learning", "compute"} <= figures_of(found).keys()
    assert {arm.name for arm in found.arms} == {trial.arm for trial in table.trials}
    for arm in found.arms:
        said = any(arm.name in note for note in found.notes if "was given" not in note)
        assert said == (arm.information is not None)


def test_of_an_error_less_is_better(write_run: WriteRun) -> None:
    path = write_run("meta_learning", "sinusoid", max_epochs=4.0, trials=30)
    found, table = findings_of(path), table_of_run(path)
    assert found.problem.mode == "min"
    for arm in found.arms:
        mine = [t.value for t in table.of_stage(SEARCH) if t.arm == arm.name]
        assert arm.best == min(value for value in mine if value is not None)
    means = [arm.confirmed for arm in found.arms]
    assert means == sorted(means)
    # Some blow up to a million: they must not hide the others.
    assert max(t.value for t in table.of_stage(SEARCH) if t.value is not None) == 1e6
    assert found.learning.window is not None
    low, high = found.learning.window
    assert low < min(arm.best for arm in found.arms if arm.best is not None) < high < 10


def test_two_thousand_trials_are_no_hairball(big_run: Path) -> None:
    found = findings_of(big_run)
    table = table_of_run(found.run)
    drawn = found.learning.curves
    assert found.learning.trials == sum(bool(t.rungs) for t in table.of_stage(SEARCH)) > 1900
    arms = {curve.arm for curve in drawn if not curve.best}
    assert len(found.arms) > len(arms) == 9, "the baseline and the eight best"
    assert len(drawn) <= 1 + 3 * len(arms)
    values = {arm: [-1.0] for arm in (each.name for each in found.arms)}
    for trial in table.of_stage(SEARCH):
        values[trial.arm] += [] if trial.value is None else [trial.value]
    lowest = min(max(values[arm]) for arm in arms - {"plain"})
    assert all(max(them) <= lowest for arm, them in values.items() if arm not in arms)
    assert "plain" in arms
    assert [curve.number for curve in drawn if curve.best] == [found.best]
    band = found.learning.band
    assert band is not None
    early = sorted(
        t.rungs[0].value for t in table.of_stage(SEARCH) if t.rungs and len(t.levels) > 1
    )
    below = sum(value < band.low[0] for value in early) / len(early)
    above = sum(value > band.high[0] for value in early) / len(early)
    assert below == pytest.approx(0.25, abs=0.02)
    assert above == pytest.approx(0.25, abs=0.02)
    assert all(each.shares for each in found.importances)
    # Values depend on the learning rate above all, as the arms that have been tried often show
    # together; each alone has some sixty finished trials, in which luck may be ahead.
    often = {arm.name for arm in found.arms if arm.trials >= 100}
    assert len(often) >= 2
    rows = importance_rows([each for each in found.importances if each.arm in often])
    assert rows[0].name == "optimizer.lr"


def test_without_a_trial(begun_run: Path) -> None:
    found = findings_of(begun_run)
    assert found.state == "searching: none of 7 trials has begun"
    assert found.verdict is None
    assert found.best is None
    assert figures_of(found) == {}
    assert found.fair_share == 0


def test_each_stage_is_told(run_folder: Path) -> None:
    assert findings_of(run_folder).state is None
    cut(run_folder, "verdict")
    assert str(findings_of(run_folder).state).startswith("training for the verdict: 9 trainings")
    cut(run_folder, "plan")
    assert findings_of(run_folder).state == "confirmed; the verdict's trainings have not begun"
    cut(run_folder, "ask", stage=CONFIRM, which=4)
    assert str(findings_of(run_folder).state).startswith("confirming: 4 of ")
    cut(run_folder, "ask", stage=SEARCH, which=5)
    found = findings_of(run_folder)
    assert found.state == "searching: 5 of 7 trials have ended"
    assert found.contrasts == []
    assert found.best is not None
    cut(run_folder, "ask", stage=SEARCH, which=1)
    assert [arm.trials for arm in findings_of(run_folder).arms] == [1, 0, 0]


def test_an_extended_search_keeps_its_verdict_until_the_next(run_folder: Path) -> None:
    with Journal.open(run_folder / "journal.jsonl") as journal:
        journal.append(happened("extend", trials=20))
    found = findings_of(run_folder)
    assert found.verdict is not None
    assert found.state == "searching: 7 of 20 trials have ended"
    assert found.earlier == []
    assert found.commands[1] == "automl-cl resume RUN --trials 20"


def test_failures_are_told_with_their_reasons(write_run: WriteRun) -> None:
    found = findings_of(write_run(until="search", trials=90, reason="out of memory"))
    assert found.failed == 3 == len(found.failures)
    assert {each.reason for each in found.failures} == {"out of memory"}
    assert sum(arm.failed for arm in found.arms) == 3


def test_a_search_of_which_all_trials_failed_has_no_verdict(write_run: WriteRun) -> None:
    path = write_run(until="search", trials=1)
    cut(path, "rung")
    with Journal.open(path / "journal.jsonl") as journal:
        journal.append(happened("end", compute=0.1))
    found = findings_of(path)
    assert str(found.state).startswith("no verdict can come of it: no config of the baseline")
    assert found.failed == 1
    assert figures_of(found).keys() == {"compute"}


def test_a_journal_that_does_not_say_what_was_searched_is_refused(run_folder: Path) -> None:
    cut(run_folder, "problem")
    with pytest.raises(InputError, match=r"does not say what was searched.*automl-cl resume"):
        findings_of(run_folder)


def test_seeds_of_all_stages_are_told(finished_run: Path) -> None:
    found, table = findings_of(finished_run), table_of_run(finished_run)
    told = dict(found.seeds)
    assert told["split, noise and proposals"] == "0"
    assert table.plan is not None
    assert told["verdict"] == ", ".join(map(str, table.plan.seeds))
    assert found.versions["torch"]


def test_the_run_folder_may_have_been_moved(finished_run: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(finished_run, tmp_path / "elsewhere"))
    assert findings_of(moved).run == moved

"""A run's `search.yaml` that was edited after the run was begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_cl.engine import driver
from automl_cl.engine.fork import Fork
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.spec.search_spec import SearchSpec, edited_settings
from search_spaces import read_yaml, to_yaml

from .conftest import Command, search_here, train_here, without_ray


def edit(run: Path, **settings: Any) -> None:
    given = {**read_yaml(run / "search.yaml"), **settings}
    kept = {name: value for name, value in given.items() if value != "gone"}
    (run / "search.yaml").write_text(to_yaml(kept))


def edited(run: Path) -> list[str]:
    return edited_settings(read_events(run / "journal.jsonl"), RunFolder(run))


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"data": "fashion-mnist"}, "data"),
        ({"seed": 3}, "seed"),
        ({"space": {"algorithm": "self_paced"}}, "space"),
        ({"seed": 3, "space": {}, "data": "fashion-mnist"}, "data, seed, space"),
        ({"trials": 12}, "trials"),
        ({"seeds": 2}, "seeds"),  # no search may have that
        ({"noise": "0.3"}, "noise"),
        ({"max_epochs": "gone"}, "max_epochs"),  # its default is another
        ({"trails": 7}, "trails"),  # there is no such setting
    ],
)
def test_what_differs_is_refused_by_name(
    command: Command, run_folder: Path, settings: dict[str, Any], names: str
) -> None:
    edit(run_folder, **settings)
    before = (run_folder / "journal.jsonl").read_bytes()
    outcome = command("resume", run_folder, "--trials", 9)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    said = f"search.yaml differs from what the run was begun with in {names}. "
    assert line.startswith(f"Error: {run_folder}/{said}")
    assert (run_folder / "journal.jsonl").read_bytes() == before


def test_another_way_of_writing_it_is_no_edit(run_folder: Path) -> None:
    path = run_folder / "search.yaml"
    lines = path.read_text().splitlines()
    assert edited(run_folder) == []
    seed_first = sorted(lines, key=lambda each: not each.startswith("seed"))
    path.write_text("\n".join(["# mine", *seed_first]))
    assert edited(run_folder) == []
    edit(run_folder, noise=0.2, max_epochs=2, fidelity="gone", hang_seconds="gone")
    assert edited(run_folder) == []


def test_a_run_on_data_with_guessed_options_is_resumed(tmp_path: Path) -> None:
    rows = "\n".join(f"{i % 7},{i * 13 % 5},{'ab'[i % 2]}" for i in range(90))
    (tmp_path / "table.csv").write_text(f"first,second,kind\n{rows}\n")
    spec = SearchSpec(
        "curriculum",
        str(tmp_path / "table.csv"),
        trials=2,
        max_epochs=0.5,
        seeds=3,
        space={"algorithm": "superloss"},
        time_limit=3600,
        objectives=("compute",),
    )
    run = search_here(spec, tmp_path / "run", train_here)
    assert edited(run) == []
    with without_ray(train_here):
        assert driver.resume(run).verdict is not None


def test_a_file_that_is_no_mapping_is_refused(command: Command, run_folder: Path) -> None:
    (run_folder / "search.yaml").write_text("- a list\n")
    outcome = command("resume", run_folder)
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1
    assert "search.yaml: expected a mapping" in outcome.err


def test_a_fork_goes_by_the_journal_and_says_so(run_folder: Path) -> None:
    assert Fork.of(run_folder, {}).notes == ()
    edit(run_folder, seed=77, trials=50)
    fork = Fork.of(run_folder, {"trials": 3})
    (note,) = fork.notes
    assert "search.yaml has been edited (seed, trials)" in note
    assert (fork.spec.trials, fork.spec.data) == (3, read_yaml(run_folder / "search.yaml")["data"])

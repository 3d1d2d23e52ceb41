from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import ray
import typer

import automl_cl
from automl_cl.command.cli import app
from automl_cl.engine import driver
from automl_cl.engine.driver import SearchResult
from automl_cl.results import export
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.run.trial_table import replayed
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.stages import VerdictImpossible
from cluster import ClusterError
from trainables.scenarios.scenario import load_scenario

COMMANDS = [
    "search",
    "submit",
    "resume",
    "report",
    "dashboard",
    "export",
    "fork",
    "history",
    "train",
    "pretrain",
    "list",
    "describe",
    "doctor",
]

Command = Callable[..., Any]


def parameters() -> Iterator[tuple[str, Any]]:
    group: Any = typer.main.get_command(app)
    for name, found in group.commands.items():
        yield from ((name, parameter) for parameter in found.params)
    yield from (("", parameter) for parameter in group.params)


def test_the_commands_that_there_are(command: Command) -> None:
    printed = command("--help").out
    group: Any = typer.main.get_command(app)
    assert sorted(group.commands) == sorted(COMMANDS)
    for name in COMMANDS:
        assert f" {name} " in printed
        assert group.commands[name].help


def test_every_option_is_explained(command: Command) -> None:
    found = list(parameters())
    assert len(found) > 25
    for name, parameter in found:
        assert parameter.help, f"{name} {parameter.name}"
    for name in COMMANDS:
        printed = command(name, "--help").out
        for owner, parameter in found:
            if owner == name:
                assert parameter.opts[0] in printed
                assert parameter.help.split()[0] in printed


def test_without_a_command_there_is_help(command: Command) -> None:
    outcome = command()
    assert outcome.code == 2
    assert "Usage:" in outcome.out + outcome.err


def test_help_is_quick() -> None:
    # Of its own work: on a machine that does other things as well the clock says little.
    def seconds() -> float:
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        arguments = [sys.executable, "-m", "automl_cl", "--help"]
        subprocess.run(arguments, check=True, capture_output=True)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime

    assert min(seconds() for _ in range(3)) < 0.5


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, automl_cl.command.cli; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    imported = set(run.stdout.split())
    assert "automl_cl.command.cli" in imported
    assert not imported & {"torch", "ray", "numpy", "pyarrow", "optuna"}


def test_the_version(command: Command) -> None:
    assert automl_cl.__version__ == version("automl-cl")
    outcome = command("--version")
    assert (outcome.code, outcome.out) == (0, f"automl-cl {automl_cl.__version__}\n")


def test_a_search_without_a_mistake_starts_ray(
    command: Command, write_npz: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise RuntimeError("here is Ray")

    monkeypatch.setattr(ray, "init", refuse)
    outcome = command("search", "curriculum", "--data", write_npz())
    assert outcome.code == 2
    assert "here is Ray" in outcome.err


@pytest.mark.parametrize(
    ("data", "located"),
    [
        ("toy.npz", "{here}/toy.npz"),
        ("./toy.npz", "{here}/toy.npz"),
        ("idx", "{here}/idx"),
        ("digits", "digits"),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion_mnist", "fashion_mnist"),
        ("sinusoid", "sinusoid"),
    ],
)
def test_data_can_be_found_again_from_anywhere(
    command: Command,
    write_npz: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: str,
    located: str,
) -> None:
    def remember(spec: SearchSpec, *others: object, **how: object) -> None:
        specs.append(spec)
        raise ClusterError("that is enough")

    specs: list[SearchSpec] = []
    monkeypatch.setattr(driver, "start", remember)
    write_npz()
    for folder in ("idx", "digits", "fashion-mnist", "sinusoid"):  # a folder does not hide a name
        (tmp_path / folder).mkdir()
    command("search", "curriculum", "--data", data)
    with pytest.raises(ClusterError):
        automl_cl.search("curriculum", data)
    assert [spec.data for spec in specs] == 2 * [located.format(here=tmp_path)]


def test_the_end_of_a_search_is_told(
    command: Command, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = read_events(run_folder / "journal.jsonl")
    table = replayed(events)
    verdict = table.verdicts[-1].verdict

    def finish(*arguments: object) -> SearchResult:
        return SearchResult(RunFolder(run_folder), load_scenario("curriculum"), table, verdict)

    monkeypatch.setattr(driver, "resume", finish)
    outcome = command("resume", run_folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert "anti_curriculum" in outcome.out, "the leaderboard"
    assert verdict["reason"] in outcome.out.splitlines()
    assert f"tuned config: {run_folder / 'tuned.yaml'}" in outcome.out.splitlines()
    assert f"automl-cl train {run_folder / 'tuned.yaml'}" in outcome.out


def test_a_search_that_was_interrupted(
    command: Command, begun_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> SearchResult:
        table = replayed(read_events(begun_run / "journal.jsonl"))
        return SearchResult(RunFolder(begun_run), load_scenario("curriculum"), table, None)

    monkeypatch.setattr(driver, "resume", stop)
    outcome = command("resume", begun_run)
    assert outcome.code == 130
    assert f"automl-cl resume {begun_run}" in outcome.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ClusterError("no node has a GPU"), 2, "Error: no node has a GPU"),
        (VerdictImpossible("no baseline"), 1, "Error: no baseline"),
        (OSError(28, "No space left on device", "/data/x"), 2, "Error: /data/x: No space left"),
    ],
)
def test_what_the_user_can_mend_is_told_in_one_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, said: str
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(export, "train_tuned", fail)
    outcome = command("train", "tuned.yaml")
    assert outcome.code == code
    assert outcome.err.startswith(said)
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("a bug"), KeyError("a bug")])
def test_a_bug_keeps_its_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(export, "train_tuned", fail)
    outcome = command("train", "tuned.yaml")
    assert outcome.code == 1
    assert outcome.err.startswith("Traceback") and type(error).__name__ in outcome.err
    assert "a bug" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_given_twice_is_refused(command: Command, name: str) -> None:
    group: Any = typer.main.get_command(app)
    single = [
        each
        for each in group.commands[name].params
        if each.param_type_name == "option" and not each.multiple
    ]
    if name in ("search", "resume", "train"):
        assert len(single) > 5
    for each in single:
        value = [] if each.is_flag else ["1"]
        for flag in {each.opts[0], each.opts[-1], *each.secondary_opts[:1]}:
            outcome = command(name, each.opts[0], *value, flag, *value)
            assert outcome.code == 2, outcome
            assert len(outcome.err.splitlines()) == 1
            assert each.opts[0] in outcome.err and "given 2 times" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "--seeds", "nan"], "'--seeds': got 'nan', expected a whole number;"),
        (["search", "--trials=1e3"], "'--trials': got '1e3', expected a whole number;"),
        (["search", "--max-epochs", ""], "'--max-epochs': got '', expected a number;"),
        (["train", "t.yaml", "--seed", "one"], "'--seed': got 'one', expected a whole number;"),
    ],
)
def test_a_number_that_is_none_is_refused_with_what_was_given(
    command: Command, arguments: list[str], words: str
) -> None:
    outcome = command(*arguments)
    assert outcome.code == 2 and words in outcome.err, outcome
    assert len(outcome.err.splitlines()) == 1


def test_an_option_of_the_search_given_twice_to_submit_is_refused(command: Command) -> None:
    asked = ["submit", "search.yaml", "--address", "http://127.0.0.1:1"]
    for twice in (["--seed", "1", "--seed=2"], ["--from", "other.yaml"]):
        outcome = command(*asked, *twice)
        assert outcome.code == 2 and "given 2 times" in outcome.err, outcome


def test_a_list_may_go_on(command: Command) -> None:
    asked = ["search", "curriculum", "--data", "digits", "--set", "a=1", "--set", "b=2"]
    assert "given 2 times" not in command(*asked).err

"""Code that an exchanged file names: it runs only for those who trust it or have named it."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
import yaml
from safetensors.torch import save_file

import automl_cl
from automl_cl.command.submission import package
from automl_cl.engine import driver
from automl_cl.run.events import Ask
from automl_cl.run.folder import RunFolder
from automl_cl.run.journal import read_events
from automl_cl.spec.search_spec import SearchSpec, spec_of
from automl_cl.spec.trust import code_of_run, code_of_spec, trust_flag
from search_spaces import InputError, to_config
from trainables.foundation.user_code import Code, UserFunction, code_in, guarded
from trainables.learning.pretraining import _ABOUT
from trainables.parts.models.mlp import MLP

from .conftest import SMALL, Command, WriteNpz, search_here, train_here, without_ray

MODULE = "code_of_a_stranger"
CODE = """
import math, pathlib
import numpy as np
from torch import nn

pathlib.Path({mark!r}).touch()

def load():
    rng, labels = np.random.default_rng(0), np.arange(120) % 3
    return {{"x": rng.normal(size=(120, 4)) + 3.0 * labels[:, None], "y": labels}}

def net(shape, classes):
    return nn.Sequential(nn.Linear(math.prod(shape), 8), nn.Tanh(), nn.Linear(8, classes))
"""


@dataclass(frozen=True)
class Stranger:
    """Somebody's module, a finished run of it, and the mark that it leaves when imported."""

    folder: Path
    run: Path
    mark: Path


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """To be read only: see `run`."""
    base = tmp_path_factory.mktemp("stranger")
    found = Stranger(base / "code", base / "run", base / "it_ran")
    found.folder.mkdir()
    (found.folder / f"{MODULE}.py").write_text(CODE.format(mark=str(found.mark)))
    model = {"address": f"{MODULE}:net", "folder": str(found.folder)}
    spec = SearchSpec(
        "curriculum", f"{MODULE}:load", data_options={"folder": str(found.folder)},
        model=f"{MODULE}:net", space={**SMALL, "model": model}, trials=2, max_epochs=1.0,
        seeds=3, no_history=True,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(found.folder), *sys.path])
        search_here(spec, found.run, train_here)
    assert (found.run / "tuned.yaml").exists() and found.mark.exists()
    return found


@pytest.fixture
def mark(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is there once the stranger's module was imported in this test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was started"))
    forget(stranger.mark)
    yield stranger.mark
    forget(stranger.mark)


@pytest.fixture
def folder(stranger: Stranger, mark: Path) -> Path:
    """The folder of the stranger's module."""
    return stranger.folder


@pytest.fixture
def run(stranger: Stranger, mark: Path, tmp_path: Path) -> Path:
    """A copy of the stranger's run."""
    return Path(shutil.copytree(stranger.run, tmp_path / "run"))


def forget(mark: Path) -> None:
    """Has the next import of the module run it anew."""
    sys.modules.pop(MODULE, None)
    mark.unlink(missing_ok=True)


Arguments = Callable[[Path], list[object]]
# What every command does with an exchanged run folder or a file of one that names code.
RUNNING: dict[str, Arguments] = {
    "resume": lambda run: ["resume", run],
    "extended": lambda run: ["resume", run, "--trials", "9"],
    "verdict now": lambda run: ["resume", run, "--verdict-now"],
    "fork": lambda run: ["fork", run, "--output", run.parent / "fork"],
    "train": lambda run: ["train", run / "tuned.yaml", "--output", run.parent / "trained"],
    "weights": lambda run: ["export", run, "--to", run.parent / "new.yaml", "--weights"],
    "search": lambda run: ["search", "--from", run / "search.yaml"],
    "model only": lambda run: ["search", "--from", run / "search.yaml", "--data", "digits"],
    "data only": lambda run: ["search", "--from", run / "search.yaml", "--model", "mlp"],
    "submit": lambda run: ["submit", run / "search.yaml", "--address", "http://127.0.0.1:1"],
}
# What needs no code, and so asks for no trust.
READING: dict[str, Arguments] = {
    "report": lambda run: ["report", run],
    "studies": lambda run: ["dashboard", run, "--export-only"],
    "export": lambda run: ["export", run, "--to", run.parent / "new.yaml"],
    "describe": lambda run: ["describe", f"{MODULE}:load"],
}


@pytest.mark.parametrize("name", RUNNING)
def test_a_strangers_code_is_not_run_by(
    command: Command, run: Path, mark: Path, name: str
) -> None:
    outcome = command(*RUNNING[name](run))
    assert not mark.exists()
    assert outcome.code == 2 and "Traceback" not in outcome.err
    assert len(outcome.err.splitlines()) == 1, outcome.err
    assert MODULE in outcome.err and "--trust-code" in outcome.err


@pytest.mark.parametrize("name", READING)
def test_what_only_reads_runs_nothing(command: Command, run: Path, mark: Path, name: str) -> None:
    outcome = command(*READING[name](run))
    assert not mark.exists()
    assert outcome.code == (2 if name == "describe" else 0), outcome
    assert "--trust-code" not in outcome.err


def test_trusted_code_runs(command: Command, run: Path, mark: Path) -> None:
    with without_ray(train_here):
        outcome = command("resume", run, "--trust-code", "--trials", "3")
    assert outcome.code == 0, outcome
    assert mark.exists()
    assert f"automl-cl train {run / 'tuned.yaml'} --trust-code" in outcome.out
    for name in ("train", "weights"):
        forget(mark)
        outcome = command(*RUNNING[name](run), "--trust-code")
        assert outcome.code == 0, outcome
        assert mark.exists()


def test_code_named_on_this_command_line_runs(
    command: Command, folder: Path, mark: Path, write_npz: WriteNpz, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(SMALL))
    shutil.copy(folder / f"{MODULE}.py", tmp_path)
    own = ["--data", f"{MODULE}:load", "--model", f"{MODULE}:net"]
    small = ["--trials", 2, "--max-epochs", 1, "--seeds", 3, "--no-history"]
    with without_ray(train_here):
        outcome = command(
            "search", "curriculum", *own, *small, "--space", space, "--output", "own"
        )
    assert outcome.code == 0, outcome
    assert mark.exists()
    # What the run folder names is not on the command line of who goes on with it.
    assert command("resume", tmp_path / "own").code == 2


def test_an_address_on_the_command_line_is_no_leave_for_a_folder_in_a_file(
    command: Command, folder: Path, mark: Path, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    text = {"model.address": f"{MODULE}:net", "model.folder": str(folder)}
    space.write_text(yaml.safe_dump(text))
    asked = ["search", "curriculum", "--data", "digits", "--space", space]
    for model in ([], ["--model", f"{MODULE}:net"]):
        outcome = command(*asked, *model)
        assert outcome.code == 2 and "--trust-code" in outcome.err, outcome
        assert not mark.exists()


def test_other_data_by_address_is_not_looked_for_in_the_files_folder(
    command: Command, run: Path, mark: Path, tmp_path: Path
) -> None:
    content = yaml.safe_load((run / "tuned.yaml").read_text())
    content["config"]["model"] = to_config(MLP(width=8))
    mlp = tmp_path / "mlp.yaml"
    mlp.write_text(yaml.safe_dump(content, sort_keys=False))
    outcome = command("train", mlp, "--data", f"{MODULE}:load", "--output", tmp_path / "out")
    assert outcome.code == 2 and not mark.exists()
    assert "module" in outcome.err  # it is not there


def test_a_backbone_of_a_stranger_names_no_code(
    command: Command, folder: Path, mark: Path, tmp_path: Path
) -> None:
    sizes = {"address": f"{MODULE}:net", "folder": str(folder)}
    about = {"model": "function", "sizes": json.dumps(sizes), "data": "x", "accuracy": "1.0"}
    beside = {
        f"{_ABOUT}mean": torch.zeros(1), f"{_ABOUT}scale": torch.ones(1),
        f"{_ABOUT}examples": torch.zeros(1, dtype=torch.int64),
    }  # fmt: skip
    save_file(beside, tmp_path / "backbone.safetensors", metadata=about)
    stream = ["--data", "digits", "--set", "tasks=5", "--set", "dev_tasks=2"]
    outcome = command("search", "continual", *stream, "--set", "backbone=backbone.safetensors")
    assert outcome.code == 2 and not mark.exists(), outcome
    assert "--trust-code" in outcome.err


def test_python_asks_too(run: Path, mark: Path) -> None:
    tuned = automl_cl.load(run / "tuned.yaml")
    parameters = [torch.nn.Parameter(torch.zeros(2))]
    tuned.schedule(tuned.optimizer(parameters), 10)
    tuned.curriculum()
    for refused in (tuned.recipe, tuned.view, tuned.fit, lambda: driver.resume(run)):
        with pytest.raises(InputError, match="trust"):
            refused()
    assert not mark.exists()
    trusted = automl_cl.load(run / "tuned.yaml", trust_code=True)
    assert trusted.fit().metrics and mark.exists()


def test_what_is_made_in_python_is_the_callers_own(run: Path, mark: Path) -> None:
    tuned = automl_cl.load(run / "tuned.yaml")
    assert replace(tuned, verdict={}).trusted is False
    assert replace(tuned, trusted=True).view() and mark.exists()


def test_every_trials_config_counts(run: Path, folder: Path) -> None:
    events = read_events(run / "journal.jsonl")
    spec = spec_of(events, RunFolder(run))
    found = {(each.what, each.address, each.folder) for each in code_of_run(spec, events)}
    assert found == {
        ("--data", f"{MODULE}:load", str(folder)),
        ("--model", f"{MODULE}:net", ""),
        ("--model", f"{MODULE}:net", str(folder)),
    }
    config = {"model": {"name": "function", "address": "other:net", "folder": "/tmp/x"}}
    plain = SearchSpec("curriculum", "digits")
    asked = next(each for each in events if isinstance(each, Ask))
    assert code_of_run(plain, [replace(asked, config=config)]) == [Code("other:net", "/tmp/x")]


def test_a_job_has_the_trust_of_who_submitted_it(run: Path, tmp_path: Path) -> None:
    spec = SearchSpec("curriculum", "digits")
    assert "--trust-code" not in package(spec, tmp_path, [], None).command
    own = replace(spec, model="my_models:net")
    assert " --trust-code " in package(own, tmp_path, [], None).command
    assert trust_flag(own) == " --trust-code" and trust_flag(spec) == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": {"name": "function", "address": "a:b"}}, [Code("a:b")]),
        ({"model": {"function": {"address": "a:b", "folder": "/x"}}}, [Code("a:b", "/x")]),
        ({"model.address": "a.b:c", "model.folder": "/x"}, [Code("a.b:c", "/x")]),
        ({"model.function.address": ["a:b", "c:d"]}, [Code("a:b"), Code("c:d")]),
        ({"model": {"address": "hf:owner/name"}}, []),
        ({"model.folder": "/x"}, [Code("", "/x")]),
        ({"model": {"function": {"folder": "/x"}}}, [Code("", "/x")]),
        ({"model": {"name": "function", "address": "", "folder": ""}}, []),
        ({"algorithm": ["superloss"], "optimizer.lr": {"low": 0.1}}, []),
        ([{"config": {"model": {"address": "a:b"}}}, {"value": "c:d"}], [Code("a:b")]),
    ],
)
def test_code_is_found_wherever_it_is_named(given: Any, expected: list[Code]) -> None:
    assert code_in(given) == expected


def test_settings_can_name_code_too() -> None:
    spec = SearchSpec("continual", "digits", settings={"transfer_data": "a:load", "tasks": 5})
    assert code_of_spec(spec) == [Code("a:load", "", "--set transfer_data")]


def test_a_setting_on_the_command_line_is_no_leave_for_one_in_the_file(
    command: Command, mark: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    settings = {"tasks": 5, "hpo_protocol": "transfer", "transfer_data": f"{MODULE}:load"}
    search = {"scenario": "continual", "data": "digits", "settings": settings}
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(search))
    outcome = command("search", "--from", "search.yaml", "--set", "memory=300")
    assert outcome.code == 2 and not mark.exists()
    assert "--set transfer_data" in outcome.err and "--trust-code" in outcome.err
    outcome = command("search", "--from", "search.yaml", "--set", f"transfer_data={MODULE}:load")
    assert mark.exists() and "--trust-code" not in outcome.err, outcome


def test_the_guard_holds_whatever_leads_there(folder: Path, mark: Path) -> None:
    address = f"{MODULE}:load"
    with guarded("a file", False), pytest.raises(InputError, match="a file names code"):
        UserFunction(address, str(folder), "--data")
    with guarded("a file", False, [Code(address)]):
        with pytest.raises(InputError, match="a file names code"):
            UserFunction(address, str(folder), "--data")
    assert not mark.exists()
    with guarded("a file", False, [Code(address, str(folder))]):
        UserFunction(address, str(folder), "--data")
    assert mark.exists()


def test_only_one_module_imports_what_an_address_names() -> None:
    root = Path(automl_cl.__file__).parents[1]
    importing = {
        path.relative_to(root).as_posix()
        for package in ("automl_cl", "trainables", "search_spaces", "cluster")
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == "import_module")
        or (isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval"))
    }
    assert importing == {
        "trainables/foundation/user_code.py",
        # Our own modules, by names that are looked up in our own folders.
        "trainables/data/registry.py",
        "trainables/scenarios/scenario.py",
        "search_spaces/parts.py",
    }  # fmt: skip


def test_code_that_comes_with_a_model_of_transformers_is_never_run(
    command: Command, mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "own.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
    own = {"AutoConfig": "own.Config", "AutoModelForImageClassification": "own.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": own}))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asked"))
    np.savez(tmp_path / "images.npz", x=np.random.rand(60, 8, 8), y=np.arange(60) % 3)
    for trust in ([], ["--trust-code"]):
        outcome = command(
            "search", "curriculum", "--data", "images.npz", "--model", f"hf:{folder}", *trust
        )
        assert outcome.code == 2 and not mark.exists(), outcome

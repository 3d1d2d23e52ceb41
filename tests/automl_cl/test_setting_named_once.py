"""A setting is named once: what a field of `Settings` brings to the command line and to Python."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import automl_cl
from automl_cl.engine import driver
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.spec.settings import Request, named_settings
from search_spaces import InputError

# The module of settings with one more field, and everything else as it is.
ONE_MORE = """
import inspect, sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

path = Path(sys.argv[1])
field = '''
    patience: Annotated[
        int | None, Setting("Trials to wait for.", Whole(1, 9), TUNING, in_fork=True)
    ] = None

    def __post_init__'''
text = path.read_text().replace("\\n    def __post_init__", field, 1)
assert text != path.read_text()
read = SourceFileLoader.get_code
SourceFileLoader.get_code = lambda self, name: (
    compile(text, str(path), "exec") if name == "automl_cl.spec.settings" else read(self, name)
)

import automl_cl
from automl_cl.command.cli import app
from automl_cl.engine import driver
from automl_cl.spec.search_spec import SearchSpec

for command in ("search", "fork"):
    try:
        app([command, "--help"])
    except SystemExit:
        pass
found = []
def start(spec, *others, **how):
    found.append(spec)
    raise KeyboardInterrupt
driver.start = start
try:
    app(["search", "curriculum", "--data", "digits", "--patience", "7"])
except (SystemExit, KeyboardInterrupt):
    pass
try:
    automl_cl.search("curriculum", "digits", patience=7)
except KeyboardInterrupt:
    pass
known = "patience" in inspect.signature(automl_cl.search).parameters
print([spec.patience for spec in found], known)
try:
    SearchSpec("curriculum", "digits", patience=10)
except ValueError as error:
    print(error)
written = SearchSpec("curriculum", "digits", patience=3).to_dict()
print(SearchSpec.from_dict(written, "here").patience)
"""


def test_a_new_setting_touches_one_file() -> None:
    settings = Path(inspect.getfile(Request))
    ended = subprocess.run(
        [sys.executable, "-c", ONE_MORE, str(settings)], capture_output=True, text=True, check=True
    )
    assert ended.stdout.count("--patience") >= 2, "in the help of search and fork"
    assert ended.stdout.count("Trials to wait for.") == 2
    assert ended.stdout.splitlines()[-3:] == [
        "[7, 7] True",
        "--patience: got 10, expected a whole number from 1 to 9.",
        "3",
    ]


class Started(Exception):
    """Raised in place of a search."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SearchSpec, tuple[Any, ...]]]:
    """What `automl_cl.search` would run, and how."""
    found: list[Any] = []

    def start(spec: SearchSpec, *others: Any, **how: Any) -> None:
        found.append((spec, others))
        raise Started

    monkeypatch.setattr(driver, "start", start)

    def ask(*given: Any, **settings: Any) -> Any:
        with pytest.raises(Started):
            automl_cl.search(*given, **settings)
        return found[-1]

    return ask


def test_python_takes_the_values_of_the_command_line(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text("algorithm: [superloss]\n")
    spec, others = asked(
        "semi_supervised",
        "digits",
        space=str(tmp_path / "space.yaml"),
        time_limit="1h30m",
        hang_seconds="none",
        max_memory="1.5GB",
        workers_per_trial="2-4",
        noise_map="a=b",
        noise=0.4,
        labels=40,
        image_size="8",
        data_options={"missing": "mean"},
        objectives=["compute"],
        output="somewhere",
    )
    assert spec.space == {"algorithm": ["superloss"]}
    assert (spec.time_limit, spec.hang_seconds, spec.max_memory) == (5400.0, None, 1_500_000_000)
    assert (spec.workers, spec.noise, spec.noise_map) == ((2, 4), "0.4", {"a": "b"})
    assert spec.settings == {"labels": 40}
    assert spec.data_options == {"missing": "mean", "image_size": "8"}
    assert (spec.objectives, others) == (("compute",), ("somewhere", None))
    assert SearchSpec.from_dict(spec.to_dict(), "here") == spec
    assert asked("curriculum", "digits", space="quick")[0].space != {}
    assert asked(scenario="curriculum", data="digits")[0] == SearchSpec("curriculum", "digits")
    # As on the command line: without a map it is found, not another noise.
    assert asked("curriculum", "digits", noise="asymmetric:0.2")[0].noise == "asymmetric:0.2"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trails": 3}, "unknown setting in search() 'trails'. Did you mean 'trials'?"),
        ({"time_limit": "10 m"}, "--time-limit: got '10 m', expected seconds, or an amount"),
        ({"space": "quik"}, "unknown space file or preset 'quik'. Did you mean 'quick'?"),
        ({"labels": 3, "settings": {"labels": 4}}, "--set: 'labels' is given twice"),
        ({"image_size": "8", "data_options": {"image_size": "9"}}, "--data-option: 'image_size'"),
    ],
)
def test_python_refuses_as_the_command_line_does(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        automl_cl.search("curriculum", "digits", **given)
    assert said in str(refused.value)


def test_a_space_file_in_python_runs_code_only_if_trusted(asked: Any, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text("model.address: own:net\n")
    with pytest.raises(InputError, match="own:net"):
        automl_cl.search("curriculum", "digits", space=path)
    assert asked("curriculum", "digits", space=path, trust_code=True)[0].space
    assert asked("curriculum", "digits", space={"model.address": "own:net"})[0].space


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90", 90), (90, 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1d1h", 90_000)],
)
def test_times_are_seconds_or_amounts(given: Any, seconds: float) -> None:
    assert SearchSpec("curriculum", "digits", time_limit=given).time_limit == seconds
    assert SearchSpec("curriculum", "digits", hang_seconds=given).hang_seconds == seconds


@pytest.mark.parametrize("given", ["m", "10 m", "-5m", "10m5", "1m.", "nan", "inf", "", True, [5]])
def test_what_is_no_time_is_refused(given: Any) -> None:
    with pytest.raises(InputError, match="--time-limit: got"):
        SearchSpec("curriculum", "digits", time_limit=given)


def test_every_setting_says_what_it_is() -> None:
    for each in named_settings(Request).values():
        assert each.setting.help.endswith(".")
        whole = each.setting.part_of
        assert whole is None or whole in named_settings(SearchSpec)
    assert list(named_settings(SearchSpec)) == list(SearchSpec("curriculum", "digits").to_dict())

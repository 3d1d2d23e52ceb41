"""The presets that come with the package, and how a space file is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces import InputError, coordinates, narrowed, read_narrowing
from search_spaces.narrowing import PRESETS
from trainables.data import DataSpec, load_view
from trainables.scenarios.scenario import load_scenario, scenario_names

NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def test_there_are_presets() -> None:
    assert "quick" in NAMES


@pytest.mark.parametrize("scenario", scenario_names())
@pytest.mark.parametrize("name", NAMES)
def test_a_preset_leaves_less_to_search_in_every_scenario(name: str, scenario: str) -> None:
    whole = load_scenario(scenario).space(load_view(DataSpec("digits")))
    left = narrowed(whole, read_narrowing(name))
    assert len(coordinates(left)) < len(coordinates(whole))
    assert left.options("algorithm") == whole.options("algorithm")


def test_a_file_goes_before_a_preset_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick").write_text("schedule: cosine\n")
    assert read_narrowing("quick") == {"schedule": "cosine"}


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'quick'"):
        read_narrowing("quik")


def test_a_missing_file_is_told_by_its_name() -> None:
    with pytest.raises(InputError, match=r"nowhere\.yaml"):
        read_narrowing("nowhere.yaml")

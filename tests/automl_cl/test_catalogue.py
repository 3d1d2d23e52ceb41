from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from automl_cl.command import catalogue
from automl_cl.command.catalogue import UNTUNED, described, entries, kinds
from search_spaces import InputError
from trainables.parts.optimizer import Optimizer
from trainables.parts.optimizers.adamw import AdamW
from trainables.scenarios.scenario import load_scenario

Command = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class OtherRecipe:
    optimizer: Optimizer = AdamW()


class OtherScenario:
    """A scenario with optimizers and nothing else."""

    name, recipe = "other", OtherRecipe

    @staticmethod
    def own_data() -> dict[str, type]:
        return {}


@pytest.fixture
def second_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        return OtherScenario if name == "other" else load_scenario(name)

    monkeypatch.setattr(catalogue, "scenario_names", lambda: ["curriculum", "other"])
    monkeypatch.setattr(catalogue, "load_scenario", load)


def test_what_there_is_to_list() -> None:
    promised = {"algorithms", "data", "models", "optimizers", "schedules", "scenarios"}
    assert promised <= set(kinds())
    assert {"pacings", "scorers", "augmentations"} <= set(kinds()), "those inside algorithms too"
    assert kinds() == sorted(set(kinds()))


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_lists_something_that_can_be_described(kind: str) -> None:
    listed = entries(kind)
    assert listed
    for entry in listed:
        assert entry["what"], entry
        found = [each for each in described(entry["name"]) if f"{each.kind}s".startswith(kind)]
        assert len(found) == 1, entry
        assert found[0].text.startswith(entry["what"])


def test_data_that_one_scenario_has_alone_is_listed_as_its_own() -> None:
    for scenario in (None, "meta_learning"):
        listed = {entry["name"]: entry["scenario"] for entry in entries("data", scenario)}
        assert listed["sinusoid"] == "meta_learning"
        assert listed["digits"] == "any"
    assert "sinusoid" not in {entry["name"] for entry in entries("data", "curriculum")}


def test_published_values_of_other_sections_are_described_too() -> None:
    (slca,) = described("slca")
    shown = {each["name"]: each["default"] for each in slca.hyperparameters}
    assert shown["slow"] == "0.01" and shown["optimizer"] == "sgd"
    assert (shown["optimizer.lr"], shown["training.batch_size"]) == ("0.01", "128")


def test_a_part_is_described_with_all_its_hyperparameters() -> None:
    (superloss,) = described("superloss")
    assert superloss.kind == "algorithm"
    searched = "a number from 0.1 to 10 (log)"
    assert superloss.hyperparameters == [
        {"name": "lam", "default": "1.0", "allowed": f"{searched}; legal: a number above 0"},
        {"name": "threshold", "default": "average", "allowed": "one of average, log_classes"},
    ]
    (self_paced,) = described("self_paced")
    pacing = self_paced.hyperparameters[0]
    assert (pacing["name"], pacing["default"]) == ("pacing", "linear")
    names = (
        "baby_step, exponential, fixed_exponential, geometric, linear, logarithmic, polynomial, "
        "root, step"
    )
    assert pacing["allowed"] == f"one of {names}"
    assert self_paced.hyperparameters[2]["allowed"].endswith("; only with weighting polynomial")
    (baby_step,) = (each for each in described("baby_step") if each.kind == "algorithm")
    pacing = baby_step.hyperparameters[0]
    assert (pacing["default"], pacing["allowed"]) == ("baby_step", "one of baby_step")
    (mlp,) = described("mlp")
    assert mlp.hyperparameters[0]["allowed"] == "a whole number from 1 to 65536, not searched"


def test_the_section_without_options_can_be_described() -> None:
    (training,) = described("training")
    names = [each["name"] for each in training.hyperparameters]
    assert names == ["epochs", "batch_size", "selection"]


@pytest.mark.usefixtures("second_scenario")
def test_only_what_belongs_to_a_scenario() -> None:
    assert {entry["scenario"] for entry in entries("optimizers")} == {"curriculum", "other"}
    mine = entries("optimizers", "other")
    assert {entry["name"] for entry in mine} >= {"adamw", "sgd"}
    assert {entry["scenario"] for entry in mine} == {"other"}
    assert entries("algorithms", "other") == []
    assert {entry["scenario"] for entry in entries("algorithms", "curriculum")} == {"curriculum"}


def test_schedulers_and_samplers_belong_to_every_scenario() -> None:
    assert {entry["name"] for entry in entries("schedulers", "continual")} >= {"asha", "none"}
    assert {entry["scenario"] for entry in entries("samplers")} == {"any"}
    (rungs,) = described("trusted_rungs")
    assert (rungs.kind, rungs.hyperparameters[0]["name"]) == ("scheduler", "eta")


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="Did you mean 'models'"):
        entries("modles")
    with pytest.raises(InputError, match="Did you mean 'curriculum'"):
        entries("models", "curiculum")
    with pytest.raises(InputError, match="Did you mean 'superloss'"):
        described("superlos")


@pytest.mark.parametrize("kind", kinds())
def test_the_list_that_is_printed(command: Command, kind: str) -> None:
    outcome = command("list", kind)
    assert outcome.code == 0
    printed = [line.split()[0] for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert printed[0] == "name"
    assert printed[1:] == [entry["name"] for entry in entries(kind)]


def test_the_description_that_is_printed(command: Command) -> None:
    printed = command("describe", "sgd").out
    for word in ("sgd", "optimizer", "Nesterov", "momentum", "0.9", "from 0.5 to 0.99"):
        assert word in printed
    assert "no hyperparameters" in command("describe", "plain").out
    assert "setting" in command("describe", "trusted_rungs").out
    assert "no settings" in command("describe", "forest").out
    for name in ("digits", "curriculum"):
        assert "hyperparameter" not in command("describe", name).out
    assert {each.kind for name in ("digits", "curriculum") for each in described(name)} == set(
        UNTUNED
    )

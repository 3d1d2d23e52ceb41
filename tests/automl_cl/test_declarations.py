"""What an algorithm declares is honoured in every scenario: a toy for each declaration, in each.

The toy is one file in the scenario's package that subclasses the baseline.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
import torch

from automl_cl.run.events import Plan
from automl_cl.run.problem_event import problem_of
from automl_cl.run.trial import Trial
from automl_cl.run.trial_table import TrialTable
from automl_cl.spec.preparation import Prepared, prepare
from automl_cl.spec.search_spec import SearchSpec
from automl_cl.strategy.stages import verdict_plan
from automl_cl.verdict.judge import judge, words
from search_spaces import InputError, option
from trainables.learning.algorithm import Algorithm
from trainables.scenarios.scenario import Scenario, load_scenario, scenario_names

CPU = torch.device("cpu")
SETTINGS: dict[str, dict[str, Any]] = {
    "curriculum": {},
    "semi_supervised": {"labels": 30},
    "continual": {"tasks": 5, "dev_tasks": 2},
    "meta_learning": {"ways": 2, "queries": 3, "validation_episodes": 10, "test_episodes": 20},
}
TOY = '''"""A toy."""

from dataclasses import dataclass, field

import torch

from {module} import {base}


@dataclass(frozen=True)
class Toy({base}):
    """A toy."""

{body}
'''
UNSUITED = """    @classmethod
    def unsuited(cls, model, input_shape):
        assert isinstance(model, torch.nn.Module)
        wide = any(layer.out_features > 100 for layer in model.modules()
                   if isinstance(layer, torch.nn.Linear))
        return f"it is for narrow networks on {input_shape}" if wide else None
"""
GIVEN = """    def was_given(self, examples):
        return f"a teacher of {len(examples)} examples"
"""
Searched = Callable[..., Prepared]
every_scenario = pytest.mark.parametrize("scenario", scenario_names())


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], type[Algorithm]]:
    """Puts a file `toy.py` with this class body among a scenario's algorithms."""

    def make(scenario: str, body: str) -> type[Algorithm]:
        kind, folder = load_scenario(scenario), tmp_path / scenario
        base, package = option(kind.algorithm, kind.baseline), kind.algorithm.options_in
        folder.mkdir()
        (folder / "toy.py").write_text(
            TOY.format(module=base.__module__, base=base.__name__, body=body)
        )
        found: Any = importlib.import_module(package)
        monkeypatch.setattr(found, "__path__", [*found.__path__, str(folder)])
        monkeypatch.setitem(sys.modules, f"{package}.toy", None)  # type: ignore[arg-type]
        del sys.modules[f"{package}.toy"]
        importlib.invalidate_caches()
        made: type[Algorithm] = option(kind.algorithm, "toy")
        return made

    return make


@pytest.fixture
def searched(tmp_path: Path) -> Searched:
    """A search prepared on ten classes of twelve examples, with a column `hard`."""
    rng = np.random.default_rng(0)
    rows = [
        [*rng.normal(label, size=4).round(3), rng.random().__round__(3), f"c{label}"]
        for label in range(10)
        for _ in range(12)
    ]
    path = tmp_path / "ten.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in [[*"abcd", "hard", "y"], *rows]))

    def make(scenario: str, column: bool = False, **given: Any) -> Prepared:
        options = {"label_column": "y", **({"difficulty_column": "hard"} if column else {})}
        own = SETTINGS[scenario]
        spec = SearchSpec(scenario, str(path), settings=own, data_options=options, **given)
        return prepare(spec)

    return make


def arms_of(prepared: Prepared) -> list[str]:
    return prepared.space.options("algorithm")


def default_of(prepared: Prepared, arm: str = "toy") -> dict[str, Any]:
    return prepared.space.only("algorithm", arm).default()


@every_scenario
def test_it_is_offered_only_where_its_column_is(toy, searched: Searched, scenario: str) -> None:
    toy(scenario, '    needs_column = "difficulty"\n    column_from = "name one"\n')
    assert "toy" not in arms_of(searched(scenario))
    assert "toy" in arms_of(searched(scenario, column=True))


@every_scenario
def test_training_examples_have_the_column(toy, searched: Searched, scenario: str) -> None:
    """The values of an algorithm's column can be read in training, where it was offered."""
    prepared = searched(scenario, column=True)
    data: Any = prepared.scenario.on_device(prepared.view, CPU)
    inside = data.training if scenario == "meta_learning" else data.train
    assert inside.columns["difficulty"].dtype == torch.float32
    examples = inside.examples if scenario == "meta_learning" else len(inside)
    assert len(inside.columns["difficulty"]) == examples
    if scenario == "continual":
        seen = data.development.train
        assert len(seen.columns["difficulty"]) == len(seen)


@every_scenario
def test_it_is_left_out_where_it_is_unsuited(toy, searched: Searched, scenario: str) -> None:
    toy(scenario, UNSUITED)
    narrow, wide = {"model.mlp.width": 16}, {"model.mlp.width": 128}
    assert "toy" in arms_of(searched(scenario, space=narrow))
    prepared = searched(scenario, space=wide)
    assert "toy" not in arms_of(prepared)
    baseline = load_scenario(scenario).baseline
    assert baseline in arms_of(prepared)
    with pytest.raises(InputError, match=r"'toy' cannot teach .*narrow networks on \(\d,\)"):
        searched(scenario, space={**wide, "algorithm": ["toy"]})
    config = default_of(searched(scenario, space={**narrow, "algorithm": ["toy"]}))
    prepared.scenario.require_suited(config, prepared.view)
    config["model"]["width"] = 128
    with pytest.raises(InputError, match="'toy' cannot teach this model"):
        prepared.scenario.require_suited(config, prepared.view)


@every_scenario
def test_a_win_with_extra_information_is_never_recommended(
    toy, searched: Searched, make_trial, table_of, scenario: str
) -> None:
    toy(scenario, '    extra_information = "the answers"\n')
    verdict = _verdict(searched(scenario), make_trial, table_of)
    assert verdict["challenger"]["extra_information"] == "the answers"
    assert verdict["baseline"]["extra_information"] is None
    assert verdict["recommended"] == "baseline"
    assert "(the answers): it is not recommended" in verdict["reason"]


@every_scenario
def test_without_extra_information_the_same_win_is(
    toy, searched: Searched, make_trial, table_of, scenario: str
) -> None:
    toy(scenario, "    pass\n")
    verdict = _verdict(searched(scenario), make_trial, table_of)
    assert verdict["recommended"] == "challenger"


@every_scenario
def test_the_challenger_is_one_without_extra_information_if_there_is_one(
    toy, searched: Searched, make_trial, table_of, scenario: str
) -> None:
    toy(scenario, '    extra_information = "the answers"\n')
    prepared, kind = searched(scenario), load_scenario(scenario)
    plain = next(
        name
        for name in arms_of(prepared)
        if name not in ("toy", kind.baseline)
        and kind.extra_information(default_of(prepared, name)) is None
    )
    trials = _search_trials(prepared, make_trial, [kind.baseline, "toy", plain])
    for source in range(3):
        trials += [
            make_trial(
                len(trials) + n, trials[source].arm, [0.9 - 0.1 * source], levels=[9.0],
                stage="confirm", source=source, seed=n, config=trials[source].config,
            )
            for n in range(3)
        ]  # fmt: skip
    told = [t.number for t in trials[:3] if kind.extra_information(t.config) is not None]
    assert told == [1]
    plan = verdict_plan(table_of(trials), kind.baseline, "max", told)
    assert (plan["challenger"], plan["secondaries"]) == (2, [1])


@every_scenario
def test_what_it_was_given_is_in_notes_and_verdict(
    toy, searched: Searched, make_trial, table_of, scenario: str
) -> None:
    toy(scenario, GIVEN)
    prepared = searched(scenario)
    said = f"a teacher of {len(prepared.view.train)} examples"
    problem = problem_of(prepared.scenario, prepared.view, prepared.space, prepared.model)
    assert problem.arms["toy"]["given"] == said
    assert problem.arms[prepared.scenario.baseline]["given"] is None
    verdict = _verdict(prepared, make_trial, table_of)
    assert verdict["challenger"]["was_given"] == said
    assert any(f"toy was given: {said}." in line for line in words(verdict))


@every_scenario
def test_what_needs_the_whole_model_is_left_out_where_it_is_divided(
    toy, searched: Searched, scenario: str
) -> None:
    toy(scenario, '    needs_whole_model = "it copies it"\n')
    kind = load_scenario(scenario)
    assert kind.needs_whole_model("toy") == "it copies it"
    if kind.needs_whole_model(kind.baseline) is not None:
        return
    shared = {"workers_per_trial": "2", "shard_model": True}
    assert "toy" not in arms_of(searched(scenario, **shared))
    with pytest.raises(InputError, match="'toy' cannot train with --shard-model: it copies it"):
        searched(scenario, space={"algorithm": ["toy"]}, **shared)


@every_scenario
def test_what_is_indivisible_refuses_parts_of_batches(
    toy, searched: Searched, scenario: str
) -> None:
    toy(scenario, '    indivisible = "it looks at whole batches"\n')
    prepared = searched(scenario, space={"model.mlp.width": 16})
    config = default_of(prepared)
    assert prepared.scenario.indivisible(config) == "it looks at whole batches"
    config["computing"] = {
        **{k: v for k, v in vars(prepared.scenario.recipe().computing).items()},
        "micro_batches": 2,
    }
    data = prepared.scenario.on_device(prepared.view, CPU)
    with pytest.raises(InputError, match="whole batches"):
        prepared.scenario.learner(config, data, 0, CPU).begin(1.0)


HELD = """    def hold(self, value):
        if "counter" not in self.networks:
            self.networks["counter"] = torch.nn.Linear(1, 1)
            self.optimizers["counter"] = torch.optim.Adam(self.networks["counter"].parameters())
            self.state["held"] = torch.zeros(1)
        loss = self.networks["counter"](value.detach().reshape(1, 1)).square().sum()
        self.optimizers["counter"].zero_grad()
        loss.backward()
        self.optimizers["counter"].step()
        self.state["held"] = self.state["held"] + value.detach()

    def {hook}(self, *given, **named):
        found = super().{hook}(*given, **named)
        self.hold({value})
        return found
"""
HOOKS = {
    "curriculum": ("loss_curriculum", "found", "model_prepare"),
    "semi_supervised": ("labelled_loss", "found", "prepare"),
    "continual": ("loss", "found", "optimizer"),
    "meta_learning": ("loss", "found", "build"),
}
MADE = """
    def {made}(self, *given, **named):
        torch.manual_seed(0)
        self.networks["counter"] = torch.nn.Linear(1, 1)
        self.optimizers["counter"] = torch.optim.Adam(self.networks["counter"].parameters())
        self.state.setdefault("held", torch.zeros(1))
        return super().{made}(*given, **named)
"""


@every_scenario
def test_networks_optimizers_and_state_are_saved_restored_and_its_own(
    toy, searched: Searched, scenario: str
) -> None:
    hook, value, made = HOOKS[scenario]
    toy(scenario, HELD.format(hook=hook, value=value) + MADE.format(made=made))
    prepared = searched(scenario, space={"model.mlp.width": 16, "training.batch_size": 8})
    config = default_of(prepared)
    data = prepared.scenario.on_device(prepared.view, CPU)
    first, second, other = (prepared.scenario.learner(config, data, 0, CPU) for _ in range(3))
    for each in (first, second, other):
        each.begin(2.0)
    first.advance(1.0)
    held: Any = first.state_dict()["parts"]["algorithm"]
    assert held["tensors"]["held"] > 0 and held["optimizers"]["counter"]["state"]
    assert not other.state_dict()["parts"]["algorithm"]["tensors"]["held"].any()
    second.load_state_dict(first.state_dict())
    for each in (first, second):
        each.advance(2.0)
    ends = [each.state_dict()["parts"]["algorithm"] for each in (first, second)]
    assert ends[0]["tensors"]["held"] > held["tensors"]["held"]
    assert torch.equal(ends[0]["tensors"]["held"], ends[1]["tensors"]["held"])
    for name, weight in ends[0]["networks"]["counter"].items():
        assert torch.equal(weight, ends[1]["networks"]["counter"][name])


def test_what_is_combined_declares_for_the_whole(toy, searched: Searched) -> None:
    body = '    extra_information = "the answers"\n    indivisible = "it is whole"\n' + UNSUITED
    made = toy("curriculum", body.replace("    pass", ""))
    source = Path(inspect.getfile(made))
    source.write_text(source.read_text().replace(
        "from trainables.scenarios.curriculum.algorithms.plain import Plain",
        "from trainables.scenarios.curriculum.curriculum import LossCurriculum as Plain",
    ))  # fmt: skip
    del sys.modules[made.__module__]
    importlib.invalidate_caches()
    narrow = {"model.mlp.width": 16, "algorithm": ["combined"], "algorithm.combined.loss": "toy"}
    prepared = searched("curriculum", space=narrow)
    config = default_of(prepared, "combined")
    assert config["algorithm"]["loss"] == {"name": "toy"}
    assert prepared.scenario.extra_information(config) == "the answers"
    assert prepared.scenario.indivisible(config) == "it is whole"
    wide = searched("curriculum", space={"model.mlp.width": 128})
    assert default_of(wide, "combined")["algorithm"]["loss"]["name"] != "toy"
    combined: Any = wide.space.root.fields["algorithm"]
    assert "toy" not in combined.options["combined"].fields["loss"].options


def test_declarations_are_read_in_one_place() -> None:
    """No scenario overrides what reads them, and all inherit one base."""
    final = [
        name
        for name, member in vars(Scenario).items()
        if getattr(member, "__final__", False)
    ]  # fmt: skip
    assert {"space", "tunable", "extra_information", "indivisible", "was_given"} <= set(final)
    for name in scenario_names():
        kind = load_scenario(name)
        assert issubclass(kind.algorithm, Algorithm)
        for each in type(kind).__mro__:
            assert each is Scenario or not set(vars(each)) & set(final), each
        hints = get_type_hints(kind.algorithm, include_extras=True)
        assert {"state", "networks", "optimizers", "extra_information"} <= set(hints)


def _search_trials(prepared: Prepared, make_trial: Any, arms: Sequence[str]) -> list[Trial]:
    return [
        make_trial(n, arm, [0, 0, 0.5], config=default_of(prepared, arm))
        for n, arm in enumerate(arms)
    ]


def _verdict(
    prepared: Prepared, make_trial: Any, table_of: Callable[[Sequence[Trial]], TrialTable]
) -> dict[str, Any]:
    """The verdict on the toy, which does better than the baseline by far."""
    kind, seeds = prepared.scenario, list(range(100, 110))
    trials = _search_trials(prepared, make_trial, [kind.baseline, "toy"])
    plan = Plan(baseline=0, challenger=1, secondaries=[], seeds=seeds, opening=1, budget=2)
    for source in range(2):
        for seed in seeds:
            trials.append(
                make_trial(
                    len(trials), trials[source].arm, [0.5], levels=[9.0], stage="verdict",
                    source=source, seed=seed, compute=9.0,
                )
            )  # fmt: skip
    rng, sign = np.random.default_rng(0), 1.0 if kind.mode == "max" else -1.0
    scores = {n: sign * (0.4 + 0.3 * n) + 0.05 * rng.normal(size=(10, 50)) for n in range(2)}
    given = {n: kind.was_given(trials[n].config, prepared.view) for n in range(2)}
    verdict: dict[str, Any] = judge(plan, scores, table_of(trials), kind, {}, given)
    return verdict

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import trainables.scenarios.curriculum.algorithms
from automl_cl.spec.search_spec import SearchSpec
from benchmarks.copies_of_plain import add_copies
from benchmarks.in_process_search import one_thread, search
from search_spaces import option
from trainables.scenarios.curriculum.curriculum import Curriculum

SPEC = SearchSpec(
    "curriculum",
    "digits",
    noise="0.4",
    trials=6,
    max_epochs=1.0,
    seeds=3,
    space={"algorithm": ["superloss"], "training.batch_size": 128},
)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """One thread: two that wait for each other on a busy machine take minutes for a second."""
    before = torch.get_num_threads()
    one_thread()
    yield
    torch.set_num_threads(before)


def test_a_search_comes_to_its_verdict_and_again_to_the_same(tmp_path: Path) -> None:
    one, other = (search(SPEC, tmp_path / name) for name in ("one", "other"))
    assert {trial.stage for trial in one.table.trials} == {"search", "confirm", "verdict"}
    challenger = one.scores[one.plan.challenger]
    baseline = one.scores[one.plan.baseline]
    assert challenger.shape == baseline.shape == (3, one.verdict["items"])
    gap = float((challenger - baseline).mean())
    assert one.verdict["challenger"]["difference"] == pytest.approx(gap)
    assert one.verdict["baseline"]["mean"] == pytest.approx(float(baseline.mean()))
    assert other.verdict == one.verdict
    assert all(np.array_equal(other.scores[n], one.scores[n]) for n in one.scores)


def test_a_training_that_raises_ends_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.scenarios.curriculum.algorithms.superloss import SuperLoss

    def broken(*args: object) -> None:
        raise ArithmeticError("broken")

    monkeypatch.setattr(SuperLoss, "loss_curriculum", broken)
    with pytest.raises(ArithmeticError, match="broken"):
        search(SPEC, tmp_path / "run")


def test_copies_of_the_baseline_are_arms_of_their_own_that_train_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = trainables.scenarios.curriculum.algorithms
    monkeypatch.setattr(package, "__path__", list(package.__path__))
    names = add_copies(tmp_path / "copies", 2)
    add_copies(tmp_path / "copies", 2)
    assert [option(Curriculum, name).part_name() for name in names] == ["copy_1", "copy_2"]
    spec = SearchSpec(**{**SPEC.to_dict(), "space": {**SPEC.space, "algorithm": names}})
    found = search(spec, tmp_path / "run")
    first = {t.arm: t for t in found.table.trials if t.origin == "default"}
    assert set(first) == {"plain", "copy_1", "copy_2"}
    # Same hyperparameters, other seeds: nothing else tells them apart.
    configs = [{**t.config, "algorithm": None} for t in first.values()]
    assert configs[0] == configs[1] == configs[2]
    assert len({t.seed for t in first.values()}) == 3

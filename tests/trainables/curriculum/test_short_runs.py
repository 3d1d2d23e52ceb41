"""Runs of half an epoch to three: what is let in follows progress, or the run is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import option, options
from trainables.data import DataView, Examples
from trainables.learning.learner import HorizonTooShort, Learner
from trainables.learning.short_training import RunUp
from trainables.scenarios.curriculum import Curriculum
from trainables.scenarios.curriculum.learner import CurriculumLearner

ALGORITHMS = sorted(options(Curriculum))
# Smoothed and augmented images take longer to learn; what weighs by a meta set has few steps.
MARGIN = dict.fromkeys(
    ("efficient_train", "curriculum_by_smoothing", "dds", "meta_weight_net"), 0.35
)
HORIZONS = [0.5, 1.0, 2.0, 3.0]
SETTINGS = {"curriculum_by_smoothing": "cnn", "efficient_train": "cnn"}


@pytest.fixture(scope="module")
def rare() -> dict[str, DataView]:
    """300 + 100 examples in 6 clouds of unequal size, vectors and images; easy to tell apart."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(6), rng.choice(6, 394, p=[0.3, 0.3, 0.2, 0.1, 0.06, 0.04])])
    views = {}
    for name, shape in (("adamw", (12,)), ("cnn", (1, 6, 6))):
        centres = 1.5 * rng.normal(size=(6, *shape))
        inputs = (centres[labels] + rng.normal(size=(400, *shape))).astype(np.float32)
        validates = np.arange(400) % 4 == 3
        parts = (Examples(inputs[m], labels[m].astype(np.int64)) for m in (~validates, validates))
        views[name] = DataView(
            *parts,
            tuple("abcdef"),
            name,
            "0" * 16,
            np.zeros(1, np.float32),
            np.ones(1, np.float32),
        )
    return views


@pytest.fixture(scope="module")
def short_run(make_learner, rare) -> Callable[..., Learner]:
    """A run of published defaults, in batches of 8."""

    def run(algorithm: str, horizon: float, setting: str | None = None) -> Learner:
        setting = setting or SETTINGS.get(algorithm, "adamw")
        given = {"training": {"batch_size": 8, "selection": "last"}, "schedule": "constant"}
        given |= {"model.mlp": {"width": 64, "dropout": 0.0}} if setting == "adamw" else {}
        return make_learner(
            "curriculum",
            algorithm,
            setting,
            horizon=horizon,
            view=rare[setting],
            changes=given,
        )

    return run


class Watched:
    """A run, with what each of its steps was on and what was let in at it."""

    def __init__(self, learner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[torch.Tensor] = []
        self.let_in: list[torch.Tensor] = []
        taking = CurriculumLearner.step

        def step(stepping: Any) -> torch.Tensor:
            if stepping is learner:  # and not a copy on which a step is counted
                self._note(learner)
            return taking(stepping)

        monkeypatch.setattr(CurriculumLearner, "step", step)
        learner.advance(learner.horizon / learner.unit)
        self.learner = learner

    def _note(self, learner: Any) -> None:
        start = learner.step_in_epoch * learner.batch_size
        self.batches.append(learner.order[start : start + learner.batch_size])
        chosen, every = learner.chosen, torch.arange(len(learner.data.train))
        if chosen is not None:
            progress = learner._pace().after(0)
            every = chosen[: learner.algorithm.let_in(progress, len(chosen))]
        self.let_in.append(every)


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_short_run_is_refused_or_lets_everything_in(
    short_run, monkeypatch, algorithm: str, horizon: float
) -> None:
    try:
        learner = short_run(algorithm, horizon)
    except HorizonTooShort as refused:
        assert f"'{algorithm}'" in str(refused) and "\n" not in str(refused)
        needed = option(Curriculum, algorithm)().run_up(short_run("plain", 1.0).data.train)
        assert needed != RunUp()
        return
    watched, labels = Watched(learner, monkeypatch), learner.data.train.labels
    assert 0 < learner.taken == len(watched.batches)
    assert learner.spent <= learner.horizon
    for batch, let_in in zip(watched.batches, watched.let_in, strict=True):
        assert torch.isin(batch, let_in).all() and len(batch) == 8
    classes = len(labels[watched.let_in[0]].unique())
    assert (classes < 6) == learner.algorithm.begins_with_some_classes
    if algorithm != "rl_teacher":  # a bandit lets in what it likes, at any time
        trained = learner.algorithm.state.get("trained", torch.arange(len(labels)))
        most = max(watched.let_in, key=len)
        assert torch.isin(trained, most).all()
        # The first begins with everything; the second's last measuring leaves no step after it.
        less_at_the_end = algorithm == "dihcl" or (algorithm, horizon) == ("minimax", 0.5)
        assert less_at_the_end or torch.equal(most.sort().values, watched.let_in[-1].sort().values)
    # It is not far below plain training of as many steps: what it costs besides is its own.
    plain = short_run("plain", 30.0, setting=SETTINGS.get(algorithm, "adamw"))
    while plain.taken < learner.taken:
        plain.advance(plain.compute + 9 / 300)
    found, expected = (each.evaluate()["accuracy"] for each in (learner, plain))
    assert found > expected - MARGIN.get(algorithm, 0.12)


def test_what_follows_no_progress_shows(short_run, monkeypatch) -> None:
    """The share grows within a pass, and each example has its turn before any has another."""
    learner = short_run("random_order", 2.0)
    watched = Watched(learner, monkeypatch)
    counts = [len(let_in) for let_in in watched.let_in]
    in_a_pass = counts[:37]
    assert len(set(in_a_pass)) > 15 and in_a_pass == sorted(in_a_pass)
    # 0.2 + 0.8 t / 0.5 of 300, t being the share of 75 steps that are over.
    assert in_a_pass[:20:4] == [round(300 * (0.2 + 1.6 * step / 75)) for step in range(0, 20, 4)]

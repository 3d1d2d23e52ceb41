from __future__ import annotations

import math

import pytest

from trainables.scenarios.curriculum.algorithms.competence import Competence
from trainables.scenarios.pacings.root import Root
from trainables.scenarios.scorers.current_loss import CurrentLoss


def test_what_the_competence_reaches_is_let_in_by_hand(ranked, let_in) -> None:
    examples, model = ranked([float(37 * i % 1000) for i in range(1000)])
    algorithm = Competence(Root(0.01, 0.5, power=2.0), scorer=CurrentLoss())
    # c(t) = sqrt(0.0001 + 0.9999 t / T). At t = 0: 0.01, 10 of 1,000, and never fewer than 32; at
    # t / T = 1/4: sqrt(0.250075) = 0.500075; at 0.64: sqrt(0.640036) = 0.8000225.
    for progress, count in [(0.0, 32), (0.125, 500), (0.32, 800)]:
        chosen = let_in(algorithm, examples, model, progress, 0)
        assert [37 * i % 1000 for i in chosen.tolist()] == list(range(count))
    assert let_in(algorithm, examples, model, 0.5, 0) is None


def test_its_defaults_are_the_papers_square_root_from_one_hundredth() -> None:
    pacing = Competence().pacing
    assert (pacing.start, pacing.power) == (0.01, 2.0)
    assert pacing.share(0.0) == pytest.approx(0.01)
    # Half way: sqrt((1 + 0.0001) / 2)
    assert pacing.share(pacing.full_at / 2) == pytest.approx(math.sqrt(0.50005))


def test_a_root_of_another_power_keeps_its_start(ranked, let_in) -> None:
    # CurML's Lambda Step takes the square root whatever p is: with c0 = 0.2 and p = 3 it lets in
    # 0.089 at the beginning instead of 0.2, and 0.710 half way instead of 0.504^(1/3) = 0.796.
    examples, model = ranked([float(i) for i in range(1000)])
    algorithm = Competence(Root(0.2, 1.0, power=3.0), scorer=CurrentLoss())
    assert len(let_in(algorithm, examples, model, 0.0, 0)) == 200
    assert len(let_in(algorithm, examples, model, 0.5, 0)) == 796


def test_full_competence_at_once_is_the_baseline(make_learner, assert_equal) -> None:
    changes = {"algorithm.competence.pacing.start": 1.0}
    paced = make_learner("curriculum", "competence", changes=changes, horizon=4.0)
    plain = make_learner("curriculum", "plain", horizon=4.0)
    for learner in (paced, plain):
        learner.advance(4.0)
    assert paced.spent == plain.spent
    assert_equal(paced.model.state_dict(), plain.model.state_dict())


def test_mostly_clean_examples_are_let_in_first(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {"algorithm.competence.scorer.self_taught.epochs": 3, "model.mlp.width": 64}
    learner = make_learner("curriculum", "competence", view=view, changes=changes, horizon=30.0)
    learner.advance(6.0)
    first = learner.algorithm.state["order"][: len(flips) // 2]
    assert flips.double().mean() == pytest.approx(0.4)
    assert flips[first].double().mean() < 0.25

from __future__ import annotations

import pytest
import torch

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.baby_step import BabyStep
from trainables.scenarios.pacings.baby_step import BabySteps
from trainables.scenarios.scorers.column import Column
from trainables.scenarios.scorers.current_loss import CurrentLoss


def test_each_stage_adds_the_next_tenth_of_the_order(ranked, let_in) -> None:
    examples, model = ranked([float(37 * i % 1000) for i in range(1000)])
    algorithm = BabyStep(scorer=CurrentLoss())
    # CurML: N min(1, start + grow (floor(t / interval) + 1)) with start 0, grow 0.1 and interval
    # 20 of 200 epochs: 0.1 (0 + 1), 0.1 (0 + 1), 0.1 (1 + 1), 0.1 (3 + 1), 0.1 (8 + 1).
    for progress, count in [(0.0, 100), (0.099, 100), (0.1, 200), (0.35, 400), (0.899, 900)]:
        chosen = let_in(algorithm, examples, model, progress, 0)
        assert [37 * i % 1000 for i in chosen.tolist()] == list(range(count))
    assert let_in(algorithm, examples, model, 0.9, 0) is None, "the tenth stage is all"


def test_the_first_stage_has_start_and_grow_and_never_fewer_than_32(ranked, let_in) -> None:
    examples, model = ranked([float(i) for i in range(200)])
    for pacing, count in [(BabySteps(0.25, 0.25, 0.5), 100), (BabySteps(0.0, 0.1, 0.1), 32)]:
        algorithm = BabyStep(pacing, scorer=CurrentLoss())
        assert len(let_in(algorithm, examples, model, 0.0, 0)) == count


def test_classes_join_in_proportion_unless_told_otherwise(let_in) -> None:
    labels = torch.tensor([0, 1]).repeat(100)
    columns = {"difficulty": labels.double() + torch.rand(200, generator=torch.Generator())}
    examples = TensorExamples(torch.zeros(200, 1), labels, columns=columns)  # class 1 is harder
    # One of each class is let in at least.
    for balanced, ones in [(True, 40), (False, 1)]:
        algorithm = BabyStep(BabySteps(0.3, 0.1, 0.1), balanced, Column())
        chosen = let_in(algorithm, examples, torch.nn.Identity(), 0.0, 0)
        assert (len(chosen), int(labels[chosen].sum())) == (80, ones)


def test_with_everything_in_the_first_stage_it_is_the_baseline(make_learner, assert_equal) -> None:
    changes = {"algorithm.baby_step.pacing.start": 1.0}
    paced = make_learner("curriculum", "baby_step", changes=changes, horizon=4.0)
    plain = make_learner("curriculum", "plain", horizon=4.0)
    for learner in (paced, plain):
        learner.advance(4.0)
    assert paced.spent == plain.spent, "and nothing is scored"
    assert_equal(paced.model.state_dict(), plain.model.state_dict())


def test_mostly_clean_examples_are_let_in_first(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {"algorithm.baby_step.scorer.self_taught.epochs": 3, "model.mlp.width": 64}
    learner = make_learner("curriculum", "baby_step", view=view, changes=changes, horizon=30.0)
    learner.advance(6.0)
    first = learner.algorithm.state["order"][: len(flips) // 2]
    assert flips.double().mean() == pytest.approx(0.4)
    assert flips[first].double().mean() < 0.25


def test_it_tells_what_its_scorer_was_given(ranked) -> None:
    examples, _ = ranked([0.0, 1.0])
    given = "a copy of itself trained for 1 epoch on the same labels"
    assert BabyStep().was_given(examples) == given
    assert BabyStep(scorer=CurrentLoss()).was_given(examples) is None

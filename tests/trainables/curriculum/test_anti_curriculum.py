from __future__ import annotations

import pytest


def test_mostly_flipped_examples_are_let_in_first(make_learner, flipped) -> None:
    view, flips = flipped
    changes = {"algorithm.anti_curriculum.scorer.self_taught.epochs": 3, "model.mlp.width": 64}
    learner = make_learner(
        "curriculum", "anti_curriculum", view=view, changes=changes, horizon=30.0
    )
    learner.advance(6.0)
    first = learner.algorithm.state["order"][: len(flips) // 2]
    assert flips.double().mean() == pytest.approx(0.4)
    assert flips[first].double().mean() > 0.55


def test_it_is_easy_to_hard_the_other_way_round(make_learner) -> None:
    orders = []
    for algorithm in ("easy_to_hard", "anti_curriculum"):
        changes = {f"algorithm.{algorithm}.balanced": False}
        learner = make_learner("curriculum", algorithm, changes=changes, horizon=5.0)
        learner.advance(4.0)
        orders.append(learner.algorithm.state["order"])
    # But for the two classes that would come late, of which one example each is brought forward.
    turned = [each.tolist() for each in (orders[0], orders[1].flip(0))]
    moved = set(turned[0][:2]) | set(turned[1][-2:])
    kept = [[each for each in order if each not in moved] for order in turned]
    assert kept[0] == kept[1] and len(kept[0]) >= 206

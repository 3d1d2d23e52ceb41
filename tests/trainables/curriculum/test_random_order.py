from __future__ import annotations

from trainables.scenarios.curriculum.algorithms.random_order import RandomOrder
from trainables.scenarios.pacings.linear import Linear


def test_the_order_has_nothing_to_do_with_the_examples(ranked, let_in) -> None:
    examples, model = ranked([float(i) for i in range(200)])
    orders = []
    for seed in (1, 1, 2):
        algorithm = RandomOrder(Linear(start=0.2, full_at=0.5))
        let_in(algorithm, examples, model, 0.0, seed)
        orders.append(algorithm.state["order"].tolist())
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(200))
    # The mean rank of the first 100 under a random order: 99.5, standard deviation 4.1.
    assert abs(sum(orders[0][:100]) / 100 - 99.5) < 4 * 4.1


def test_the_admitted_are_a_growing_prefix_of_the_order(ranked, let_in) -> None:
    examples, model = ranked([float(i) for i in range(200)])
    algorithm = RandomOrder(Linear(start=0.25, full_at=0.5), balanced=False)
    first = let_in(algorithm, examples, model, 0.0, 0).tolist()
    order = algorithm.state["order"].tolist()
    assert first == order[:50]
    # 0.25 + 0.75 x 0.2 / 0.5 = 0.55 of 200.
    assert let_in(algorithm, examples, model, 0.2, 0).tolist() == order[:110]
    assert let_in(algorithm, examples, model, 0.5, 0) is None


def test_admitting_everything_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.random_order.pacing.linear.start": 1.0}
    paced = make_learner("curriculum", "random_order", changes=changes, horizon=5.0)
    plain = make_learner("curriculum", "plain", horizon=5.0)
    for learner in (paced, plain):
        learner.advance(5.0)
    states = [learner.state_dict() for learner in (paced, plain)]
    for state in states:
        state["parts"].pop("algorithm")  # the order, which is not used
        state.pop("memory")  # the order takes room
    assert_equal(*states)

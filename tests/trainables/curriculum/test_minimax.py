from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables.learning.flops import FlopCounter
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.minimax import Minimax, centrality


def test_centrality_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    # The columns' sums are 2.5 and 1.5.
    assert centrality(features).tolist() == [2.5, 2.0, 2.5, 1.5]
    # The same as the row sums of the whole matrix.
    random = torch.rand(40, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(centrality(random), (random @ random.T).sum(1), rtol=1e-12)


def test_weights_by_hand() -> None:
    algorithm = Minimax(lam=1.0, gamma=0.1)
    algorithm.state["losses"] = torch.tensor([1.0, 3.0, 0.0, 9.0])
    algorithm.state["rows"] = torch.tensor([0, 1, 2])  # the last was not measured
    algorithm.state["centrality"] = torch.tensor([5.0, 2.0, 3.0])
    # 1/4, 3/4, 0 and 0.5, 0.2, 0.3; lam is 1, then 1 x 0.9 x 0.9.
    assert algorithm.weights(0).tolist() == pytest.approx([0.75, 0.95, 0.3])
    assert algorithm.weights(2).tolist() == pytest.approx([0.655, 0.912, 0.243])


def test_lam_does_not_fall_below_a_fifth() -> None:
    algorithm = Minimax(lam=0.3, gamma=0.5)
    algorithm.state["losses"], algorithm.state["rows"] = torch.ones(2), torch.arange(2)
    algorithm.state["centrality"] = torch.tensor([1.0, 0.0])
    # 0.3 x 0.5^9 is less than 0.2.
    assert algorithm.weights(9).tolist() == pytest.approx([0.7, 0.5])


def test_the_subset_grows_by_the_episode(ranked, let_in) -> None:
    examples, model = ranked([i / 100 for i in range(1000)])
    algorithm = Minimax(start=0.1)
    algorithm.model_prepare(model, examples, 0)
    found = []
    for progress in (0.0, 0.024, 0.025, 0.099, 0.1, 0.35, 0.999):
        chosen = let_in(algorithm, examples, model, progress, 0)
        found.append(1000 if chosen is None else len(chosen.unique()))
    # 0.1 + a ninth of 0.9 for each episode that is over; all of them in the warm-up.
    assert found == [1000, 1000, 100, 100, 200, 400, 1000]


def test_losses_are_measured_once_an_episode_and_seen_in_training_after(
    ranked, loss_of, let_in
) -> None:
    examples, model = ranked([i / 10 for i in range(100)])
    algorithm = Minimax()
    algorithm.model_prepare(model, examples, 0)
    let_in(algorithm, examples, model, 0.05, 0)
    # Logits l against 0 and label 1: log(1 + e^l).
    assert algorithm.state["losses"][50].item() == pytest.approx(math.log(1 + math.exp(5)))
    loss_of(algorithm, torch.tensor([7.0, 8.0]))
    let_in(algorithm, examples, model, 0.09, 1)
    assert algorithm.state["losses"][:2].tolist() == [7.0, 8.0]
    let_in(algorithm, examples, model, 0.1, 2)
    assert algorithm.state["losses"][0].item() == pytest.approx(math.log(2))


def test_nothing_is_as_large_as_examples_times_examples(let_in) -> None:
    # CurML's matrix of 20,000^2 numbers would take 3.2 GB.
    inputs = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0))
    examples = TensorExamples(inputs, torch.zeros(20_000, dtype=torch.int64))
    algorithm, model = Minimax(), nn.Linear(4, 10)
    algorithm.model_prepare(model, examples, 0)
    with FlopCounter() as counter:
        chosen = let_in(algorithm, examples, model, 0.05, 0)
    assert len(chosen) == 2000
    assert counter.peak < 100 * 8 * 20_000
    assert counter.total == 20_000 * 2 * 4 * 10, "one forward pass"


def test_a_start_with_everything_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.minimax.start": 1.0}
    selecting = make_learner("curriculum", "minimax", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (selecting, plain):
        learner.advance(6.0)
    assert selecting.spent == plain.spent
    assert_equal(selecting.model.state_dict(), plain.model.state_dict())


def chosen_by(lam: float, learner, let_in) -> torch.Tensor:
    algorithm, examples = Minimax(start=0.2, lam=lam), learner.data.train
    algorithm.model_prepare(learner.model, examples, 0)
    draws = [let_in(algorithm, examples, learner.model, 0.05, i) for i in range(50)]
    return torch.stack(draws)


def test_hard_and_so_flipped_examples_are_drawn_more_often(make_learner, flipped, let_in) -> None:
    view, flips = flipped
    learner = make_learner("curriculum", "plain", view=view, horizon=8.0)
    learner.advance(8.0)
    # 40 % are flipped; the standard error of the mean of these draws is about 0.01.
    # (One example of each class is among the 42 whatever its weight.)
    assert flips[chosen_by(0.2, learner, let_in)].double().mean() > 0.45


def test_a_greater_lam_draws_less_of_what_is_hard_and_unlike_the_rest(ranked, let_in) -> None:
    # 160 examples the model is sure and right about, 40 that it takes for the other class.
    examples, model = ranked([-3.0] * 160 + [3.0] * 40)
    shares = []
    for lam in (0.2, 1.0, 10.0):
        algorithm = Minimax(start=0.2, lam=lam)
        algorithm.model_prepare(model, examples, 0)
        draws = [let_in(algorithm, examples, model, 0.05, i) for i in range(20)]
        shares.append((torch.stack(draws) >= 160).double().mean().item())
    assert shares[0] > 0.6 > shares[1] > 0.3 > shares[2]


def test_a_step_never_waits_for_the_device(loss_of) -> None:
    algorithm = Minimax()
    algorithm.state["losses"] = torch.zeros(8, device="meta")
    criterion = torch.nn.CrossEntropyLoss(reduction="none")
    outputs, labels = torch.ones(8, 3, device="meta"), torch.zeros(8, device="meta").long()
    assert algorithm.loss_curriculum(criterion, outputs, labels, labels, outputs).is_meta

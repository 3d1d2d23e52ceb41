from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.dihcl import DIHCL, beta_draws


def prepared(algorithm: DIHCL, count: int, device: str = "cpu") -> DIHCL:
    labels = torch.zeros(count, dtype=torch.int64, device=device)
    algorithm.model_prepare(nn.Identity(), TensorExamples(labels[:, None].float(), labels), 0)
    return algorithm


def shown(algorithm: DIHCL, losses: list[float], outputs: Tensor, labels: list[int]) -> None:
    algorithm.loss_curriculum(
        lambda outputs, labels: torch.tensor(losses),
        outputs,
        torch.tensor(labels),
        torch.arange(len(losses)),
        outputs,
    )


def test_the_running_average_of_the_loss_by_hand(loss_of) -> None:
    algorithm = prepared(DIHCL(discount=0.9), 3)
    for losses in ([1.0, 0.5], [2.0, 0.5]):
        loss_of(algorithm, torch.tensor(losses))
    # From 0: 0.9 x 1, then 0.9 x 2 + 0.1 x 0.9; the third was never seen.
    assert algorithm.state["hardness"].tolist() == pytest.approx([1.89, 0.495, 0.0])


def test_the_change_of_the_loss_by_hand(loss_of) -> None:
    algorithm = prepared(DIHCL(hardness="loss_change", discount=0.9), 1)
    found = []
    for loss in (3.0, 1.0, 1.5):
        loss_of(algorithm, torch.tensor([loss]))
        found.append(algorithm.state["hardness"].item())
    # One look tells of no change; 0.9 x |1 - 3|; 0.9 x |1.5 - 1| + 0.1 x 1.8.
    assert found == pytest.approx([0.0, 1.8, 0.63])


def test_a_flip_is_one_of_the_predicted_class() -> None:
    # Both reference libraries take the argmax of a scalar, and so class 0 for the prediction.
    algorithm = prepared(DIHCL(hardness="prediction_flip", discount=0.9), 2)
    right, wrong = [0.0, 1.0, 5.0], [0.0, 5.0, 1.0]
    for second in (right, wrong, wrong):
        shown(algorithm, [1.0, 1.0], torch.tensor([right, second]), [2, 2])
    # The first stays right. The second: no flip known, then 0.9 x 1, then 0.9 x 0 + 0.1 x 0.9.
    assert algorithm.state["hardness"].tolist() == pytest.approx([0.0, 0.09])


def test_the_share_that_is_drawn_by_hand() -> None:
    algorithm = DIHCL(warm_up=0.25, decay=0.9, bottom=0.5)
    # All of it in the warm-up; 0.9, 0.9^2, ... in each further 1/200; 0.9^7 is below a half.
    found = [algorithm.share(progress) for progress in (0.0, 0.249, 0.25, 0.255, 0.275, 0.3, 1.0)]
    assert found == pytest.approx([1.0, 1.0, 0.9, 0.81, 0.9**6, 0.5, 0.5])


def test_weights_by_hand(loss_of) -> None:
    algorithm = prepared(DIHCL(discount=1.0), 3)
    loss_of(algorithm, torch.tensor([3.0, 1.0]))
    # Nothing is known of the third, so it counts like the mean of 3 and 1.
    assert algorithm.log_weights().exp().tolist() == pytest.approx([3.0, 1.0, 2.0])
    exponential = prepared(DIHCL(discount=1.0, sampling="exp"), 3)
    loss_of(exponential, torch.tensor([3.0, 1.0]))
    # sqrt(2 log(3) / 3) = 0.855808.
    expected = [0.855808 * r for r in (3.0, 1.0, 2.0)]
    assert exponential.log_weights().tolist() == pytest.approx(expected, abs=1e-5)


def test_where_nothing_flips_all_are_drawn_alike() -> None:
    algorithm = prepared(DIHCL(hardness="prediction_flip"), 4)
    for _ in range(3):
        shown(algorithm, [1.0] * 4, torch.eye(4), [0, 1, 0, 1])
    assert len(algorithm.log_weights().unique()) == 1


def test_a_share_of_1_is_the_baseline_bit_for_bit(make_learner, assert_equal) -> None:
    changes = {"algorithm.dihcl.bottom": 1.0}
    selecting = make_learner("curriculum", "dihcl", changes=changes, horizon=6.0)
    plain = make_learner("curriculum", "plain", horizon=6.0)
    for learner in (selecting, plain):
        learner.advance(6.0)
    assert selecting.spent == plain.spent
    assert_equal(selecting.model.state_dict(), plain.model.state_dict())


def test_beta_draws_have_the_mean_of_their_hardness() -> None:
    # Beta(r, c - r) has the mean r / c; c is 1, or 0.1 more than the greatest r.
    for greatest, ceiling in [(0.8, 1.0), (3.9, 4.0)]:
        hardness = torch.tensor([0.0, greatest / 4, greatest]).repeat(20_000)
        found = beta_draws(hardness, 3).view(-1, 3).mean(0)
        expected = [0.01 / ceiling, greatest / 4 / ceiling, greatest / ceiling]
        assert found.tolist() == pytest.approx(expected, abs=0.01)
    assert torch.equal(beta_draws(hardness, 3), beta_draws(hardness, 3))
    assert not torch.equal(beta_draws(hardness, 3), beta_draws(hardness, 4))


@pytest.mark.parametrize("sampling", ["rand", "exp", "beta"])
def test_flipped_examples_are_hard_and_drawn_more_often(
    make_learner, flipped, sampling, let_in
) -> None:
    view, flips = flipped
    changes = {"algorithm.dihcl.sampling": sampling, "training.selection": "last"}
    learner = make_learner("curriculum", "dihcl", view=view, changes=changes, horizon=12.0)
    learner.advance(8.0)
    algorithm, examples = learner.algorithm, learner.data.train
    chosen = [let_in(algorithm, examples, learner.model, 0.6, seed) for seed in range(50)]
    assert all(len(each) == len(each.unique()) == 105 for each in chosen)
    # 40 % are flipped; a draw's share has a standard error below 0.03, so their mean below 0.005.
    assert flips[torch.stack(chosen)].double().mean() > 0.415


@pytest.mark.parametrize("hardness", ["loss", "loss_change", "prediction_flip"])
def test_a_step_never_waits_for_the_device(loss_of, hardness: str) -> None:
    algorithm = prepared(DIHCL(hardness=hardness), 8, "meta")
    for _ in range(2):
        loss = algorithm.loss_curriculum(
            lambda outputs, labels: torch.ones(8, device="meta"),
            torch.zeros(8, 3, device="meta"),
            torch.zeros(8, dtype=torch.int64, device="meta"),
            torch.zeros(8, dtype=torch.int64, device="meta"),
            torch.zeros(8, 1, device="meta"),
        )
        assert loss.device.type == "meta"

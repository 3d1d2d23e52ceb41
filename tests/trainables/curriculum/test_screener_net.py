from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from trainables.learning.flops import FlopCounter
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum.algorithms.screener_net import ScreenerNet, screener_loss

cross_entropy = partial(F.cross_entropy, reduction="none")


def prepared(**fields: float) -> tuple[ScreenerNet, TensorExamples]:
    torch.manual_seed(0)
    examples = TensorExamples(torch.randn(12, 2), torch.arange(12) % 2)
    algorithm = ScreenerNet(**fields)
    algorithm.model_prepare(torch.nn.Linear(2, 2), examples, 0)
    return algorithm, examples


def test_the_screeners_loss_by_hand() -> None:
    losses, weights = torch.tensor([0.25, 0.5, 2.0, 2.0]), torch.tensor([0.5, 0.0, 0.5, 1.0])
    # (1 - .5)^2 x .25 + .5^2 x .75; 1 x .5 + 0; .25 x 2 + .25 x 0, the margin being exceeded; 0.
    assert screener_loss(losses, weights, 1.0).tolist() == pytest.approx([0.25, 0.5, 0.5, 0.0])
    # With M = 3: (1 - .5)^2 x 2 + .5^2 x 1.
    assert screener_loss(losses, weights, 3.0)[2].item() == pytest.approx(0.75)


@pytest.mark.parametrize(("loss", "best"), [(0.1, 0.1), (0.7, 0.7), (1.0, 1.0), (5.0, 1.0)])
def test_the_best_weight_is_the_share_of_the_margin(loss: float, best: float) -> None:
    weights = torch.linspace(0, 1, 1001)
    found = screener_loss(torch.tensor(loss), weights, 1.0).argmin() / 1000
    assert found.item() == pytest.approx(best, abs=1e-3)


def test_the_model_learns_from_weights_that_are_constants_of_its_step() -> None:
    algorithm, examples = prepared()
    outputs = torch.randn(12, 2, requires_grad=True)
    weights = torch.sigmoid(algorithm.networks["screener"](examples.inputs)).detach()
    losses = cross_entropy(outputs, examples.labels)
    expected = torch.autograd.grad((weights * losses).mean(), outputs)[0]
    batch = torch.arange(12)
    algorithm.loss_curriculum(
        cross_entropy, outputs, examples.labels, batch, examples.inputs
    ).backward()
    torch.testing.assert_close(outputs.grad, expected)


def test_gradients_do_not_pile_up_over_steps() -> None:
    # CurML's screener never empties them.
    algorithm, examples = prepared(lr=1e-5)
    outputs, batch = torch.randn(12, 2), torch.arange(12)
    seen = []
    for _ in range(3):
        algorithm.loss_curriculum(cross_entropy, outputs, examples.labels, batch, examples.inputs)
        seen.append(algorithm.networks["screener"].head.weight.grad.clone())
    torch.testing.assert_close(seen[2], seen[0], rtol=1e-2, atol=1e-4)
    assert seen[0].abs().max() > 1e-3


def test_it_sees_the_inputs_that_the_model_saw() -> None:
    # CurBench loads the batch anew, with another draw of the augmentation.
    algorithm, examples = prepared()
    seen = []
    hook = algorithm.networks["screener"].register_forward_pre_hook(
        lambda _, given: seen.append(given[0])
    )
    augmented = examples.inputs + 1.0
    with hook:
        outputs, batch = torch.zeros(12, 2), torch.arange(12)
        algorithm.loss_curriculum(cross_entropy, outputs, examples.labels, batch, augmented)
    assert len(seen) == 1
    assert torch.equal(seen[0], augmented)


def test_where_every_weight_is_one_it_is_the_baseline(
    make_learner, take_steps, assert_equal
) -> None:
    changes = {"schedule": "constant", "model.mlp.dropout": 0.0}
    learners = [
        make_learner("curriculum", name, changes=changes) for name in ("screener_net", "plain")
    ]
    head = learners[0].algorithm.networks["screener"].head
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.constant_(head.bias, 100.0)
    for learner in learners:
        take_steps(learner, 15)
    assert_equal(learners[0].model.state_dict(), learners[1].model.state_dict())


def test_hard_examples_come_to_count_more(make_learner, flipped) -> None:
    # Flipped ones among them, as the paper has it: it is no defence against noise.
    view, flips = flipped
    learner = make_learner("curriculum", "screener_net", view=view, horizon=60.0)
    learner.advance(60.0)
    train = learner.data.train
    with torch.no_grad():
        weights = torch.sigmoid(learner.algorithm.networks["screener"].eval()(train.inputs))
        losses = cross_entropy(learner.model.eval()(train.inputs), train.labels)
    easy = losses < losses.median()
    assert weights[~easy].mean() > weights[easy].mean() + 0.02
    assert weights[flips].mean() > weights[~flips].mean()


def test_a_step_costs_two_of_the_baselines() -> None:
    algorithm, examples = prepared()
    model, batch = torch.nn.Linear(2, 2), torch.arange(12)
    with FlopCounter() as plain:
        cross_entropy(model(examples.inputs), examples.labels).mean().backward()
    outputs = model(examples.inputs).detach()
    with FlopCounter() as counter:
        algorithm.loss_curriculum(cross_entropy, outputs, examples.labels, batch, examples.inputs)
    # Beside a network like the model there is its head: forward, gradient of weights and inputs.
    assert counter.total == plain.total + 3 * 2 * 12 * 2

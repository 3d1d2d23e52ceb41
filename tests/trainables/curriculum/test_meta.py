"""Meta sets, and the products that meta-learnt weights are made of."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from search_spaces import InputError
from trainables.learning.flops import FlopCounter
from trainables.learning.tensors import TensorExamples
from trainables.scenarios.curriculum import Curriculum
from trainables.scenarios.curriculum.algorithms.dds import DDS
from trainables.scenarios.curriculum.algorithms.learning_to_reweight import LearningToReweight
from trainables.scenarios.curriculum.algorithms.meta_weight_net import MetaWeightNet
from trainables.scenarios.curriculum.algorithms.screener_net import ScreenerNet
from trainables.scenarios.curriculum.meta import MetaCurriculum, held_out

cross_entropy = partial(F.cross_entropy, reduction="none")
LR = 0.3


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 3))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 3),
    )


class Attention(nn.Module):
    """A sequence of six, attended to once."""

    def __init__(self) -> None:
        super().__init__()
        self.of, self.out = nn.Linear(6, 24), nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        query, key, value = self.of(inputs.squeeze(1)).split(8, 2)
        return self.out(F.scaled_dot_product_attention(query, key, value).mean(1))


def problem(net: nn.Module, seed: int = 0) -> tuple[nn.Module, TensorExamples]:
    torch.manual_seed(seed)
    labels = torch.arange(60) % 3
    inputs = torch.randn(60, 1, 6, 6, dtype=torch.float64) + labels[:, None, None, None]
    return net.double(), TensorExamples(inputs, labels)


def prepared(
    algorithm: MetaCurriculum, net: nn.Module, examples: TensorExamples
) -> MetaCurriculum:
    algorithm.data_prepare(examples, 1)
    algorithm.model_prepare(net, examples, 1)
    for network in algorithm.networks.values():
        network.double()
    return algorithm


def twice_differentiated(
    net: nn.Module, batch: tuple[Tensor, Tensor], meta: tuple[Tensor, Tensor], start: Tensor
) -> Tensor:
    """-(n / alpha) dL(theta') / dw_i by a graph of the virtual step, as in the papers' code."""

    def losses(weights: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
        return cross_entropy(functional_call(net, {**buffers, **weights}, (inputs,)), labels)

    here = {name: p.detach().clone().requires_grad_() for name, p in net.named_parameters()}
    w = start.clone().requires_grad_()
    loss = (w * losses(here, *batch)).mean()
    gradients = torch.autograd.grad(loss, list(here.values()), create_graph=True)
    there = {n: p - LR * g for (n, p), g in zip(here.items(), gradients, strict=True)}
    (derivative,) = torch.autograd.grad(losses(there, *meta).mean(), w)
    return -len(w) / LR * derivative


@pytest.mark.parametrize("make", [mlp, cnn, Attention])
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_products_are_what_a_double_backward_gives(make, start: float) -> None:
    net, examples = problem(make())
    algorithm = prepared(LearningToReweight(), net, examples)
    batch = examples.inputs[:16], examples.labels[:16]
    weights = start * torch.rand(16, dtype=torch.float64)
    meta = algorithm.state["meta"][torch.arange(6)]
    assert len(meta) == len(algorithm.state["meta"])
    meta_batch = examples.inputs[meta], examples.labels[meta]
    expected = twice_differentiated(net, batch, meta_batch, weights)
    found = algorithm.agreement(cross_entropy, *batch, (LR, weights))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    if start == 0.0:
        algorithm.state["used"].zero_()
        at_theta = algorithm.agreement(cross_entropy, *batch)
        torch.testing.assert_close(at_theta, expected, rtol=1e-9, atol=1e-12)


def test_the_model_is_left_as_it_is() -> None:
    net, examples = problem(nn.Sequential(cnn()[:5], nn.Dropout(0.5), cnn()[5]))
    net[1].eval()
    algorithm = prepared(LearningToReweight(), net, examples)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random, modes = torch.get_rng_state(), [module.training for module in net.modules()]
    algorithm.agreement(cross_entropy, examples.inputs[:16], examples.labels[:16])
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random), "no dropout is drawn"


def test_held_out_is_a_share_with_as_many_of_each_class() -> None:
    # 100 examples: 60, 30 and 10. 12 % are 12, four of each class; 30 % are ten of each, and the
    # third class gives no more than half of its ten.
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    for share, counts in ((0.12, [4, 4, 4]), (0.3, [10, 10, 5])):
        chosen = held_out(labels, share, 3)
        assert labels[chosen].bincount().tolist() == counts
        assert len(chosen.unique()) == len(chosen)
    assert torch.equal(held_out(labels, 0.3, 3), held_out(labels, 0.3, 3))
    assert not torch.equal(held_out(labels, 0.3, 3), held_out(labels, 0.3, 4))
    assert not torch.equal(held_out(labels, 0.3, 3), held_out(labels, 0.3, 3).sort().values)


def test_what_is_held_out_is_not_trained_on(make_learner) -> None:
    learner = make_learner("curriculum", "learning_to_reweight", horizon=6.0)
    learner.advance(6.0)
    meta = set(learner.algorithm.state["meta"].tolist())
    assert meta and not meta & set(learner.order.tolist())
    assert len(learner.order.unique()) <= 210 - len(meta)


def test_the_clean_examples_that_the_data_declares_are_the_meta_set() -> None:
    net, examples = problem(mlp())
    clean = torch.arange(60) % 4 == 0
    declared = TensorExamples(examples.inputs, examples.labels, columns={"clean": clean})
    algorithm = prepared(MetaWeightNet(), net, declared)
    assert sorted(algorithm.state["meta"].tolist()) == list(range(0, 60, 4))
    assert algorithm.data_curriculum(declared, net, 0.0, 0) is None, "all of them are trained on"
    assert "15 examples known to be clean" in algorithm.was_given(declared)
    nothing = TensorExamples(examples.inputs, examples.labels, columns={"clean": clean & False})
    for each in (examples, nothing):
        assert (
            algorithm.was_given(each)
            == "a meta set of 6 training examples, held out from training"
        )


def test_meta_batches_take_turns() -> None:
    net, examples = problem(mlp())
    algorithm = prepared(LearningToReweight(meta_share=0.2), net, examples)
    meta = algorithm.state["meta"].tolist()
    assert len(meta) == 12
    taken = [algorithm.meta_batch(5)[0] for _ in range(3)]
    expected = [*meta[:5], *meta[5:10], *meta[10:], *meta[:3]]
    assert torch.equal(torch.cat(taken), examples.inputs[expected])
    assert len(algorithm.meta_batch(50)[1]) == 12, "no more than there are"


def test_data_that_has_nothing_to_hold_out_is_refused() -> None:
    examples = TensorExamples(torch.zeros(3, 2), torch.arange(3))
    with pytest.raises(InputError, match="'learning_to_reweight' needs a meta set"):
        LearningToReweight().data_prepare(examples, 0)


def test_no_graph_is_differentiated_twice() -> None:
    # F forward, 2 F backward; the virtual step and the meta loss 3 F each; losses and their
    # derivative along a direction 3 F. Less where the first layer needs no gradient of its input.
    net, examples = problem(mlp())
    algorithm = prepared(LearningToReweight(meta_share=0.5), net, examples)
    with FlopCounter() as forward:
        net(examples.inputs[:30])
    batch = examples.inputs[:30], examples.labels[:30]
    for step, at_most in ((None, 6), ((LR, torch.ones(30).double()), 9)):
        with FlopCounter() as counter:
            algorithm.agreement(cross_entropy, *batch, step)
        assert 0.5 * at_most * forward.total < counter.total <= at_most * forward.total


@pytest.mark.parametrize("kind", [LearningToReweight, MetaWeightNet, DDS, ScreenerNet])
def test_a_step_never_waits_for_the_device(kind: type[Curriculum]) -> None:
    # On the meta device there are no values, so whatever fetched one would fail.
    net, examples = problem(cnn())
    algorithm = kind()
    algorithm.data_prepare(examples, 0)
    algorithm.model_prepare(net, examples, 0)
    far = TensorExamples(examples.inputs.to("meta"), examples.labels.to("meta"))
    net.to("meta")
    algorithm.seen.update(model=net, examples=far)
    for name, value in algorithm.state.items():
        algorithm.state[name] = value.to("meta")
    for network in algorithm.networks.values():
        network.double().to("meta")
    batch = torch.arange(8, device="meta")
    inputs, labels = far.inputs[:8], far.labels[:8]
    loss = algorithm.loss_curriculum(cross_entropy, net(inputs), labels, batch, inputs)
    assert loss.device.type == "meta"
    loss.backward()

"""MAML against ERM, against loops over tasks, and in FLOPs."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.learning.flops import FlopCounter
from trainables.learning.tensors import TensorExamples
from trainables.parts.models.cnn import CNN
from trainables.parts.models.mlp import MLP
from trainables.scenarios.meta_learning.algorithms.maml import MAML
from trainables.scenarios.meta_learning.episodes import (
    ClassTasks,
    Episodes,
    EpisodeShape,
    Labelled,
    Tasks,
)
from trainables.scenarios.meta_learning.meta_learner import TrainingStep
from trainables.scenarios.meta_learning.networks import SupportNorm, answers, normalised_by_support
from trainables.scenarios.meta_learning.problems import Classification, Regression
from trainables.scenarios.meta_learning.sinusoids import SinusoidTasks

SHAPE = EpisodeShape(3, 2, 4)
SINE = EpisodeShape(1, 5, 6)


def image_tasks() -> ClassTasks:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6).repeat(8)
    inputs = torch.randn(48, 1, 8, 8, generator=generator) + labels[:, None, None, None]
    return ClassTasks(TensorExamples(inputs, labels), 3, 4)


PROBLEMS = {
    "images": (image_tasks, SHAPE, CNN(width=4, blocks=1)),
    "sinusoids": (lambda: SinusoidTasks(torch.device("cpu")), SINE, MLP(width=8)),
}


def made(problem: str, algorithm: MAML, count: int = 4) -> tuple[Tasks, nn.Module, TrainingStep]:
    tasks, shape, model = PROBLEMS[problem][0](), *PROBLEMS[problem][1:]
    torch.manual_seed(0)
    network = algorithm.build(model, tasks).double()
    if isinstance(tasks, ClassTasks):
        tasks.inputs = tasks.inputs.double()
    return tasks, network, TrainingStep(tasks, shape, torch.arange(count * shape.examples), 5)


def episodes_of(step: TrainingStep) -> Episodes:
    """All episodes of a step, which have as many queries as shots."""
    shape = replace(step.shape, queries=min(step.shape.shots, step.shape.queries))
    count = len(step.indices) // shape.examples
    return step.tasks.episodes(torch.arange(count), shape, step.seed)


def answers_of(network: nn.Module, weights: dict[str, Tensor], support, inputs) -> Tensor:
    """The outputs for inputs, each passed through the network with the support and alone."""
    found = []
    for one in inputs:
        both = torch.cat([support, one[None]])
        for layer in network.modules():
            if isinstance(layer, SupportNorm):
                layer.support = len(support)
        found.append(functional_call(network, weights, (both,))[-1:])
        for layer in network.modules():
            if isinstance(layer, SupportNorm):
                layer.support = None
    return torch.cat(found)


def in_doubles(step: TrainingStep) -> TrainingStep:
    """The same step with its episodes in double precision."""
    tasks = copy.copy(step.tasks)

    def doubled(part: Labelled) -> Labelled:
        return Labelled(*(each.double() if each.is_floating_point() else each for each in part))

    def episodes(indices: Tensor, shape: EpisodeShape, seed: int) -> Episodes:
        found = step.tasks.episodes(indices, shape, seed)
        return Episodes(doubled(found.support), doubled(found.query))

    tasks.episodes = episodes
    return replace(step, tasks=tasks)


def looped(algorithm: MAML, network: nn.Module, step: TrainingStep, answer=answers_of) -> Tensor:
    """Algorithm 2 of the paper as it stands, with autograd and a loop over tasks."""
    problem, episodes = step.tasks.problem, episodes_of(step)
    losses = []
    for task in range(len(episodes.support.inputs)):
        weights = dict(network.named_parameters())
        for _ in range(algorithm.inner_steps):
            outputs = functional_call(network, weights, (episodes.support.inputs[task],))
            loss = problem.losses(outputs, episodes.support.targets[task]).mean()
            create = not algorithm.first_order
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=create)
            weights = {
                name: each - algorithm.inner_lr * slope
                for (name, each), slope in zip(weights.items(), slopes, strict=True)
            }
        support, inputs = episodes.support.inputs[task], episodes.query.inputs[task]
        outputs = answer(network, weights, support, inputs)
        losses.append(problem.losses(outputs, episodes.query.targets[task]).mean())
    return torch.stack(losses).mean()


def gradients(network: nn.Module, loss: Tensor) -> list[Tensor]:
    network.zero_grad()
    loss.backward()
    return [each.grad.clone() for each in network.parameters()]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_without_inner_steps_it_is_erm_on_the_queries(problem: str) -> None:
    algorithm = MAML(inner_steps=0)
    _, network, step = made(problem, algorithm)
    step = in_doubles(step)
    query = episodes_of(step).query
    support, weights = episodes_of(step).support.inputs, dict(network.named_parameters())
    pairs = zip(support, query.inputs, strict=True)
    outputs = torch.stack([answers_of(network, weights, *pair) for pair in pairs])
    plain = step.tasks.problem.losses(outputs, query.targets).mean()
    found = algorithm.loss(network, step)
    assert found.item() == pytest.approx(plain.item(), rel=1e-12)
    for ours, theirs in zip(gradients(network, found), gradients(network, plain), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("steps", [1, 3])
def test_vmapped_gradients_are_the_looped_ones(problem, first_order: bool, steps: int) -> None:
    algorithm = MAML(inner_lr=0.1, inner_steps=steps, first_order=first_order)
    _, network, step = made(problem, algorithm)
    step = in_doubles(step)
    ours = gradients(network, algorithm.loss(network, step))
    theirs = gradients(network, looped(algorithm, network, step))
    assert max(float(each.abs().max()) for each in ours) > 1e-4
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-11)


def test_the_second_order_term_is_there() -> None:
    found = []
    for first_order in (False, True):
        algorithm = MAML(inner_lr=0.1, first_order=first_order)
        _, network, step = made("sinusoids", algorithm)
        found.append(gradients(network, algorithm.loss(network, in_doubles(step))))
    assert any(not torch.allclose(a, b) for a, b in zip(*found, strict=True))


def flops(work) -> int:
    with FlopCounter() as counter:
        work()
    return counter.total


@pytest.mark.parametrize("problem", PROBLEMS)
def test_vmapped_flops_are_the_looped_ones_and_first_order_costs_less(problem: str) -> None:
    costs = {}
    for first_order in (False, True):
        algorithm = MAML(inner_lr=0.1, inner_steps=2, first_order=first_order)
        _, network, step = made(problem, algorithm)
        step = in_doubles(step)

        def vmapped(algorithm=algorithm, network=network, step=step) -> None:
            algorithm.loss(network, step).backward()

        def in_a_loop(algorithm=algorithm, network=network, step=step) -> None:
            looped(algorithm, network, step, answers).backward()

        costs[first_order] = flops(vmapped)
        assert costs[first_order] == flops(in_a_loop)
    assert costs[True] < costs[False]


def test_a_new_task_is_learnt_by_gradient_steps_on_its_support_alone() -> None:
    algorithm = MAML(inner_lr=0.1, test_steps=3)
    tasks, network, step = made("images", algorithm)
    episodes = episodes_of(in_doubles(step))
    with torch.no_grad():
        whole = algorithm.predict(
            network, tasks.problem, episodes.support, episodes.query.inputs, None
        )
        alone = algorithm.predict(
            network, tasks.problem, episodes.support, episodes.query.inputs[:, :1], None
        )
    torch.testing.assert_close(whole[:, :1], alone)
    twin = copy.deepcopy(network)
    for _ in range(3):
        twin.zero_grad()
        outputs = twin(episodes.support.inputs[0])
        tasks.problem.losses(outputs, episodes.support.targets[0]).mean().backward()
        with torch.no_grad():
            for weight in twin.parameters():
                weight -= 0.1 * weight.grad
    weights = dict(twin.named_parameters())
    support, inputs = episodes.support.inputs[0], episodes.query.inputs[0]
    torch.testing.assert_close(whole[0], answers_of(twin, weights, support, inputs).detach())


def test_it_learns_on_a_convolutional_network() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6).repeat(20)
    # Stripes of other widths, so that a filter can tell them apart.
    columns = torch.arange(8)[None, :] * (torch.arange(6)[:, None] + 1)
    patterns = 2.0 * torch.cos(columns * torch.pi / 7)[:, None, None, :].expand(6, 1, 8, 8)
    inputs = patterns[labels] + 0.3 * torch.randn(120, 1, 8, 8, generator=generator)
    tasks, algorithm = ClassTasks(TensorExamples(inputs, labels), 3, 1), MAML(inner_lr=0.1)
    torch.manual_seed(0)
    network = algorithm.build(CNN(width=8, blocks=1), tasks)
    optimizer, losses = torch.optim.Adam(network.parameters(), 3e-3), []
    for seed in range(80):
        step = TrainingStep(tasks, SHAPE, torch.arange(6 * SHAPE.examples), seed)
        loss = algorithm.loss(network, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.6 * sum(losses[:20])


def _normalised(width: int = 3, flat: bool = False) -> nn.Sequential:
    """One batch normalisation with weights that are not those that it begins with."""
    torch.manual_seed(0)
    layer = nn.BatchNorm1d(width) if flat else nn.BatchNorm2d(width)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return nn.Sequential(layer)


@pytest.mark.parametrize("flat", [False, True])
def test_the_support_is_normalised_as_a_batch(flat: bool) -> None:
    plain = _normalised(flat=flat)
    inputs = torch.randn(6, 3) if flat else torch.randn(6, 3, 4, 4)
    expected = copy.deepcopy(plain).train()(inputs)
    torch.testing.assert_close(normalised_by_support(plain)(inputs), expected)


def test_queries_are_normalised_by_the_support_and_know_no_other_query() -> None:
    plain, support, queries = _normalised(), torch.randn(5, 3, 4, 4), torch.randn(7, 3, 4, 4) + 2
    reference = copy.deepcopy(plain[0])
    network = normalised_by_support(plain)
    found = answers(network, dict(network.named_parameters()), support, queries)
    reference.momentum, reference.running_var = 1.0, torch.ones(3)
    reference.train()(support)
    count = support.numel() / 3  # torch keeps the unbiased variance
    reference.running_var *= (count - 1) / count
    torch.testing.assert_close(found, reference.eval()(queries))
    others = queries.clone()
    others[1:] = 100 * torch.randn(6, 3, 4, 4)
    again = answers(network, dict(network.named_parameters()), support, others)
    assert torch.equal(again[0], found[0]) and not torch.equal(again[1], found[1])
    torch.testing.assert_close(
        answers(network, dict(network.named_parameters()), support, queries[:1]), found[:1]
    )
    other = answers(network, dict(network.named_parameters()), support + 1, queries)
    assert not torch.allclose(other, found)


def test_a_layer_without_weights_of_its_own_is_normalised_too() -> None:
    network = normalised_by_support(nn.Sequential(nn.BatchNorm2d(3, affine=False)))
    inputs = torch.randn(4, 3, 2, 2)
    found = network(inputs)
    assert found.mean((0, 2, 3)).abs().max() < 1e-6
    assert network(inputs.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("shape", "batch"),
    [
        (EpisodeShape(5, 1, 15), 32 * 5 * 2),
        (EpisodeShape(3, 2, 1), 32 * 3 * 3),
        (EpisodeShape(20, 5, 15), 32 * 20 * 10),
    ],
)
def test_a_step_is_over_the_published_number_of_tasks(shape: EpisodeShape, batch: int) -> None:
    published = MAML.published_for(Classification(shape.ways), shape)
    assert published["training"] == {"batch_size": batch}
    assert published["optimizer"] == {"name": "adam", "lr": 1e-3}
    if shape.ways == 20:
        return
    seen = []

    class Counted(ClassTasks):
        def episodes(self, indices: Tensor, shape: EpisodeShape, seed: int) -> Episodes:
            seen.append((len(indices), shape.queries))
            raise InterruptedError

    labels = torch.arange(5).repeat(20)
    tasks = Counted(TensorExamples(torch.randn(100, 1, 8, 8), labels), shape.ways, 1)
    step = TrainingStep(tasks, shape, torch.arange(batch), 0)
    with pytest.raises(InterruptedError):
        MAML().loss(nn.Identity(), step)
    assert seen == [(32, min(shape.shots, shape.queries))]


def test_sinusoids_have_their_own_number_of_tasks() -> None:
    assert MAML.published_for(Regression(), SINE)["training"]["batch_size"] == 25 * 10

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from search_spaces import options
from trainables.parts.optimizer import Optimizer
from trainables.parts.optimizers.adam import Adam
from trainables.parts.optimizers.adamw import AdamW
from trainables.parts.optimizers.amsgrad import AMSGrad
from trainables.parts.optimizers.sgd import SGD


def after_steps(optimizer: Optimizer, gradients: list[list[float]]) -> list[list[float]]:
    """The weights after each step from [1, -2] with these gradients."""
    parameter = Parameter(torch.tensor([1.0, -2.0]))
    built, found = optimizer.build([parameter]), []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        built.step()
        found.append(parameter.detach().tolist())
    return found


def group_of(optimizer: Optimizer) -> tuple[type, dict]:
    built = optimizer.build([Parameter(torch.ones(1))])
    return type(built), built.param_groups[0]


def test_each_builds_what_it_says_from_its_fields() -> None:
    kind, group = group_of(SGD(lr=0.2, weight_decay=1e-3, momentum=0.7, nesterov=True))
    assert kind is torch.optim.SGD
    expected = {"lr": 0.2, "weight_decay": 1e-3, "momentum": 0.7, "nesterov": True, "dampening": 0}
    assert expected.items() <= group.items()
    for cls, torchs, amsgrad in (
        (Adam, torch.optim.Adam, False),
        (AdamW, torch.optim.AdamW, False),
        (AMSGrad, torch.optim.AdamW, True),
    ):
        kind, group = group_of(cls(lr=0.02, weight_decay=0.003, beta1=0.85))
        assert kind is torchs
        expected = {"lr": 0.02, "weight_decay": 0.003, "betas": (0.85, 0.999), "amsgrad": amsgrad}
        assert expected.items() <= group.items()


def test_every_optimizer_is_among_those_checked() -> None:
    assert set(options(Optimizer)) == {"sgd", "adam", "adamw", "amsgrad"}


@pytest.mark.parametrize("name", options(Optimizer))
def test_each_goes_downhill(name: str) -> None:
    # The gradient's signs are (+, -): the first weight falls, the second rises.
    ((first, second),) = after_steps(options(Optimizer)[name](), [[0.5, -0.5]])
    assert first < 1.0
    assert second > -2.0


def test_two_steps_of_sgd_with_momentum_by_hand() -> None:
    optimizer = SGD(lr=0.1, weight_decay=0.01, momentum=0.5)
    found = after_steps(optimizer, [[1.0, 0.0], [0.0, 1.0]])
    # g = gradient + 0.01 w = (1.01, -0.02) = v; w - 0.1 v
    assert found[0] == pytest.approx([0.899, -1.998])
    # g = (0.00899, 0.98002); v = 0.5 v + g = (0.51399, 0.97002)
    assert found[1] == pytest.approx([0.899 - 0.051399, -1.998 - 0.097002])


def test_without_momentum_nesterov_changes_nothing() -> None:
    for nesterov in (False, True):
        (found,) = after_steps(SGD(0.1, 0.0, momentum=0.0, nesterov=nesterov), [[1.0, -2.0]])
        assert found == pytest.approx([0.9, -1.8])


def test_nesterov_looks_ahead() -> None:
    (found,) = after_steps(SGD(0.1, 1e-6, momentum=0.5, nesterov=True), [[1.0, 0.0]])
    # v = g, and the step is g + 0.5 v = 1.5
    assert found[0] == pytest.approx(1.0 - 0.15, abs=1e-6)


def test_a_first_step_of_adam_is_its_rate_whatever_the_gradient_and_its_decay_is_l2() -> None:
    # m / sqrt(v) = g / |g| with g = gradient + decay x w: without a gradient the decay alone
    # makes a whole step, towards zero.
    plain, decayed = Adam(lr=0.01), Adam(lr=0.01, weight_decay=1e-2)
    assert after_steps(plain, [[3.0, -0.2]])[0] == pytest.approx([0.99, -1.99], abs=1e-6)
    assert after_steps(plain, [[0.0, 0.0]])[0] == [1.0, -2.0]
    assert after_steps(decayed, [[0.0, 0.0]])[0] == pytest.approx([0.99, -1.99], abs=1e-6)


@pytest.mark.parametrize("cls", [AdamW, AMSGrad])
def test_decoupled_decay_is_no_part_of_the_gradient(cls: type[Optimizer]) -> None:
    # Without a gradient the weights shrink by lr x decay = 0.01 x 0.1 of themselves.
    optimizer = cls(lr=0.01, weight_decay=0.1)
    assert after_steps(optimizer, [[0.0, 0.0]])[0] == pytest.approx([0.999, -1.998], abs=1e-7)


def test_amsgrads_second_moment_does_not_fall() -> None:
    # A large gradient, then small ones: Adam's steps grow again as it is forgotten.
    gradients = [[10.0, 10.0]] + 300 * [[0.1, 0.1]]
    steps = {}
    for cls in (AdamW, AMSGrad):
        found = after_steps(cls(lr=1e-3, weight_decay=1e-5), gradients)
        steps[cls] = found[-2][0] - found[-1][0]
    assert steps[AMSGrad] < 0.95 * steps[AdamW]

"""Trying a model on two inputs, before anything is spent on it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces import InputError
from trainables.foundation.user_code import own_fault
from trainables.learning.flops import FlopCounter, UncountedOperation
from trainables.learning.scoring import evaluating
from trainables.parts.model import Model

_EXAMPLES = 2


def check_model(model: Model, input_shape: Sequence[int], num_classes: int) -> nn.Module:
    """Builds a model and passes two inputs through it, forward and backward.

    Returns:
        The network, untouched.

    Raises:
        InputError: its logits have another shape, it raises, it has nothing to train, its weights
            do not come from torch's generator, or what it computes cannot be counted.
    """
    what = f"--model {model.full_name}"
    network, again = (_built(model, input_shape, num_classes) for _ in range(2))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"{what}: it has no parameters to train.")
    first, second = network.state_dict(), again.state_dict()
    if any(not torch.equal(first[name], second[name]) for name in first):
        raise InputError(
            f"{what}: built twice from the same seed it has other weights; draw them from torch's "
            "default generator, as torch.nn does."
        )
    _try(again, input_shape, num_classes, what)
    return network


def ends_in_linear(network: nn.Module, input_shape: Sequence[int]) -> bool:
    """Return True if a network returns the output of its last linear layer unchanged."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    given: list[Tensor] = []
    handle = linear[-1].register_forward_hook(lambda _, __, output: given.append(output))
    with handle, evaluating(network):
        outputs = network(torch.zeros(_EXAMPLES, *input_shape))
    return bool(given) and given[-1] is outputs


def _built(model: Model, input_shape: Sequence[int], num_classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model.build(input_shape, num_classes)


def _try(network: nn.Module, input_shape: Sequence[int], num_classes: int, what: str) -> None:
    shape = [_EXAMPLES, *input_shape]
    inputs = torch.zeros(shape)
    try:
        with torch.random.fork_rng(devices=[]), FlopCounter():
            outputs: Any = copy.deepcopy(network).train()(inputs)
            if isinstance(outputs, Tensor) and outputs.requires_grad:
                outputs.float().square().sum().backward()
    except UncountedOperation as error:
        raise InputError(f"{what}: {error}") from error
    except (Exception, SystemExit) as error:
        raise own_fault(f"{what}: on inputs of shape {shape}", error) from error
    expected = f"expected logits of shape {[_EXAMPLES, num_classes]}"
    if not isinstance(outputs, Tensor):
        kind = type(outputs).__name__
        raise InputError(f"{what}: returned {kind} for inputs of shape {shape}, {expected}.")
    if list(outputs.shape) != [_EXAMPLES, num_classes] or not outputs.is_floating_point():
        raise InputError(
            f"{what}: returned {list(outputs.shape)} ({outputs.dtype}) for inputs of shape "
            f"{shape}, {expected} ([batch, classes])."
        )
    if not outputs.requires_grad:
        raise InputError(f"{what}: no gradient flows from its outputs to its parameters.")
